import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { useRoute } from "../kit/route.js";
import { useSeries } from "../kit/series.js";
import { duration } from "../kit/time.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Chart } from "../parts/Chart.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Table } from "../parts/Table.jsx";
import { Explain } from "./Explain.jsx";
import { GroupActions } from "./GroupActions.jsx";
import { figuresOf, keyOf } from "./load.js";
import { Settings } from "./Settings.jsx";
import { standing } from "./words.js";
import "./groups.css";

/* Status and explanation load the whole group: asked for gently. */
const STATUS_MS = 4000;

export function GroupPage() {
    const { stream, group: name } = useRoute().params;
    const path = api.path`/v1/streams/${stream}/groups/${name}`;
    const { data, error, loading, reload } = usePoll(async (signal) => (await api.get(path, { signal })).body, STATUS_MS, [
        path,
    ]);
    const [acts, setActs] = useState(0);
    const changed = () => {
        setActs(acts + 1);
        reload();
    };
    const gone = error?.status === 404;
    const crumbs = [
        { title: "Groups", to: "/groups" },
        { title: stream, to: api.path`/streams/${stream}` },
    ];
    return (
        <Page title={name} crumbs={crumbs} actions={data && !gone && <GroupActions group={data} reload={changed} />}>
            {gone ? (
                <Empty title={error.title} hint={error.detail} action={<a href="#/groups">All groups</a>} />
            ) : (
                <Fault error={error} retry={reload} quiet={data !== undefined} />
            )}
            {loading && <Loading what="Looking at the group" />}
            {data && !gone && <Group group={data} path={path} acts={acts} />}
        </Page>
    );
}

function Group({ group, path, acts }) {
    const { tone, text } = standing(group, figuresOf(group));
    return (
        <>
            <p class="group-standing">
                <Badge tone={tone}>{text}</Badge>
            </p>
            <Figures group={group} />
            <Explain group={group} path={path} acts={acts} />
            <Charts group={group} />
            <Partitions group={group} />
            <Settings group={group} />
        </>
    );
}

function Figures({ group }) {
    const { lag, in_flight: inFlight, retrying, dead, blocked_keys: blocked } = group;
    return (
        <div class="figures">
            <Figure label="Lag" value={count(lag.events)} unit={lag.events === 1 ? "event" : "events"} />
            <Figure
                label="Oldest of them"
                value={lag.seconds ? duration(lag.seconds * 1000) : "–"}
                tone={lag.seconds >= 300 ? "bad" : undefined}
            />
            <Figure
                label="In flight"
                value={count(inFlight)}
                hint={`of ${count(group.max_in_flight)}`}
                tone={inFlight >= group.max_in_flight ? "warn" : undefined}
            />
            <Figure label="Retrying" value={count(retrying)} tone={retrying ? "warn" : undefined} />
            <Figure label="Blocked keys" value={count(blocked)} tone={blocked ? "warn" : undefined} />
            <Figure
                label="Dead letters"
                value={count(dead)}
                tone={dead ? "bad" : undefined}
                {...(may("dlq", group.stream) && { to: api.path`/letters/${group.stream}`, query: { group: group.name } })}
            />
        </div>
    );
}

function Charts({ group }) {
    const key = `group/${keyOf(group)}`;
    const lag = useSeries(`${key}/lag`, group.lag.events, { sample: group });
    const age = useSeries(`${key}/age`, group.lag.seconds, { sample: group });
    const inFlight = useSeries(`${key}/in-flight`, group.in_flight, { sample: group });
    const retrying = useSeries(`${key}/retrying`, group.retrying, { sample: group });
    return (
        <div class="group-charts">
            <Card title="Lag">
                <Chart
                    label="Events that are not finished"
                    times={lag.times}
                    series={[{ label: "Events", values: lag.values, tone: "info" }]}
                />
            </Card>
            <Card title="Age of the oldest event, in seconds">
                <Chart
                    label="Age of the oldest event"
                    times={age.times}
                    format={seconds}
                    series={[{ label: "Age", values: age.values, tone: "info" }]}
                />
            </Card>
            <Card title="At work">
                <Chart
                    label="Events in flight and retrying"
                    times={inFlight.times}
                    series={[
                        { label: "In flight", values: inFlight.values, tone: "info" },
                        { label: "Retrying", values: retrying.values, tone: "warn" },
                    ]}
                />
            </Card>
        </div>
    );
}

const seconds = (value) => (value === undefined || value === null ? "–" : duration(value * 1000));
const numeric = (name, title) => ({
    name,
    title,
    numeric: true,
    sort: (row) => Number(row[name]),
    cell: (row) => count(row[name]),
});
const PARTITIONS = [
    { name: "partition", title: "Partition", numeric: true, sort: (row) => row.partition, cell: (row) => row.partition },
    numeric("next", "Next offset"),
    numeric("head", "Head"),
    numeric("lag", "Lag"),
    numeric("in_flight", "In flight"),
    numeric("retrying", "Retrying"),
    numeric("skipped", "Behind blocked keys"),
];

function Partitions({ group }) {
    return (
        <Card title="Partitions">
            <Table
                label="Partitions of the group"
                columns={PARTITIONS}
                rows={group.partitions}
                keyOf={(row) => row.partition}
            />
        </Card>
    );
}
