import { useEffect, useRef } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { at } from "../kit/json.js";
import { useKeys } from "../kit/keys.js";
import { usePoll } from "../kit/poll.js";
import { go, useQueryState, useRoute } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Cause } from "./Cause.jsx";
import { Editor } from "./Editor.jsx";
import { EventCard } from "./EventCard.jsx";
import { Fate } from "./Fate.jsx";
import { listed, neighbours } from "./listed.js";
import { Move } from "./Move.jsx";
import { Timeline } from "./Timeline.jsx";
import "./letters.css";

const EVERY = 5000;
const SOON = 2000;              /* while it is with its group */

/* Only JSON can be patched; other payloads come as text or base64. */
function editable(event) {
    return "data" in event && /^$|[/+]json\b/.test(event.datacontenttype ?? "");
}

function useLetter(stream, id) {
    const path = pathOf`/v1/streams/${stream}/dlq/${id}`;
    const poll = usePoll((signal) => get(path, { signal }), EVERY, [path]);
    const state = poll.data?.body.state;

    useEffect(() => {
        const timer = state === "redriven" ? setInterval(() => document.hidden || poll.reload(), SOON) : null;
        return () => clearInterval(timer);
    }, [state, path]);
    return { path, ...poll };
}

function whyNot(letter, what) {
    return letter.state === "parked" ? undefined : `The letter is ${letter.state}: only a parked one can be ${what}`;
}

function useLetterKeys(stream, id, letter, edit) {
    const buttons = useRef(null);
    const { newer, older } = neighbours(stream, id);
    const to = (other) => other && go(pathOf`/letters/${stream}/${other}`, { replace: true });
    const redrive = () => buttons.current?.querySelector(".letter-redrive button")?.click();

    useKeys("Letter", {
        j: [() => to(older), "Next letter of the list"],
        k: [() => to(newer), "Letter before"],
        e: [() => letter && !whyNot(letter, "repaired") && editable(letter.event) && edit("1"), "Repair"],
        r: [redrive, "Redrive"],
        u: [() => go(pathOf`/letters/${stream}`, { query: listed.stream === stream ? listed.back : {} }), "Back to the list"],
    });
    return { buttons, redrive };
}

function Actions({ path, letter, reload, edit, inside }) {
    const why = whyNot(letter, "repaired") ?? (editable(letter.event) ? undefined : "The event's data are not JSON: there is nothing to edit");

    return (
        <div class="letter-buttons" ref={inside}>
            <button type="button" disabled={Boolean(why)} title={why} onClick={() => edit("1")}>Repair</button>
            <span class="letter-redrive"><Move kind="redrive" path={path} letter={letter} disabledWhy={whyNot(letter, "redriven")} onDone={reload} /></span>
            <Move kind="discard" path={path} letter={letter} disabledWhy={whyNot(letter, "discarded")} onDone={reload} />
        </div>
    );
}

function Repaired({ text, letter }) {
    return letter.original_event && (
        <Card title="What the repair changed" class="letter-card">
            <Diff before={at(text, "original_event", "data")} after={at(text, "event", "data")} labels={["Original", "Repaired"]} />
        </Card>
    );
}

function Data({ text, event }) {
    const shown = editable(event) ? at(text, "event", "data") : undefined;

    if (shown !== undefined) {
        return <Json text={shown} label="Data of the event" />;
    }
    return event.data === undefined && event.data_base64 === undefined ? <p class="muted">The event has no data.</p> :
        <pre class="letter-plain" tabIndex={0} role="region" aria-label="Data of the event">{event.data ?? event.data_base64}</pre>;
}

export function LetterPage() {
    const { params: { stream, id }, query } = useRoute();
    const { path, data, error, loading, stale, reload } = useLetter(stream, id);
    const [editing, edit] = useQueryState("edit");
    const letter = data?.body;
    const { buttons, redrive } = useLetterKeys(stream, id, letter, edit);
    const can = letter && letter.state === "parked" && editable(letter.event);

    useEffect(() => {
        if (letter && query.act === "redrive") {
            go(pathOf`/letters/${stream}/${id}`, { replace: true });
            redrive();
        }
    }, [Boolean(letter), query.act]);
    const crumbs = [{ title: "Dead letters", to: "/letters" }, { title: stream, to: pathOf`/letters/${stream}` }];

    return (
        <Page title={letter ? `${letter.event.type} ${letter.event.subject ?? ""}`.trim() : "Dead letter"} crumbs={crumbs}
            actions={letter && <Actions {...{ path, letter, reload }} edit={edit} inside={buttons} />}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching the letter" />}
            {letter && <Fate letter={letter} stream={stream} />}
            {letter && (
                <>
                    {editing && can && (
                        <Editor key={path} path={path} stream={stream} text={at(data.text, "event", "data")}
                            original={letter.original_event && at(data.text, "original_event", "data")}
                            onDone={() => {
                                edit("");
                                reload();
                                buttons.current?.querySelector(".letter-redrive button")?.focus();
                            }} onClose={() => edit("")} />
                    )}
                    {!(editing && can) && <Repaired text={data.text} letter={letter} />}
                    <div class="letter-grid">
                        <div><Cause letter={letter} /><Timeline letter={letter} path={path} /></div>
                        <div>
                            {!(editing && can) && <Card title="Data"><Data text={data.text} event={letter.event} /></Card>}
                            <EventCard event={letter.event} stream={stream} letter={letter} />
                        </div>
                    </div>
                </>
            )}
        </Page>
    );
}
