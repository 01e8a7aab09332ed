import { useRef, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { bytes, count, rate } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link, useQueryState } from "../kit/route.js";
import { mayAny } from "../kit/rights.js";
import { Badge } from "../parts/Badge.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { headOf, isOwn, oddities } from "./odd.js";
import { StreamForm } from "./StreamForm.jsx";
import "./streams.css";

const POLL_MS = 5000;
const STREAMS_MAX = 5000;
const SHOWN = 200;                 /* rows; more are found by searching */

export function StreamsPage() {
    const [search, setSearch] = useQueryState("q");
    const [own, setOwn] = useQueryState("own");
    const [creating, setCreating] = useState(false);
    const { data, error, loading, stale, reload } = usePoll((signal) => api.all("/v1/streams", { signal, most: STREAMS_MAX }),
        POLL_MS);
    const rates = useRates(data?.items);
    const create = mayAny("manage") && <button type="button" class="primary"
        onClick={() => setCreating(true)}>Create a stream</button>;

    return (
        <Page title="Streams" actions={create}>
            <div class="bar">
                <input type="search" class="bar-search" value={search} placeholder="Search by name, description or label"
                    aria-label="Search streams by name, description or label"
                    onInput={(event) => setSearch(event.currentTarget.value)} />
                <label class="bar-check">
                    <input type="checkbox" checked={own === "1"}
                        onChange={(event) => setOwn(event.currentTarget.checked ? "1" : "")} />
                    Weir’s own
                </label>
                {data?.more && <Badge tone="warn">only the first {count(STREAMS_MAX)} are looked at</Badge>}
            </div>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {data && <List streams={data.items} rates={rates} search={search} own={own === "1"} create={create} />}
            {creating && <StreamForm onClose={() => setCreating(false)} />}
        </Page>
    );
}

function List({ streams, rates, search, own, create }) {
    const [more, setMore] = useState(1);
    const yours = streams.filter((stream) => own || !isOwn(stream.name));
    const found = yours.filter((stream) => fits(stream, search.trim().toLowerCase()));
    const empty = yours.length ?
        <Empty title="No stream fits the search" hint="Names, descriptions and labels are searched." /> :
        <Empty title="No streams yet"
            hint="A stream holds events in the order in which they were published. Create one, then publish to it."
            action={create} />;

    return (
        <>
            <Table label="Streams" columns={columns(rates)} rows={found} keyOf={(stream) => stream.name}
                most={more * SHOWN} empty={empty} />
            {found.length > more * SHOWN && (
                <p class="pager">
                    <span class="muted">{count(more * SHOWN)} of {count(found.length)}</span>
                    <button type="button" onClick={() => setMore(more + 1)}>Show more</button>
                </p>
            )}
        </>
    );
}

function columns(rates) {
    return [
        { name: "name", title: "Stream", sort: (stream) => stream.name, cell: (stream) => <Name stream={stream} /> },
        { name: "events", title: "Events", numeric: true, sort: (stream) => stream.events,
            cell: (stream) => count(stream.events) },
        { name: "rate", title: "Rate", numeric: true, sort: (stream) => rates.get(stream.name) ?? -1,
            cell: (stream) => rate(rates.get(stream.name)) },
        { name: "last", title: "Last event", sort: (stream) => stream.last_event_time ?? "",
            cell: (stream) => (stream.last_event_time ? <Time at={stream.last_event_time} /> :
                <span class="muted">never</span>) },
        { name: "bytes", title: "Size", numeric: true, sort: (stream) => stream.bytes, cell: (stream) => bytes(stream.bytes) },
        { name: "partitions", title: "Partitions", numeric: true, sort: (stream) => stream.partitions,
            cell: (stream) => stream.partitions },
        { name: "retention", title: "Kept", cell: (stream) => stream.retention },
    ];
}

function Name({ stream }) {
    return (
        <>
            <Link class="row-link" to={api.path`/streams/${stream.name}`}>{stream.name}</Link> <Odd stream={stream} />
            {stream.description && <small class="stream-note muted">{stream.description}</small>}
        </>
    );
}

export function Odd({ stream }) {
    const found = oddities(stream);

    return found.length > 0 && (
        <span class="badges">
            {found.map(({ tone, text, title }) => <Badge key={text} tone={tone} title={title}>{text}</Badge>)}
        </span>
    );
}

function fits(stream, term) {
    const labels = Object.entries(stream.labels).map(([name, value]) => `${name}=${value}`);

    return !term || [stream.name, stream.description, ...labels].some((text) => text.toLowerCase().includes(term));
}

/* Events a second since the answer before, by name. */
function useRates(streams) {
    const before = useRef({ streams: null, at: 0, heads: new Map(), rates: new Map() });
    const last = before.current;

    if (streams && streams !== last.streams) {
        const at = Date.now();
        const heads = new Map(streams.map((stream) => [stream.name, headOf(stream)]));
        const rates = new Map([...heads].filter(([name, head]) => head >= last.heads.get(name))
            .map(([name, head]) => [name, (head - last.heads.get(name)) * 1000 / Math.max(1, at - last.at)]));
        before.current = { streams, at, heads, rates };
    }
    return before.current.rates;
}
