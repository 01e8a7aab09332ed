import { get, path as pathOf } from "../kit/api.js";
import { rate } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { words } from "./filter.jsx";
import { cancelCall, JobBar, JobCounts, JobProgress, useJob } from "./JobProgress.jsx";
import "./letters.css";

const EVERY = 3000;
const STATES = ["running", "done", "cancelled", "failed"];

const columns = (reload) => [
    { name: "kind", title: "Job", cell: (job) => <span class="letter-event"><b>{job.kind}</b><span>{job.stream}</span></span> },
    { name: "state", title: "State", cell: (job) => <Status state={job.state} /> },
    { name: "progress", title: "Progress", cell: (job) => <div class="letter-progress"><JobBar job={job} /><JobCounts job={job} /></div> },
    { name: "filter", title: "Letters", cell: (job) => <span class="letter-error">{words(job.filter)}{job.reason && <small>{job.reason}</small>}</span> },
    { name: "created", title: "Begun", cell: (job) => <Time at={job.created} /> },
    { name: "acts", title: "", head: "Actions", cell: (job) => (job.state === "running" ?
        <Action label="Cancel" call={() => cancelCall(job)} onDone={reload} said="Cancelled: what was done stays" /> : null) },
];

export function JobsPage() {
    const { path, query } = useRoute();
    const asked = { stream: query.stream, state: query.state, after: query.after, limit: 50 };
    const { data, error, loading, stale, reload } = usePoll((signal) => get("/v1/jobs", { query: asked, signal }), EVERY, [JSON.stringify(asked)]);
    const change = (more) => go(path, { query: { ...query, after: undefined, ...more }, replace: true });

    return (
        <Page title="Jobs" crumbs={[{ title: "Dead letters", to: "/letters" }]}>
            <form class="filters" role="search" aria-label="Filter jobs" onSubmit={(event) => event.preventDefault()}>
                <Field label="State">
                    <select value={query.state ?? ""} onChange={(event) => change({ state: event.currentTarget.value || undefined })}>
                        <option value="">any</option>
                        {STATES.map((state) => <option key={state} value={state}>{state}</option>)}
                    </select>
                </Field>
                {query.stream && <button type="button" class="chip" aria-label={`Stream ${query.stream}: show others too`}
                    onClick={() => change({ stream: undefined })}>{query.stream} <span aria-hidden="true">✕</span></button>}
            </form>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching jobs" />}
            {data && (
                <Table label="Jobs" columns={columns(reload)} rows={data.body.items} keyOf={(job) => job.id} linkOf={(job) => pathOf`/jobs/${job.id}`}
                    empty={<Empty title={query.state || query.stream ? "No such job." : "There are no jobs."}
                        hint="A redrive or discard of many dead letters is a job. It is listed until a week after its end." />} />
            )}
            {data && (query.after || data.body.next) && (
                <nav class="letter-pages" aria-label="Pages">
                    {query.after && <Link to={path} query={{ ...query, after: undefined }}>Newest</Link>}
                    {data.body.next && <Link to={path} query={{ ...query, after: data.body.next }}>Older</Link>}
                </nav>
            )}
        </Page>
    );
}

function Facts({ job }) {
    return (
        <dl class="letter-facts">
            <dt>stream</dt><dd><Link to={pathOf`/letters/${job.stream}`}>{job.stream}</Link></dd>
            <dt>letters</dt><dd>{words(job.filter)}</dd>
            <dt>at most</dt><dd>{job.limit ?? "all"}</dd>
            <dt>speed</dt><dd>{job.rate_per_second ? rate(job.rate_per_second) : "as fast as it goes"}</dd>
            <dt>reason</dt><dd>{job.reason ?? "–"}</dd>
            <dt>begun</dt><dd><Time at={job.created} both /></dd>
            <dt>last act</dt><dd><Time at={job.updated} both /></dd>
        </dl>
    );
}

export function JobPage() {
    const { id } = useRoute().params;
    const { data: job, error, loading } = useJob(id);

    return (
        <Page title={job ? `${job.kind === "discard" ? "Discard" : "Redrive"} of ${job.stream ?? ""}` : "Job"} crumbs={[{ title: "Dead letters", to: "/letters" }, { title: "Jobs", to: "/jobs" }]}>
            {loading && <Loading what="Fetching the job" />}
            {!job && <Fault error={error} />}
            {job?.kind === "verify" && <p>This is a verification of the projection <Link to={pathOf`/projections/${job.projection}`}>{job.projection}</Link>.</p>}
            {job && job.kind !== "verify" && (
                <Card title="Progress"><JobProgress id={id} first={job} linked={false} /></Card>
            )}
            {job && job.kind !== "verify" && <Card title="What it does"><Facts job={job} /></Card>}
        </Page>
    );
}
