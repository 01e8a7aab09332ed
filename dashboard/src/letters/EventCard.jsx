import { path as pathOf } from "../kit/api.js";
import { Link } from "../kit/route.js";
import { exact } from "../kit/time.js";
import { Card } from "../parts/Card.jsx";
import { Copy } from "../parts/Copy.jsx";

const FIRST = ["id", "type", "subject", "source", "version", "time", "recordedtime", "datacontenttype"];
const ELSEWHERE = ["specversion", "data", "data_base64", "stream", "partition", "offset"];
const TIMES = ["time", "recordedtime"];

function Attribute({ name, value }) {
    return <><dt>{name}</dt><dd>{TIMES.includes(name) ? exact(value) : String(value)}</dd></>;
}

/* The attributes of the event, and of the letter what is said nowhere else. */
export function EventCard({ event, stream, letter }) {
    const rest = Object.keys(event).filter((name) => !FIRST.includes(name) && !ELSEWHERE.includes(name));
    const names = [...FIRST.filter((name) => name in event), ...rest];

    return (
        <Card title="Event">
            <dl class="letter-facts">
                <dt>stream</dt><dd><Link to={pathOf`/streams/${stream}`}>{stream}</Link></dd>
                <dt>place</dt>
                <dd><Link to={pathOf`/streams/${stream}/events/${event.partition}/${event.offset}`}>
                    partition {event.partition}, offset {event.offset}</Link></dd>
                {names.map((name) => <Attribute key={name} name={name} value={event[name]} />)}
                <dt>letter</dt><dd><code>{letter.id}</code> <Copy text={letter.id} label="Copy the letter's id" small /></dd>
                <dt>fingerprint</dt><dd><code>{letter.fingerprint}</code></dd>
            </dl>
        </Card>
    );
}
