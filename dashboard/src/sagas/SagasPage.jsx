import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { mayAll } from "../kit/rights.js";
import { hrefOf, Link, useQueryState } from "../kit/route.js";
import { inTurns } from "../kit/turns.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { OPEN_STATES } from "./words.js";
import "./sagas.css";

const A_PAGE = 20; // each costs a call for its counts
const EVERY = 5000;

export const sagaPath = (saga) => `/sagas/${encodeURIComponent(saga)}`;

/* One page of definitions, each with the counts of its instances. */
async function load(after, signal) {
    const { body } = await api.get("/v1/sagas", { query: { limit: A_PAGE, after }, signal });
    const counts = await inTurns(body.items, 4, async (saga) => {
        try {
            return (await api.get(api.path`/v1/sagas/${saga.name}`, { signal })).body.instances;
        } catch (problem) {
            if (problem.status === 404) {
                // it was deleted meanwhile
                return {};
            }
            throw problem;
        }
    });
    return { items: body.items.map((saga, i) => ({ ...saga, counts: counts[i] })), next: body.next };
}

export function SagasPage() {
    const [after] = useQueryState("after", "");
    const { data, error, loading, stale, reload } = usePoll((signal) => load(after, signal), EVERY, [after]);
    const define = (
        <Link class="button primary" to="/sagas/~new">
            Define a saga
        </Link>
    );
    const empty = after ? (
        <Empty
            title="There are no more sagas."
            action={
                <Link class="button" to="/sagas">
                    Back to the first
                </Link>
            }
        />
    ) : (
        <Empty
            title="There are no sagas that this token may see."
            hint="A saga leads through several services: steps are retried, wait for events and approvals, and are undone."
            action={define}
        />
    );
    return (
        <Page
            title="Sagas"
            actions={
                <>
                    {mayAll() && (
                        <Link class="button" to="/targets">
                            Targets
                        </Link>
                    )}
                    {define}
                </>
            }>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {data && (
                <Table
                    label="Sagas"
                    columns={COLUMNS}
                    rows={data.items}
                    keyOf={(saga) => saga.name}
                    linkOf={(saga) => sagaPath(saga.name)}
                    empty={empty}
                />
            )}
            {data && (after || data.next) && (
                <p class="pager">
                    {after && (
                        <Link class="button" to="/sagas">
                            Back to the first
                        </Link>
                    )}
                    {data.next && (
                        <Link class="button" to="/sagas" query={{ after: data.next }}>
                            Next {A_PAGE}
                        </Link>
                    )}
                </p>
            )}
        </Page>
    );
}

const COLUMNS = [
    { name: "name", title: "Saga", cell: (saga) => <span class="saga-name">{saga.name}</span>, sort: (saga) => saga.name },
    ...OPEN_STATES.map((state) => ({
        name: state,
        title: state[0].toUpperCase() + state.slice(1),
        numeric: true,
        sort: (saga) => saga.counts[state] ?? 0,
        cell: (saga) => <Counted saga={saga} state={state} />,
    })),
    { name: "steps", title: "Steps", numeric: true, cell: (saga) => count(saga.steps.length), sort: (saga) => saga.steps.length },
    { name: "version", title: "Version", numeric: true, cell: (saga) => saga.version, sort: (saga) => saga.version },
    { name: "updated", title: "Changed", cell: (saga) => <Time at={saga.updated} />, sort: (saga) => saga.updated },
    { name: "description", title: "Description", cell: (saga) => saga.description ?? "" },
];

function Counted({ saga, state }) {
    const n = saga.counts[state] ?? 0;
    return n === 0 ? (
        <span class="muted">0</span>
    ) : (
        <a
            class={state === "paused" ? "saga-attention" : undefined}
            href={hrefOf(sagaPath(saga.name), { state })}
            aria-label={`${n} ${state} of ${saga.name}`}>
            {count(n)}
        </a>
    );
}
