import { api } from "../kit/api.js";
import { bytes, count, rate } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { groupsOf, keyOf, loadFigures } from "../groups/load.js";
import { standing } from "../groups/words.js";
import { may } from "../kit/rights.js";
import { useSeries } from "../kit/series.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Chart } from "../parts/Chart.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { headOf, isOwn } from "./odd.js";
import { Odd } from "./StreamsPage.jsx";

const POLL_MS = 5000;
const GROUPS_MAX = 10;             /* whose figures are asked for, a call each */

export function StreamOverview({ stream }) {
    const published = useSeries(`stream ${stream.name} ${stream.created}`, headOf(stream), { rate: true, sample: stream });
    const groups = !isOwn(stream.name) || /\.dlq$/.test(stream.name);

    return (
        <>
            {stream.description && <p class="lead">{stream.description}</p>}
            <div class="figures">
                <Figure label="Events kept" value={count(stream.events)} />
                <Figure label="Size" value={bytes(stream.bytes)} />
                <Figure label="Publish rate" value={rate(published.values.at(-1))} />
                <Figure label="Last event" value={stream.last_event_time ? <Time at={stream.last_event_time} /> : "never"} />
            </div>
            <Odd stream={stream} />
            <div class="cards stream-cards">
                <Card title="Events published a second" class="wide">
                    <Chart label="Events published a second" times={published.times} format={rate}
                        series={[{ label: "published", values: published.values }]} />
                </Card>
                <Card title="Partitions"><Partitions stream={stream} /></Card>
                {groups && may("subscribe", stream.name) && <Card title="Consumer groups"><Groups name={stream.name} /></Card>}
                {groups && may("dlq", stream.name) && <Card title="Dead letters"><Letters name={stream.name} /></Card>}
                <Card title="Settings"><Settings stream={stream} /></Card>
            </div>
        </>
    );
}

function Partitions({ stream }) {
    const kept = (one) => BigInt(one.head) - BigInt(one.earliest) + 1n;
    const most = stream.partition_status.reduce((max, one) => (kept(one) > max ? kept(one) : max), 1n);
    const tail = (one) => may("subscribe", stream.name) &&
        { to: api.path`/streams/${stream.name}`, query: { tab: "live", partition: String(one.partition) } };

    return <Table label="Offsets by partition" rows={stream.partition_status} keyOf={(one) => one.partition} linkOf={tail}
        columns={[
        { name: "partition", title: "Partition", cell: (one) => one.partition },
        { name: "earliest", title: "Earliest", numeric: true, cell: (one) => (kept(one) > 0n ? count(one.earliest) : "–") },
        { name: "head", title: "Head", numeric: true, cell: (one) => (one.head === "0" ? "–" : count(one.head)) },
        { name: "events", title: "Events", numeric: true, cell: (one) => count(String(kept(one))) },
        { name: "share", title: "Share", cell: (one) => <Share part={Number(kept(one) * 100n / most)} /> },
    ]} />;
}

/* Against the largest partition; the figure stands beside it. */
function Share({ part }) {
    return <span class="share" aria-hidden="true"><span class="share-part" style={{ width: `${part}%` }} /></span>;
}

function Groups({ name }) {
    const { data, error, loading, stale, reload } = usePoll(async (signal) => {
        const groups = await groupsOf(name, signal);
        return { groups, figures: await loadFigures(groups, { most: GROUPS_MAX }, signal) };
    }, POLL_MS, [name]);

    if (!data) {
        return loading ? <Loading /> : <Fault error={error} retry={reload} />;
    }
    return (
        <>
            <Fault error={error} retry={reload} quiet={stale} />
            <Table label="Groups of this stream" rows={data.groups} keyOf={(group) => group.name}
                linkOf={(group) => api.path`/groups/${name}/${group.name}`}
                empty={<Empty title="No consumer group"
                    hint="A group hands each event to one of its consumers, and retries what fails." />}
                columns={[
                    { name: "name", title: "Group", cell: (group) => group.name },
                    { name: "lag", title: "Lag", numeric: true,
                        cell: (group) => count(data.figures.get(keyOf(group))?.lagEvents) },
                    { name: "flight", title: "In flight", numeric: true,
                        cell: (group) => count(data.figures.get(keyOf(group))?.inFlight) },
                    { name: "standing", title: "State",
                        cell: (group) => <Standing group={group} figures={data.figures.get(keyOf(group))} /> },
                ]} />
        </>
    );
}

function Standing({ group, figures }) {
    const { tone, text } = standing(group, figures);

    return text && <Badge tone={tone}>{text}</Badge>;
}

function Letters({ name }) {
    const { data, error, loading, stale, reload } = usePoll((signal) => api.get(api.path`/v1/streams/${name}/dlq/summary`,
        { signal, query: { state: "parked" } }), POLL_MS, [name]);

    if (!data) {
        return loading ? <Loading /> : <Fault error={error} retry={reload} />;
    }
    const items = data.body.items;
    const parked = items.reduce((sum, one) => sum + one.states.parked, 0);
    return (
        <>
            <Fault error={error} retry={reload} quiet={stale} />
            {parked ? (
                <p>
                    <Link to={api.path`/letters/${name}`}>
                        <b>{count(parked)}</b> {parked === 1 ? "letter waits" : "letters wait"}
                    </Link>
                    {" "}for a decision,
                    {" "}in {count(items.length)} {items.length === 1 ? "kind" : "kinds"} of failure.
                </p>
            ) : <p class="muted">None is parked. What consumers fail to handle after their retries comes here.</p>}
        </>
    );
}

function Settings({ stream }) {
    const rows = [
        ["Kept for", stream.retention], ["Deduplication window", stream.dedup_window],
        ["Schemas", stream.schema_validation === "off" ? "off"
            : `${stream.schema_validation}, subject ${stream.subject_template}`],
        ["Types without a schema", stream.schema_validation === "off" ? undefined : stream.allow_unknown_types ? "pass"
            : "refused"],
        ["Indexed by subject", stream.subject_reads ? "yes" : "no"],
        ["Labels", Object.entries(stream.labels).map(([name, value]) => `${name}=${value}`).join(", ") || undefined],
        ["Created", <Time at={stream.created} />], ["Changed", <Time at={stream.updated} />],
    ];

    return <dl class="pairs">{rows.filter(([, value]) => value !== undefined).map(([name, value]) =>
        <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}
