import { useEffect, useRef } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Progress } from "../parts/Progress.jsx";
import { Status } from "../parts/Status.jsx";

const EVERY = 2000;
const DONE = { redrive: "redriven", discard: "discarded" };

/* A job as it is now; one that has ended is not asked for again. */
export function useJob(id, first) {
    const last = useRef(null);

    return usePoll(async (signal) => {
        if (last.current?.id !== id || last.current.state === "running") {
            last.current = (await get(pathOf`/v1/jobs/${id}`, { signal })).body;
        }
        return last.current;
    }, EVERY, [id, first?.state]);
}

export const cancelCall = (job) => ({ method: "DELETE", path: pathOf`/v1/jobs/${job.id}` });

export function JobBar({ job }) {
    const tone = job.state === "failed" ? "bad" : job.state === "cancelled" ? "warn" : job.state === "done" ? "good" : undefined;

    return <Progress value={job.done + job.failed} max={job.matched} tone={tone} label={`Letters ${DONE[job.kind]} by this job`} />;
}

export function JobCounts({ job }) {
    return (
        <p class="muted">
            {count(job.done)} of {count(job.matched)} {DONE[job.kind]}
            {job.failed > 0 && `, ${count(job.failed)} passed over: no longer parked, or their group is gone`}
        </p>
    );
}

/* first: the job as it was made. */
export function JobProgress({ id, first, onEnd, linked = true }) {
    const { data, error, stale, reload } = useJob(id, first);
    const job = data ?? first;
    const ended = job && job.state !== "running";

    useEffect(() => {
        if (ended) {
            onEnd?.(job);
        }
    }, [ended]);
    return (
        <div class="letter-job">
            <Fault error={error} retry={reload} quiet={stale} />
            {job && <JobBar job={job} />}
            {job && <JobCounts job={job} />}
            {job?.error && <p class="tone-bad">{job.error}</p>}
            {job && (
                <p class="letter-foot">
                    <span role="status"><Status state={job.state} /></span>
                    {!ended && <Action label="Cancel the job" call={() => cancelCall(job)} onDone={reload} said="Cancelled: what was done stays" />}
                    {linked && <Link to={pathOf`/jobs/${job.id}`}>Open the job</Link>}
                </p>
            )}
        </div>
    );
}
