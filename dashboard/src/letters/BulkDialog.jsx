import { useEffect, useRef, useState } from "preact/hooks";
import { post } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { duration } from "../kit/time.js";
import { Action } from "../parts/Action.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { words } from "./filter.jsx";
import { JobProgress } from "./JobProgress.jsx";

const PAUSE = 400;
const VERB = { redrive: "Redrive", discard: "Discard" };
const letters = (n) => (n === 1 ? "1 letter" : `${count(n)} letters`);

/* What the fields say, as the API takes it; wrong: a sentence for each field that cannot be meant. */
function read({ limit, rate, reason }) {
    const wrong = {
        limit: limit && !/^[1-9][0-9]{0,8}$/.test(limit) ? "A whole number from 1" : undefined,
        rate: rate && !(Number(rate) >= 0.001 && Number(rate) <= 100000) ? "A number from 0.001 to 100,000" : undefined,
    };

    return { wrong: wrong.limit || wrong.rate ? wrong : null, fields: wrong, body: {
        ...(limit && !wrong.limit ? { limit: Number(limit) } : {}),
        ...(rate && !wrong.rate ? { rate_per_second: Number(rate) } : {}),
        ...(reason.trim() ? { reason: reason.trim() } : {}),
    } };
}

/* What the job would do, asked whenever the limit changes. */
function useDryRun(target, filter, limit) {
    const [settled, setSettled] = useState(limit);

    useEffect(() => {
        const timer = setTimeout(() => setSettled(limit), limit === settled ? 0 : PAUSE);
        return () => clearTimeout(timer);
    }, [limit]);
    const asked = usePoll((signal) => post(target, { filter, ...(settled ? { limit: settled } : {}), dry_run: true }, { signal }), 0,
        [target, JSON.stringify(filter), settled]);
    return { ...asked, found: settled === limit ? asked.data?.body : undefined };
}

function Found({ found, kind }) {
    const { matched, failing_schema: failing, checked } = found;

    return (
        <div class="letter-found" role="status">
            <p><b>{matched ? letters(matched) : "No parked letter"}</b> {matched === 1 ? "matches" : "match"}.</p>
            {kind === "redrive" && failing > 0 && (
                <p class="tone-warn">{failing === 1 ? "One of them does" : `${count(failing)} of them do`} not conform to the schema as it is now: repaired first, they will not die again.</p>
            )}
            {checked !== undefined && <p class="muted">Only the {count(checked)} oldest were checked against their schema.</p>}
        </div>
    );
}

function Job({ job, onClose }) {
    const heading = useRef(null);

    useEffect(() => heading.current?.focus(), []);
    return (
        <>
            <h3 ref={heading} tabIndex={-1}>The job goes on by itself</h3>
            <JobProgress id={job.id} first={job} />
            <footer class="dialog-foot"><button type="button" class="primary" onClick={onClose}>Close</button></footer>
        </>
    );
}

function Fields({ form, change, fields, kind, stream }) {
    const input = (name, more) => <input value={form[name]} onInput={(event) => change({ [name]: event.currentTarget.value })} {...more} />;

    return (
        <>
            <div class="letter-bulk-fields">
                <Field label="Limit" hint="The oldest ones. Empty: all." error={fields.limit}>{input("limit", { inputMode: "numeric", "data-first": true })}</Field>
                <Field label="Letters a second" hint="Empty: as fast as it goes." error={fields.rate}>{input("rate", { inputMode: "decimal" })}</Field>
            </div>
            <Field label="Reason" hint="Kept with the job, its letters and the audit log.">{input("reason", { maxLength: 500 })}</Field>
            {kind === "discard" && <Field label={`Type ${stream} to confirm`}>{input("typed", { autocomplete: "off", spellcheck: false })}</Field>}
        </>
    );
}

/* Redrive or discard of all parked letters that a filter means: dry run, then a job. path: of the stream's queue. */
export function BulkDialog({ kind, path, stream, filter, onClose }) {
    const [form, setForm] = useState({ limit: "", rate: "", reason: "", typed: "" });
    const [job, setJob] = useState(null);
    const target = `${path}/${kind}`;
    const { wrong, fields, body } = read(form);
    const { found, error, reload } = useDryRun(target, filter, body.limit);
    const why = wrong ? "Something in the form is wrong" : !found ? "It is being counted" : !found.matched ? "No letter matches" :
        kind === "discard" && form.typed !== stream ? `Type ${stream} first` : undefined;

    return (
        <Dialog title={`${VERB[kind]} many letters`} onClose={onClose}>
            {job ? <Job job={job} onClose={onClose} /> : (
                <>
                    <p>Of <b>{stream}</b>: {words(filter)}.</p>
                    <Fault error={error} retry={reload} />
                    {found ? <Found found={found} kind={kind} /> : !error && <Loading what="Counting" />}
                    <Fields form={form} change={(more) => setForm({ ...form, ...more })} fields={fields} kind={kind} stream={stream} />
                    {found && body.rate_per_second && <p class="muted">Takes {duration((found.matched / body.rate_per_second) * 1000)} or more.</p>}
                    <footer class="dialog-foot">
                        <button type="button" onClick={onClose}>Cancel</button>
                        <Action label={found?.matched ? `${VERB[kind]} ${letters(found.matched)}` : VERB[kind]} tone={kind === "discard" ? "danger" : "primary"}
                            call={() => ({ method: "POST", path: target, body: { filter, ...body } })} disabledWhy={why}
                            onDone={(answer) => setJob(answer.body)} />
                    </footer>
                </>
            )}
        </Dialog>
    );
}
