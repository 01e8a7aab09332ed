import { useEffect, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { bytes, count } from "../kit/format.js";
import { Link, useRoute } from "../kit/route.js";
import { may } from "../kit/rights.js";
import { Card } from "../parts/Card.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Curl } from "../parts/Curl.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Time } from "../parts/Time.jsx";
import { bytesOf, dataOf, EventData } from "./EventData.jsx";
import { Chain } from "./Chain.jsx";
import { findEvent } from "./find.js";
import { isOwn } from "./odd.js";
import { Publish } from "./Publish.jsx";
import { CRUMBS } from "./StreamPage.jsx";
import { SubjectHistory } from "./SubjectHistory.jsx";
import "./streams.css";

export function EventPage() {
    const { params, query } = useRoute();
    const { stream, partition, offset } = params;
    const { found, error, retry } = useEvent(stream, partition, offset, query.at);
    const crumbs = [...CRUMBS, { title: stream, to: api.path`/streams/${stream}` }];
    const key = `${stream}/${partition}/${offset}`;

    return (
        <Page title={found?.event ? found.event.type : `Event ${partition}:${offset}`} crumbs={crumbs}
            actions={found?.event && <Actions found={found} />}>
            <Around {...{ stream, partition, offset, at: found?.event?.recordedtime }} />
            <Fault error={error} retry={retry} />
            {!found && !error && <Loading what="Looking for the event" />}
            {found?.missing && <Missing {...{ found, stream, partition, offset }} />}
            {found?.event && <Details key={key} found={found} />}
        </Page>
    );
}

/* Events do not change: it is asked once. */
function useEvent(stream, partition, offset, at) {
    const [round, setRound] = useState(0);
    const [state, setState] = useState({});
    const key = `${stream}/${partition}/${offset} ${round}`;

    useEffect(() => {
        const abort = new AbortController();

        if (!/^[0-9]{1,2}$/.test(partition) || !/^[0-9]{1,19}$/.test(offset)) {
            setState({ key, found: { missing: "none" } });
            return undefined;
        }
        findEvent({ stream, partition: Number(partition), offset, at, signal: abort.signal }).then(
            (found) => !abort.signal.aborted && setState({ key, found }),
            (error) => !abort.signal.aborted && setState({ key, error }));
        return () => abort.abort();
    }, [key]);
    return { ...(state.key === key ? state : {}), retry: () => setRound(round + 1) };
}

/* Its neighbours in the partition; their time is about the same, so that they are found at once. */
function Around({ stream, partition, offset, at }) {
    const known = /^[0-9]{1,19}$/.test(offset);
    const to = (n) => api.path`/streams/${stream}/events/${partition}/${String(n)}`;

    return (
        <nav class="bar" aria-label="Neighbouring events">
            <span class="muted">Partition {partition}, offset {known ? count(offset) : offset}</span>
            {known && offset !== "1" && BigInt(offset) > 0n && <Link to={to(BigInt(offset) - 1n)}>← previous</Link>}
            {known && <Link to={to(BigInt(offset) + 1n)} query={{ at }}>next →</Link>}
            <Link to={api.path`/streams/${stream}`} query={{ tab: "live", from: at, partition }}>tail from here</Link>
        </nav>
    );
}

function Missing({ found, stream, partition, offset }) {
    const why = {
        removed: [`Offset ${count(offset)} is not kept any more`,
            `Retention removed it: the earliest of partition ${partition} is ${count(found.earliest)}.`],
        later: [`Offset ${count(offset)} is not there yet`, `The last one of partition ${partition} is ${count(found.head)}.`],
        none: ["There is no such event", "The link is wrong, or the stream was deleted and made again."],
    }[found.missing];
    const link = found.missing === "removed" ? found.earliest : found.missing === "later" && found.head !== "0" ? found.head
        : undefined;

    return <Empty title={why[0]} hint={why[1]} action={link &&
        <Link to={api.path`/streams/${stream}/events/${partition}/${link}`}>Show {count(link)}</Link>} />;
}

function Actions({ found }) {
    const [copying, setCopying] = useState(false);
    const { event, text } = found;
    const { type, subject, correlationid, partitionkey, datacontenttype, dataschema } = event;

    return (
        <>
            <Copy text={text} label="Copy as JSON" />
            <Copy text={() => location.href} label="Copy link" />
            {may("publish", event.stream) && !isOwn(event.stream) && event.data_base64 === undefined &&
                <button type="button" onClick={() => setCopying(true)}>Publish a copy</button>}
            {copying && <Publish stream={event.stream} onClose={() => setCopying(false)} from={{
                attributes: { type, subject: subject ?? "", correlationid, partitionkey, datacontenttype, dataschema,
                    causationid: event.id },
                data: dataOf(text) ?? "",
            }} />}
        </>
    );
}

function Details({ found }) {
    const { event, text } = found;

    return (
        <div class="event-columns">
            <div class="column">
                <Card title="Data"><EventData event={event} text={text} /></Card>
                <Card title="Correlation chain"><Chain event={event} /></Card>
                <Card title="The same by the API">
                    <Curl call={{ path: api.path`/v1/streams/${event.stream}/events`,
                        query: { partition: event.partition, from_time: event.recordedtime, limit: 1 } }} />
                </Card>
            </div>
            <div class="column">
                <Card title="Attributes"><Attributes event={event} text={text} cursor={found.next} /></Card>
                {event.subject !== undefined && <Card title="History of its subject"><SubjectHistory event={event} /></Card>}
            </div>
        </div>
    );
}

const TIMES = ["time", "recordedtime"];
const FIRST = ["id", "source", "type", "subject", "version", "time", "recordedtime", "stream", "partition", "offset"];

function Attributes({ event, text, cursor }) {
    const names = [...FIRST.filter((name) => event[name] !== undefined),
        ...Object.keys(event).filter((name) => ![...FIRST, "data", "data_base64", "specversion"].includes(name))];
    const data = dataOf(text);

    return (
        <dl class="pairs">
            {names.map((name) => (
                <div key={name}><dt>{name}</dt><dd>
                    {TIMES.includes(name) ? <Time at={event[name]} both /> : <Value name={name} event={event} />}
                </dd></div>
            ))}
            <div><dt>Size</dt><dd>{bytes(bytesOf(text))} as JSON{data !== undefined
                && `, ${bytes(bytesOf(data))} of it data`}</dd></div>
            {cursor && (
                <div><dt>Cursor after it</dt><dd><code>{cursor}</code> <Copy text={cursor} label="Copy cursor" small /></dd></div>
            )}
        </dl>
    );
}

function Value({ name, event }) {
    const value = String(event[name]);

    if (name === "subject") {
        const query = { tab: "live", from: "earliest", subject: value };
        return <Link to={api.path`/streams/${event.stream}`} query={query}>{value}</Link>;
    }
    return ["id", "correlationid", "causationid", "traceparent"].includes(name) ?
        <><code>{value}</code> <Copy text={value} label={`Copy ${name}`} small /></> : value;
}
