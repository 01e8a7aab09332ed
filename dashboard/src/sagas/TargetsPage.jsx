import { api } from "../kit/api.js";
import { count, rate } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { mayAll } from "../kit/rights.js";
import { Link, useQueryState } from "../kit/route.js";
import { serverNow } from "../kit/time.js";
import { Badge } from "../parts/Badge.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import "./sagas.css";

/* The services that are called, and how their circuit breakers stand. */
export function TargetsPage() {
    const [after] = useQueryState("after", "");
    const allowed = mayAll();
    const { data, error, loading, stale, reload } = usePoll(
        (signal) => (allowed ? api.get("/v1/targets", { query: { after }, signal }) : null),
        3000,
        [after, allowed],
    );
    const page = data?.body;
    return (
        <Page title="Targets" crumbs={[{ title: "Sagas", to: "/sagas" }]}>
            {!allowed && (
                <Empty
                    title="The token does not allow this page."
                    hint={
                        <>
                            It needs the right <code>admin:*</code>.
                        </>
                    }
                />
            )}
            <Fault error={error} retry={reload} quiet={stale} />
            {allowed && loading && <Loading />}
            {page && (
                <>
                    <p class="muted">
                        Failures in a row open a target's breaker: then no call goes out, and costs no attempt, until a single one
                        tries it. It closes by itself.
                    </p>
                    <Table
                        label="Targets"
                        columns={COLUMNS}
                        rows={page.items}
                        keyOf={(one) => one.name}
                        sorted={null}
                        empty={
                            <Empty
                                title="No service was called within the last day."
                                hint="Targets appear when a step of a saga calls them, or when outbound.file names them."
                            />
                        }
                    />
                </>
            )}
            {page && (after || page.next) && (
                <p class="pager">
                    {after && (
                        <Link class="button" to="/targets">
                            Back to the first
                        </Link>
                    )}
                    {page.next && (
                        <Link class="button" to="/targets" query={{ after: page.next }}>
                            Next
                        </Link>
                    )}
                </p>
            )}
        </Page>
    );
}

const COLUMNS = [
    { name: "name", title: "Target", cell: (one) => <code>{one.name}</code>, sort: (one) => one.name },
    {
        name: "state",
        title: "Breaker",
        cell: (one) => <Status state={one.state} />,
        sort: (one) => ["open", "half-open", "closed"].indexOf(one.state),
    },
    {
        name: "failures",
        title: "Failures in a row",
        numeric: true,
        cell: (one) => count(one.failures),
        sort: (one) => one.failures,
    },
    { name: "opened", title: "Opened", cell: (one) => <Time at={one.state === "closed" ? null : one.opened} /> },
    {
        name: "retry",
        title: "Tried again",
        cell: (one) =>
            one.retry_at && Date.parse(one.retry_at) <= serverNow() ? "with the next call" : <Time at={one.retry_at} />,
    },
    {
        name: "running",
        title: "Calls now",
        numeric: true,
        cell: (one) => `${one.running} of ${one.concurrency}`,
        sort: (one) => one.running,
    },
    { name: "rate", title: "At most", numeric: true, cell: (one) => (one.rate === null ? "–" : rate(one.rate)) },
    {
        name: "signed",
        title: "Notes",
        cell: (one) => (
            <>
                {one.signed && <Badge title="Its calls are signed with a secret of its own">signed</Badge>}{" "}
                {one.configured && <Badge title="It stands in outbound.file">configured</Badge>}
            </>
        ),
    },
];
