import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { may } from "../kit/rights.js";
import { Link } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Time } from "../parts/Time.jsx";
import { Rebuilding } from "./Rebuild.jsx";
import { eventOf, skipOf, to } from "./model.js";

/* What stands above everything else: an error, a pause, a rebuild. */
export function Trouble({ projection, reload }) {
    const { name, error, rebuild, paused } = projection;
    return (
        <>
            {error && <Stopped {...{ name, error, reload }} title="It has stopped at an event" />}
            {rebuild?.error && <Stopped {...{ name, reload }} error={rebuild.error} title="Its rebuild has stopped" />}
            {paused && !error && <p class="note tone-warn">Paused: nothing is folded, states can be read. Resume it to go on.</p>}
            {rebuild && <Rebuilding projection={projection} />}
        </>
    );
}

function Stopped({ name, error, title, reload }) {
    const skip = skipOf(error), resume = { method: "POST", path: api.path`/v1/projections/${name}/resume` };
    const at = skip && `${error.stream}, partition ${error.partition}, offset ${error.offset}`;
    return (
        <Card title={title} class="stopped">
            <p class="note-error">{error.detail}</p>
            <dl class="facts">
                {error.type && <div><dt>Type</dt><dd>{error.type}</dd></div>}
                {skip && <div><dt>Event</dt><dd><Link to={eventOf(error)}>{error.stream}, partition {error.partition},
                    offset {count(error.offset)}</Link></dd></div>}
                {error.id && <div><dt>Id</dt><dd><code>{error.id}</code></dd></div>}
                {error.pointer && <div><dt>Refused by</dt><dd><code>{error.pointer}</code></dd></div>}
                <div><dt>Since</dt><dd><Time at={error.at} both /></dd></div>
            </dl>
            <p class="muted">Is the definition wrong? <b>Edit</b> it. Is the event? <b>Skip</b> it: this one alone is passed over.
                Was it something else? <b>Try again</b>.</p>
            {may("projection", name) && (
                <div class="card-actions">
                    <Link class="button" to={to(name, "edit")}>Edit the definition</Link>
                    {skip && <Action label="Skip this event" call={{ ...resume, body: { skip } }} onDone={reload}
                        said="The event was skipped" confirm={{
                            title: "Skip this event?", label: "Skip it",
                            text: `${at}. It is never folded, not by a rebuild either. Nothing takes that back.`,
                        }} />}
                    <Action label="Try again" tone="primary" call={{ ...resume, body: {} }} onDone={reload} />
                </div>
            )}
        </Card>
    );
}
