import { path as pathOf } from "../kit/api.js";
import { count, rate } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link, useRoute } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Time } from "../parts/Time.jsx";
import { summaryOf } from "./ask.js";
import { STATES, words } from "./filter.jsx";
import { JobProgress, useJob } from "./JobProgress.jsx";
import "./letters.css";

const EVERY = 3000;
const TITLES = { redrive: "Redrive", discard: "Discard", verify: "Verification" };
const CRUMBS = [{ title: "Dead letters", to: "/letters" }, { title: "Jobs", to: "/jobs" }];

function Facts({ job }) {
    return (
        <Card title="What it does">
            <dl class="letter-facts">
                <dt>stream</dt><dd><Link to={pathOf`/letters/${job.stream}`}>{job.stream}</Link></dd>
                <dt>letters</dt><dd>{words(job.filter)}</dd>
                <dt>limit</dt><dd>{job.limit === null ? "none" : count(job.limit)}</dd>
                <dt>speed</dt><dd>{job.rate_per_second ? rate(job.rate_per_second) : "as fast as it goes"}</dd>
                <dt>reason</dt><dd>{job.reason ?? "–"}</dd>
                <dt>begun</dt><dd><Time at={job.created} both /></dd>
                <dt>last act</dt><dd><Time at={job.updated} both /></dd>
            </dl>
        </Card>
    );
}

/* The API keeps no list of a job's letters: what its filter means, by the state they are in now. */
function Became({ job }) {
    const filter = { ...job.filter, state: undefined };
    const { data, error, stale, reload } = usePoll((signal) => summaryOf(job.stream, filter, signal), EVERY, [job.id]);
    const sum = (state) => data.items.reduce((n, kind) => n + kind.states[state], 0);

    return (
        <Card title="All letters of its filter, as they are now">
            <Fault error={error} retry={reload} quiet={stale} />
            {data && (
                <div class="figures">
                    {STATES.map((state) => (
                        <Figure key={state} label={state} value={count(sum(state))} to={pathOf`/letters/${job.stream}`}
                            query={{ ...filter, tab: "letters", state: state === "parked" ? undefined : state }} />
                    ))}
                </div>
            )}
            {data?.more && <p class="muted">Counted over the 100 most frequent kinds.</p>}
        </Card>
    );
}

export function JobPage() {
    const { id } = useRoute().params;
    const { data: job, error, loading, stale, reload } = useJob(id);
    const verify = job?.kind === "verify";

    return (
        <Page title={job ? `${TITLES[job.kind] ?? job.kind} of ${job.stream ?? job.projection}` : "Job"} crumbs={CRUMBS}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching the job" />}
            {verify && <p>What it found is shown at its <Link to={pathOf`/projections/${job.projection}`}>projection</Link>.</p>}
            {job && !verify && <Card title="Progress"><JobProgress job={job} reload={reload} /></Card>}
            {job && !verify && <Became job={job} />}
            {job && !verify && <Facts job={job} />}
        </Page>
    );
}
