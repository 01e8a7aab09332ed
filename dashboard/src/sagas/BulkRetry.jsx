import { useEffect, useRef, useState } from "preact/hooks";
import { api, curlOf } from "../kit/api.js";
import { count } from "../kit/format.js";
import { Copy } from "../parts/Copy.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Progress } from "../parts/Progress.jsx";
import { Comment } from "./Acts.jsx";

const AT_ONCE = 100,
    LOOK = 1000,
    NAMED = 10;

/* Retries what is paused and fits the filter. The API does some at a time: it is called until nothing new fits. */
export function BulkRetry({ saga, filter, paused, onDone }) {
    const [open, setOpen] = useState(false);
    const other =
        filter.state && filter.state !== "paused"
            ? `The filter shows what is ${filter.state}; what is paused can be retried`
            : undefined;
    return (
        <>
            <button
                type="button"
                disabled={!paused || Boolean(other)}
                title={other ?? (paused ? undefined : "No instance is paused")}
                onClick={() => setOpen(true)}>
                Retry what is paused…
            </button>
            {open && <Form saga={saga} filter={filter} onDone={onDone} onClose={() => setOpen(false)} />}
        </>
    );
}

function callOf(saga, { state, version, ...filter }, more) {
    return {
        method: "POST",
        path: api.path`/v1/sagas/${saga}/retry`,
        body: { filter: { ...filter, ...(version ? { version: Number(version) } : {}) }, ...more },
    };
}

const send = ({ path, body }, signal) => api.post(path, body, { signal });

function Form({ saga, filter, onDone, onClose }) {
    const [look, setLook] = useState(null),
        [error, setError] = useState(null),
        [comment, setComment] = useState("");
    const run = useRun(saga, filter, comment, onDone);
    useEffect(() => {
        const stop = new AbortController();
        send(callOf(saga, filter, { dry_run: true, limit: LOOK }), stop.signal).then(
            ({ body }) => setLook(body),
            (problem) => problem.name !== "AbortError" && setError(problem),
        );
        return () => stop.abort();
    }, []);
    const begun = run.state !== null;
    const said = Object.entries(filter)
        .filter(([name]) => name !== "state")
        .map(([name, value]) => `${name} ${value}`)
        .join(", ");
    const call = callOf(saga, filter, { limit: AT_ONCE, ...(comment.trim() ? { comment: comment.trim() } : {}) });
    return (
        <Dialog title={`Retry what is paused of ${saga}`} onClose={onClose}>
            <p>
                What each had failed at is tried again, with attempts counted anew, under the same idempotency keys.{" "}
                {said && (
                    <>
                        Filter: <b>{said}</b>.
                    </>
                )}
            </p>
            <Fault error={error} />
            {!look && !error && <Loading what="Looking what fits" />}
            {look && !begun && <Found look={look} />}
            {!begun && <Comment value={comment} onChange={setComment} />}
            {begun && <Done run={run.state} matched={look?.matched} more={look?.more} />}
            <footer class="dialog-foot">
                <Copy text={() => curlOf(call)} label="Copy as curl" />
                {run.state?.busy ? (
                    <button type="button" onClick={run.stop}>
                        Stop
                    </button>
                ) : (
                    <button type="button" onClick={onClose}>
                        {begun ? "Close" : "Cancel"}
                    </button>
                )}
                {!begun && (
                    <button type="button" class="primary" disabled={!look?.matched} onClick={run.start}>
                        {look ? `Retry ${look.more ? "all of them" : count(look.matched)}` : "Retry"}
                    </button>
                )}
            </footer>
        </Dialog>
    );
}

function Found({ look }) {
    if (!look.matched) {
        return <p>Nothing that is paused fits.</p>;
    }
    return (
        <>
            <p>
                <b>{look.more ? `${count(look.matched)} and more` : count(look.matched)}</b>{" "}
                {look.matched === 1 ? "instance fits" : "instances fit"}:
            </p>
            <ul class="saga-ids">
                {look.ids.slice(0, NAMED).map((id) => (
                    <li key={id}>
                        <code>{id}</code>
                    </li>
                ))}
                {look.matched > NAMED && <li class="muted">and {look.more ? "more" : count(look.matched - NAMED)}</li>}
            </ul>
        </>
    );
}

/* One that pauses again at once fits again: each is retried once, and when a call finds none that is new, that was all. */
function useRun(saga, filter, comment, onDone) {
    const [state, setState] = useState(null);
    const stopping = useRef(null);
    useEffect(() => () => stopping.current?.abort(), []);
    const start = async () => {
        const stop = (stopping.current = new AbortController());
        const seen = new Set(),
            total = { retried: 0, refused: [], busy: true, error: null, stopped: false };
        const call = callOf(saga, filter, { limit: AT_ONCE, ...(comment.trim() ? { comment: comment.trim() } : {}) });
        setState({ ...total });
        try {
            for (let more = true; more && !stop.signal.aborted;) {
                const { body } = await send(call, stop.signal);
                const fresh = body.ids.filter((id) => !seen.has(id));
                body.ids.forEach((id) => seen.add(id));
                total.retried += body.retried;
                total.refused.push(...body.refused);
                more = body.more && fresh.length > 0;
                setState({ ...total });
            }
        } catch (error) {
            total.error = error.name === "AbortError" ? null : error;
        }
        setState({ ...total, busy: false, stopped: stop.signal.aborted });
        onDone();
    };
    return { state, start, stop: () => stopping.current?.abort() };
}

function Done({ run, matched, more }) {
    const all = Math.max(1, matched),
        through = run.busy || run.stopped || run.error ? Math.min(all, run.retried + run.refused.length) : all;
    return (
        <>
            <Progress label="Retried" value={through} max={more && run.busy ? 0 : all} />
            <p role="status">
                {run.busy ? "Retrying: " : run.stopped ? "Stopped: " : run.error ? "It broke off: " : "Done: "}
                <b>{count(run.retried)}</b> retried
                {run.refused.length > 0 && (
                    <>
                        , <b>{count(run.refused.length)}</b> refused
                    </>
                )}
                .
            </p>
            <Fault error={run.error} />
            {run.refused.length > 0 && (
                <ul class="saga-ids">
                    {run.refused.slice(0, NAMED).map((one) => (
                        <li key={one.id}>
                            <code>{one.id}</code>: {one.detail}
                        </li>
                    ))}
                </ul>
            )}
        </>
    );
}
