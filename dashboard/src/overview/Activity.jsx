import { useState } from "preact/hooks";
import { path } from "../kit/api.js";
import { useLive } from "../kit/live.js";
import { hrefOf } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Time } from "../parts/Time.jsx";

const KEPT = 30;
const STREAMS = ["*.dlq", "saga.*"];           // what Weir itself tells: dead letters and turns of sagas

/* What happens while the page is open, as it happens. */
export function Activity() {
    const [events, setEvents] = useState([]);
    const { state, error } = useLive({
        path: "/v1/events", query: { stream: STREAMS, after: "latest" },
        onBatch: (batch) => setEvents((old) => [...batch.map(({ event }) => event).reverse(), ...old].slice(0, KEPT)),
    });
    return (
        <Card title="Dead letters and sagas, live">
            <Fault error={error} quiet />
            {!events.length && (
                <p class="muted">{state === "live" ? "Nothing has happened since this page was opened." : "Connecting…"}</p>
            )}
            {events.length > 0 && (
                <ol class="activity" aria-label="Dead letters and sagas, the newest first">
                    {events.map((event) => (
                        <Happening key={`${event.stream} ${event.partition} ${event.offset}`} event={event} />
                    ))}
                </ol>
            )}
        </Card>
    );
}

function Happening({ event }) {
    const { to, what } = described(event);
    return (
        <li>
            <Time at={event.recordedtime} />
            <b>{event.type}</b>
            {to ? <a href={hrefOf(to)}>{what}</a> : <span>{what}</span>}
        </li>
    );
}

function described({ stream, subject, data }) {
    if (stream.startsWith("saga.")) {
        const saga = stream.slice("saga.".length), step = data?.step ? ` · ${data.step}` : "";
        return { to: subject && path`/sagas/${saga}/instances/${subject}`, what: `${saga} ${subject ?? ""}${step}` };
    }
    const origin = stream.slice(0, -".dlq".length);
    return { to: data?.id && path`/letters/${origin}/${data.id}`, what: `${data?.group ?? ""} on ${origin}` };
}
