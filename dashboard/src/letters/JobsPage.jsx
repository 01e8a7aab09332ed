import { get, path as pathOf } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { words } from "./filter.jsx";
import { CancelJob, JobBar } from "./JobProgress.jsx";
import { Pages } from "./Pages.jsx";
import "./letters.css";

const EVERY = 3000;
const STATES = ["running", "done", "cancelled", "failed"];

const Kind = ({ job }) => <span class="letter-event"><b>{job.kind}</b><span>{job.stream}</span></span>;
const What = ({ job }) => <span class="letter-error">{words(job.filter)}{job.reason && <small>{job.reason}</small>}</span>;

const columns = (reload) => [
    { name: "kind", title: "Job", cell: (job) => <Kind job={job} /> },
    { name: "state", title: "State", cell: (job) => <Status state={job.state} /> },
    { name: "progress", title: "Progress", cell: (job) => <JobBar job={job} /> },
    { name: "filter", title: "Letters", cell: (job) => <What job={job} /> },
    { name: "created", title: "Begun", cell: (job) => <Time at={job.created} /> },
    { name: "acts", title: "", head: "Actions", cell: (job) => <CancelJob job={job} onDone={reload} /> },
];

function Filter({ query, change }) {
    return (
        <form class="filters" role="search" aria-label="Filter jobs" onSubmit={(event) => event.preventDefault()}>
            <Field label="State">
                <select value={query.state ?? ""} onChange={(event) => change({ state: event.currentTarget.value })}>
                    <option value="">any</option>
                    {STATES.map((state) => <option key={state} value={state}>{state}</option>)}
                </select>
            </Field>
            {query.stream && (
                <button type="button" class="letter-chip" aria-label={`Stream ${query.stream}: show others too`}
                    onClick={() => change({ stream: undefined })}>{query.stream} <span aria-hidden="true">✕</span></button>
            )}
        </form>
    );
}

export function JobsPage() {
    const { path, query } = useRoute();
    const asked = { stream: query.stream, state: query.state, after: query.after, limit: 50 };
    const { data, error, loading, stale, reload } = usePoll((signal) => get("/v1/jobs", { query: asked, signal }), EVERY,
        [JSON.stringify(asked)]);
    const change = (more) => go(path, { query: { ...query, after: undefined, ...more }, replace: true });
    const empty = <Empty title={query.state || query.stream ? "No such job." : "There are no jobs."}
        hint="A redrive or discard of many dead letters is a job. It is listed until a week after its end." />;

    return (
        <Page title="Jobs" crumbs={[{ title: "Dead letters", to: "/letters" }]}>
            <Filter query={query} change={change} />
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching jobs" />}
            {data && (
                <Table label="Jobs" columns={columns(reload)} rows={data.body.items} keyOf={(job) => job.id}
                    linkOf={(job) => pathOf`/jobs/${job.id}`} empty={empty} />
            )}
            {data && <Pages next={data.body.next} />}
        </Page>
    );
}
