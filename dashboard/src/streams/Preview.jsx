import { useEffect, useRef } from "preact/hooks";
import { Link } from "../kit/route.js";
import { api } from "../kit/api.js";
import { Copy } from "../parts/Copy.jsx";
import { Time } from "../parts/Time.jsx";
import { bytesOf, EventData } from "./EventData.jsx";
import { bytes } from "../kit/format.js";

export const eventLink = (event) => ({
    to: api.path`/streams/${event.stream}/events/${String(event.partition)}/${event.offset}`, query: { at: event.recordedtime },
});

/* An event of the tail beside its list; its own page tells the rest. */
export function Preview({ row, onClose, onSubject }) {
    const { event, text } = row;
    const place = useRef(null);

    useEffect(() => place.current?.scrollIntoView?.({ block: "nearest" }), [row]);
    return (
        <aside class="preview card" ref={place} aria-label={`Event ${event.partition}:${event.offset}`}>
            <header class="card-head">
                <h2>{event.type}</h2>
                <button type="button" class="icon" aria-label="Close the event" onClick={onClose}>✕</button>
            </header>
            <dl class="pairs">
                <div><dt>Place</dt><dd>partition {event.partition}, offset {event.offset}</dd></div>
                {event.subject !== undefined && (
                    <div><dt>Subject</dt><dd>
                        <button type="button" class="link" title="Show only this subject"
                            onClick={() => onSubject(event.subject)}>{event.subject}</button>
                        {event.version !== undefined && `, version ${event.version}`}
                    </dd></div>
                )}
                <div><dt>Recorded</dt><dd><Time at={event.recordedtime} both /></dd></div>
                <div><dt>Size</dt><dd>{bytes(bytesOf(text))}</dd></div>
                {event.correlationid && <div><dt>Correlation</dt><dd><code>{event.correlationid}</code></dd></div>}
            </dl>
            <EventData event={event} text={text} />
            <footer class="card-actions">
                <Link class="button primary" {...eventLink(event)}>Open</Link>
                <Copy text={text} label="Copy as JSON" />
                <Copy text={row.cursor} label="Copy cursor" />
            </footer>
        </aside>
    );
}
