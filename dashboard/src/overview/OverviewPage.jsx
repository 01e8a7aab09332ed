import { useMemo, useState } from "preact/hooks";
import { count, rate } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { mayAll, mayAny } from "../kit/rights.js";
import { useSeries } from "../kit/series.js";
import { duration } from "../kit/time.js";
import { Card } from "../parts/Card.jsx";
import { Chart } from "../parts/Chart.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Activity } from "./Activity.jsx";
import { Attention } from "./Attention.jsx";
import { attention } from "./attention.js";
import { readMetrics, readStreams, walk } from "./figures.js";
import "./overview.css";

const EVERY = 5000, SLOWER = 15000, MANY = 200, WALK_EVERY = 30000;
const STATES = [["running", "info"], ["waiting", "accent"], ["compensating", "warn"], ["paused", "bad"]];
const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);

/* Everything the page shows: {streams, figures, error, reload}. */
function useOverview() {
    const admin = mayAll();
    const [many, setMany] = useState(false);
    const first = usePoll(async (signal) => {
        const read = await readStreams(signal);
        setMany(read.streams.length > MANY);
        return read;
    }, many ? SLOWER : EVERY);
    const metrics = usePoll(admin ? readMetrics : async () => null, EVERY, [admin]);
    const ready = Boolean(first.data);
    const walked = usePoll(
        async (signal) => (!admin && ready ? walk(first.data.streams, signal) : null),
        admin ? 0 : WALK_EVERY,
        [admin, ready],
    );
    return { streams: first.data, figures: metrics.data ?? walked.data, admin, loading: first.loading,
        error: first.error ?? metrics.error ?? walked.error,
        reload: () => [first, metrics, walked].forEach((poll) => poll.reload()) };
}

export function OverviewPage() {
    const { streams, figures, admin, loading, error, reload } = useOverview();
    const needs = useMemo(() => (figures ? attention(figures) : null), [figures]);
    return (
        <Page title="Overview">
            <Fault error={error} retry={reload} quiet={Boolean(streams)} />
            {loading && <Loading />}
            {streams && streams.streams.length === 0 && <Start />}
            {figures && <Attention items={needs} partial={figures.partial} />}
            {streams && <Figures streams={streams} figures={figures} admin={admin} />}
            {mayAny("subscribe") && <Activity />}
        </Page>
    );
}

function Start() {
    return (
        <Empty
            title="There is no stream yet."
            hint="A stream keeps events in order. Create one, publish to it, and see them arrive here."
            action={
                mayAny("manage") ? (
                    <a class="button primary" href="#/streams">
                        Go to Streams
                    </a>
                ) : null
            }
        />
    );
}

function Figures({ streams, figures, admin }) {
    const published = useSeries("overview published", streams.published, { rate: true, sample: streams });
    const delivered = useSeries("overview delivered", figures?.delivered ?? undefined, { rate: true, sample: figures });
    const lag = useSeries("overview lag", figures && sum(figures.groups, "lag"), { sample: figures });
    const dead = useSeries("overview dead", figures && sum(figures.groups, "dead"), { sample: figures });
    const now = (series) => series.values.at(-1);
    const oldest = figures ? Math.max(0, ...figures.groups.map((group) => group.seconds ?? 0)) : 0;
    const letters = figures ? sum(figures.groups, "dead") : undefined;
    const instances = figures ? sum(figures.sagas, "count") : undefined;
    return (
        <>
            <div class="figures">
                <Figure
                    label="Published"
                    value={rate(now(published))}
                    hint={`${count(streams.streams.length)}${streams.more ? "+" : ""} streams`}
                    to="/streams"
                />
                <Figure
                    label="Delivered"
                    value={admin ? rate(now(delivered)) : "–"}
                    hint={admin ? "by this gateway" : "needs admin:*"}
                />
                <Figure
                    label="Lag of groups"
                    value={figures ? count(sum(figures.groups, "lag")) : "–"}
                    unit="events"
                    hint={
                        oldest
                            ? `oldest ${duration(oldest * 1000)}`
                            : `${count(figures?.groups.length)} ${figures?.groups.length === 1 ? "group" : "groups"}`
                    }
                    to="/groups"
                />
                <Figure
                    label="Dead letters"
                    value={count(letters)}
                    tone={letters > 0 ? "bad" : undefined}
                    hint="parked"
                    to={mayAny("dlq") ? "/letters" : undefined}
                />
                <Figure label="Sagas" value={count(instances)} hint="have not ended" to={mayAny("saga") ? "/sagas" : undefined} />
            </div>
            <div class="cards">
                <Card title="Events a second">
                    <Chart
                        label="Events a second"
                        times={published.times}
                        format={rate}
                        series={[
                            { label: "Published", values: published.values },
                            ...(admin ? [{ label: "Delivered", values: aligned(published, delivered), tone: "good" }] : []),
                        ]}
                    />
                </Card>
                <Card title="Lag of groups">
                    <Chart
                        label="Lag of groups"
                        times={lag.times}
                        unit="events"
                        series={[{ label: "Lag", values: lag.values, tone: "warn" }]}
                    />
                </Card>
                <Card title="Dead letters">
                    <Chart
                        label="Dead letters"
                        times={dead.times}
                        series={[{ label: "Parked", values: dead.values, tone: "bad" }]}
                    />
                </Card>
                <Sagas figures={figures} />
            </div>
        </>
    );
}

/* The values of one series at the times of another one, which is asked for at the same pace. */
function aligned(times, other) {
    let at = 0;
    return times.times.map((time) => {
        while (at < other.times.length - 1 && Math.abs(other.times[at + 1] - time) <= Math.abs(other.times[at] - time)) {
            at++;
        }
        return Math.abs((other.times[at] ?? -Infinity) - time) < EVERY / 1000 ? other.values[at] : null;
    });
}

function Sagas({ figures }) {
    const of = (state) => figures && sum(figures.sagas.filter((row) => row.state === state), "count");
    const series = STATES.map(([state, tone]) => ({
        label: state,
        tone,
        ...useSeries(`overview sagas ${state}`, of(state), { sample: figures }),
    }));
    return (
        <Card title="Sagas by state">
            <Chart label="Sagas by state" times={series[0].times} series={series} />
        </Card>
    );
}
