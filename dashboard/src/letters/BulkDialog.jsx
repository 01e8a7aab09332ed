import { useEffect, useRef, useState } from "preact/hooks";
import { path as pathOf, post } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { duration } from "../kit/time.js";
import { Action } from "../parts/Action.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { words } from "./filter.jsx";
import { JobProgress, useJob } from "./JobProgress.jsx";

const PAUSE = 400;                  /* after typing, before it is counted again */
const VERB = { redrive: "Redrive", discard: "Discard" };
const TONE = { redrive: "primary", discard: "danger" };
const EMPTY = { limit: "", rate: "", reason: "", typed: "" };
const letters = (n) => (n === 1 ? "1 letter" : `${count(n)} letters`);

/* What the fields say, as the API takes it; wrong: a sentence for each field that cannot be meant. */
function read({ limit, rate, reason }) {
    const wrong = {
        limit: limit && !/^[1-9][0-9]{0,8}$/.test(limit) ? "A whole number from 1" : undefined,
        rate: rate && !(Number(rate) >= 0.001 && Number(rate) <= 100000) ? "A number from 0.001 to 100,000" : undefined,
    };

    return { wrong, body: {
        ...(limit && !wrong.limit ? { limit: Number(limit) } : {}),
        ...(rate && !wrong.rate ? { rate_per_second: Number(rate) } : {}),
        ...(reason.trim() ? { reason: reason.trim() } : {}),
    } };
}

/* What the job would do, asked again whenever the limit changes. */
function useDryRun(target, filter, limit) {
    const [settled, setSettled] = useState(limit);

    useEffect(() => {
        const timer = setTimeout(() => setSettled(limit), limit === settled ? 0 : PAUSE);
        return () => clearTimeout(timer);
    }, [limit]);
    const ask = (signal) => post(target, { filter, ...(settled ? { limit: settled } : {}), dry_run: true }, { signal });
    const asked = usePoll(ask, 0, [target, JSON.stringify(filter), settled]);

    return { ...asked, found: settled === limit ? asked.data?.body : undefined };
}

function Found({ found, kind }) {
    const { matched, failing_schema: failing, checked } = found;

    return (
        <div class="letter-found" role="status">
            <p><b>{matched ? letters(matched) : "No parked letter"}</b> {matched > 1 ? "match" : "matches"}.</p>
            {kind === "redrive" && failing > 0 && (
                <p class="letter-warn">
                    {failing === 1 ? "One of them does" : `${count(failing)} of them do`} not conform to the schema as it is now.
                    Repair them first, or they may die again.
                </p>
            )}
            {checked !== undefined && <p class="muted">Only the {count(checked)} oldest were checked against their schema.</p>}
        </div>
    );
}

function Fields({ form, change, wrong, kind, stream }) {
    const input = (name, more) => (
        <input value={form[name]} autocomplete="off" {...more}
            onInput={(event) => change({ [name]: event.currentTarget.value })} />
    );

    return (
        <>
            <div class="letter-bulk-fields">
                <Field label="Limit" hint="The oldest ones. Empty: all." error={wrong.limit}>
                    {input("limit", { inputMode: "numeric", "data-first": true })}
                </Field>
                <Field label="Letters a second" hint="Empty: as fast as it goes." error={wrong.rate}>
                    {input("rate", { inputMode: "decimal" })}
                </Field>
            </div>
            <Field label="Reason" hint="Kept with the job, its letters and the audit log.">
                {input("reason", { maxLength: 500 })}
            </Field>
            {kind === "discard" && <Field label={`Type ${stream} to confirm`}>{input("typed", { spellcheck: false })}</Field>}
        </>
    );
}

function whyNot({ wrong, found, kind, form, stream }) {
    if (wrong.limit || wrong.rate) {
        return "Something in the form is wrong";
    }
    if (!found) {
        return "It is being counted";
    }
    if (!found.matched) {
        return "No letter matches";
    }
    return kind === "discard" && form.typed !== stream ? `Type ${stream} first` : undefined;
}

function Ask({ kind, path, stream, filter, onClose, onMade }) {
    const [form, setForm] = useState(EMPTY);
    const { wrong, body } = read(form);
    const target = `${path}/${kind}`;
    const { found, error, reload } = useDryRun(target, filter, body.limit);
    const seconds = found && body.rate_per_second && found.matched / body.rate_per_second;

    return (
        <>
            <p>Of <b>{stream}</b>: {words(filter)}.</p>
            <Fault error={error} retry={reload} />
            {found ? <Found found={found} kind={kind} /> : !error && <Loading what="Counting" />}
            <Fields {...{ form, wrong, kind, stream }} change={(more) => setForm({ ...form, ...more })} />
            {seconds > 0 && <p class="muted">Takes {duration(seconds * 1000)} or more.</p>}
            <footer class="dialog-foot">
                <button type="button" onClick={onClose}>Cancel</button>
                <Action label={found?.matched ? `${VERB[kind]} ${letters(found.matched)}` : VERB[kind]} tone={TONE[kind]}
                    call={() => ({ method: "POST", path: target, body: { filter, ...body } })}
                    disabledWhy={whyNot({ wrong, found, kind, form, stream })} onDone={(answer) => onMade(answer.body)} />
            </footer>
        </>
    );
}

function Made({ first, onClose }) {
    const heading = useRef(null);
    const { data, error, stale, reload } = useJob(first.id);

    useEffect(() => heading.current?.focus(), []);
    return (
        <>
            <h3 ref={heading} tabIndex={-1}>The job goes on by itself, also when this is closed</h3>
            <Fault error={error} retry={reload} quiet={stale} />
            <JobProgress job={data ?? first} reload={reload}>
                <Link to={pathOf`/jobs/${first.id}`}>Open the job</Link>
            </JobProgress>
            <footer class="dialog-foot"><button type="button" class="primary" onClick={onClose}>Done</button></footer>
        </>
    );
}

/* Redrive or discard of all parked letters that a filter means: dry run, then a job. path: of the stream's queue. */
export function BulkDialog({ onClose, ...what }) {
    const [job, setJob] = useState(null);

    return (
        <Dialog title={`${VERB[what.kind]} many letters`} onClose={onClose}>
            {job ? <Made first={job} onClose={onClose} /> : <Ask {...what} onClose={onClose} onMade={setJob} />}
        </Dialog>
    );
}
