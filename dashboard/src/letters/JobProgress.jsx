import { useRef } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Action } from "../parts/Action.jsx";
import { Progress } from "../parts/Progress.jsx";
import { Status } from "../parts/Status.jsx";

const EVERY = 2000;
const DONE = { redrive: "redriven", discard: "discarded" };
const TONES = { failed: "bad", cancelled: "warn", done: "good" };

/* A job as it is now; one that has ended is not asked for again. */
export function useJob(id) {
    const last = useRef(null);

    return usePoll(async (signal) => {
        if (last.current?.id !== id || last.current.state === "running") {
            last.current = (await get(pathOf`/v1/jobs/${id}`, { signal })).body;
        }
        return last.current;
    }, EVERY, [id]);
}

/* How far it is, as a bar and in words. */
export function JobBar({ job }) {
    return (
        <div class="letter-progress">
            {job.matched > 0 && (
                <Progress value={job.done + job.failed} max={job.matched} tone={TONES[job.state]}
                    label={`Letters ${DONE[job.kind]} by this job`} />
            )}
            <p class="muted">
                {count(job.done)} of {count(job.matched)} {DONE[job.kind]}
                {job.failed > 0 && `, ${count(job.failed)} passed over: no longer parked, or their group is gone`}
            </p>
        </div>
    );
}

export function CancelJob({ job, label = "Cancel", onDone }) {
    const call = { method: "DELETE", path: pathOf`/v1/jobs/${job.id}` };

    return job.state === "running" ?
        <Action label={label} call={call} onDone={onDone} said="Cancelled: what was done stays" /> : null;
}

export function JobProgress({ job, reload, children }) {
    return (
        <div class="letter-job">
            <JobBar job={job} />
            {job.error && <p class="letter-bad">{job.error}</p>}
            <div class="letter-foot">
                <span role="status"><Status state={job.state} /></span>
                <CancelJob job={job} label="Cancel the job" onDone={reload} />
                {children}
            </div>
        </div>
    );
}
