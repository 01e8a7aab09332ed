import { count, rate } from "../kit/format.js";
import { may } from "../kit/rights.js";
import { Link } from "../kit/route.js";
import { useSeries } from "../kit/series.js";
import { duration } from "../kit/time.js";
import { Card } from "../parts/Card.jsx";
import { Chart } from "../parts/Chart.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { behind, to, toneOfLag } from "./model.js";

const COLUMNS = [
    { name: "stream", title: "Stream", sort: (p) => p.stream,
        cell: (p) => <Link to={`/streams/${encodeURIComponent(p.stream)}`}>{p.stream}</Link> },
    { name: "partition", title: "Partition", numeric: true, sort: (p) => p.partition, cell: (p) => p.partition },
    { name: "position", title: "Position", numeric: true, sort: (p) => BigInt(p.position), cell: (p) => count(p.position) },
    { name: "head", title: "Head", numeric: true, sort: (p) => BigInt(p.head), cell: (p) => count(p.head) },
    { name: "behind", title: "Behind", numeric: true, sort: left, cell: (p) => count(String(left(p))) },
];

function left(p) {
    const n = BigInt(p.head) - BigInt(p.position);
    return n > 0n ? n : 0n;
}

/* How it goes. sample: the answer that the figures are of, another one each time. */
export function Now({ projection, sample }) {
    const { name, partitions = [], lag, position } = projection;
    return (
        <div class="cards">
            <div class="figures wide"><Figures projection={projection} /></div>
            <Lag key={name} {...{ name, lag, sample }} />
            <Pace key={`${name} pace`} {...{ name, partitions, sample }} />
            <Card title="Partitions" class="wide" actions={position && <Copy text={position} label="Copy the position" />}>
                <Table label={`Partitions that ${name} folds`} columns={COLUMNS} rows={partitions}
                    keyOf={(p) => `${p.stream}/${p.partition}`}
                    empty={<p class="muted">None of its streams exists any more: {projection.streams.join(", ")}.</p>} />
            </Card>
        </div>
    );
}

function Figures({ projection: { name, streams, lag, build, verified, on_error: onError, created, updated } }) {
    const letters = onError === "dlq" && may("dlq", streams[0]);
    const drifted = verified?.drifted > 0;
    return (
        <>
            <Figure label="Events behind" value={count(lag.events)} tone={toneOfLag(lag)} />
            <Figure label="Oldest of them" value={behind(lag)} tone={toneOfLag(lag)} />
            <Figure label="Build that is read" value={build}
                hint={<>{updated === created ? "defined" : "changed"} <Time at={updated} /></>} />
            <Figure label="Verified" value={verified ? (drifted ? `${count(verified.drifted)} drifted` : "no drift") : "never"}
                tone={drifted ? "bad" : verified ? "good" : undefined} to={to(name)} query={{ tab: "verify" }}
                hint={verified && <>{count(verified.checked)} keys, <Time at={verified.updated} /></>} />
            <Figure label="On error" value={onError === "dlq" ? "dead letter" : "stop"}
                to={letters ? `/letters/${encodeURIComponent(streams[0])}` : undefined} query={{ group: `projection:${name}` }}
                hint={onError === "dlq" ? "of events that cannot be folded" : "at an event that cannot be folded"} />
        </>
    );
}

function Lag({ name, lag, sample }) {
    const { times, values } = useSeries(`projection ${name} lag`, lag.events, { sample });
    return (
        <Card title="Events behind">
            <Chart label={`Events that ${name} has not looked at`} times={times}
                series={[{ label: "events behind", values, tone: "warn" }]} />
            <p class="muted small">Oldest: {lag.events ? duration(lag.seconds * 1000) : "–"}</p>
        </Card>
    );
}

function Pace({ name, partitions, sample }) {
    const looked = Number(partitions.reduce((sum, p) => sum + BigInt(p.position), 0n));
    const { times, values } = useSeries(`projection ${name} pace`, looked, { rate: true, sample });
    return (
        <Card title="Events looked at">
            <Chart label={`Events that ${name} looks at, a second`} times={times} format={rate}
                series={[{ label: "a second", values }]} />
            <p class="muted small">Also those that change no state.</p>
        </Card>
    );
}
