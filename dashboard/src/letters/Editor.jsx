import { useEffect, useMemo, useState } from "preact/hooks";
import { get, path as pathOf, patch as sendPatch } from "../kit/api.js";
import { check, pretty } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { Action } from "../parts/Action.jsx";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { patchOf } from "./patch.js";

const TYPE = "application/json-patch+json";
const PAUSE = 400;                  /* after typing, before it is compared and tried */
const drafts = new Map();           /* path: {base, text}, so that a look at another page loses nothing */

function useDraft(path, text) {
    const [draft, setDraft] = useState(() => drafts.get(path) ?? { base: text, text: pretty(text) });
    const keep = (next) => {
        drafts.set(path, next);
        setDraft(next);
    };
    const dirty = draft.text !== pretty(draft.base);

    useEffect(() => {
        const stay = (event) => dirty && event.preventDefault();
        addEventListener("beforeunload", stay);
        return () => removeEventListener("beforeunload", stay);
    }, [dirty]);
    return { ...draft, dirty, edit: (typed) => keep({ ...draft, text: typed }), begin: () => keep({ base: text, text: pretty(text) }),
        forget: () => drafts.delete(path) };
}

/* The value once it has stayed the same for a while. */
function useSettled(value) {
    const [settled, setSettled] = useState(value);

    useEffect(() => {
        const timer = setTimeout(() => setSettled(value), PAUSE);
        return () => clearTimeout(timer);
    }, [value]);
    return settled;
}

/* What the gateway would answer to this patch: null (nothing was asked), "trying", "good", or a Problem. */
function useTrial(path, made) {
    const [answer, setAnswer] = useState(null);

    useEffect(() => {
        const asked = new AbortController();
        setAnswer(made ? "trying" : null);
        if (made) {
            sendPatch(path, made.patch, { query: { dry_run: true }, type: TYPE, signal: asked.signal })
                .then(() => "good", (error) => error)
                .then((said) => asked.signal.aborted || setAnswer(said));
        }
        return () => asked.abort();
    }, [path, made]);
    return answer;
}

function Verdict({ answer, validation }) {
    if (answer === null) {
        return null;
    }
    if (answer === "trying") {
        return <p class="muted">Asking the gateway whether it would take this…</p>;
    }
    if (answer !== "good") {
        return <Fault error={answer} />;
    }
    return validation === "enforce" ? <p><Badge tone="good">fits</Badge> The gateway would take this: it conforms to its schema.</p> :
        <p><Badge tone="good">valid</Badge> The gateway would take this.{validation && ` The stream does not enforce schemas (schema_validation: ${validation}).`}</p>;
}

function changesOf(made, settled, draft) {
    if (made) {
        return made.changes === 1 ? "One change. All other bytes stay as they are." : `${made.changes} changes. All other bytes stay as they are.`;
    }
    return check(settled) ? "" : draft.dirty ? "Only spaces or the order of members differ: there is nothing to save." : "Nothing is changed yet.";
}

function whyNot({ wrong, waits, made, answer }) {
    if (wrong) {
        return "This is no JSON yet";
    }
    if (waits || answer === "trying") {
        return "It is being checked";
    }
    if (!made) {
        return "Nothing is changed";
    }
    return answer && answer !== "good" && answer.status === 422 ? "The gateway would refuse it" : undefined;
}

function Compared({ base, original, settled }) {
    const [first, setFirst] = useState(false);
    const repaired = original !== undefined && original !== base;

    return (
        <>
            {repaired && (
                <Field label="Compare with the first original" inline>
                    <input type="checkbox" checked={first} onChange={(event) => setFirst(event.currentTarget.checked)} />
                </Field>
            )}
            <Diff before={first && repaired ? original : base} after={settled} labels={[first && repaired ? "Original" : "Now", "After the repair"]} />
        </>
    );
}

/* The event's data as text. What is saved is a JSON Patch of what was changed, tried before by the gateway itself. */
export function Editor({ path, stream, text, original, onDone, onClose }) {
    const draft = useDraft(path, text);
    const settled = useSettled(draft.text);
    const wrong = check(draft.text);
    const made = useMemo(() => (check(settled) ? null : patchOf(draft.base, settled)), [draft.base, settled]);
    const answer = useTrial(path, made);
    const validation = usePoll((signal) => get(pathOf`/v1/streams/${stream}`, { signal }), 0, [stream]).data?.body.schema_validation;
    const close = (then) => () => {
        draft.forget();
        then();
    };

    return (
        <Card title="Repair the data" class="letter-card">
            {text !== draft.base && (
                <p class="notice">The letter was changed since you began. <button type="button" onClick={draft.begin}>Begin with what it is now</button></p>
            )}
            <JsonEditor label="Data of the event" value={draft.text} onChange={draft.edit} rows={Math.min(24, Math.max(8, draft.text.split("\n").length + 1))} />
            <p class="muted">{changesOf(made, settled, draft)}</p>
            <Verdict answer={wrong ? null : answer} validation={validation} />
            {made && <Compared base={draft.base} original={original} settled={settled} />}
            <footer class="letter-foot">
                <Action label="Save the repair" tone="primary" said="Repaired: redrive it now" onDone={close(onDone)}
                    call={() => made && { method: "PATCH", path, body: made.patch, type: TYPE }}
                    disabledWhy={whyNot({ wrong, waits: settled !== draft.text, made, answer })} />
                <button type="button" disabled={!draft.dirty} onClick={draft.begin}>Undo all</button>
                <button type="button" class="quiet" onClick={close(onClose)}>Close</button>
            </footer>
        </Card>
    );
}
