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
import { useDraft } from "./draft.js";
import { patchOf } from "./patch.js";

const TYPE = "application/json-patch+json";
const PAUSE = 400;                  /* after typing, before it is compared and tried */

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
    return (
        <p role="status">
            <Badge tone="good">valid</Badge> The gateway would take this
            {validation === "enforce" ? ": it conforms to its schema." : "."}
            {validation && validation !== "enforce" && ` The stream does not enforce schemas (schema_validation: ${validation}).`}
        </p>
    );
}

function changesOf(made, settled, dirty) {
    if (made) {
        return `${made.changes === 1 ? "One change" : `${made.changes} changes`}. All other bytes stay as they are.`;
    }
    if (check(settled)) {
        return "";
    }
    return dirty ? "Only spaces or the order of members differ: there is nothing to save." : "Nothing is changed yet.";
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
    return answer?.status === 422 ? "The gateway would refuse it" : undefined;
}

function Compared({ base, original, settled }) {
    const [first, setFirst] = useState(false);
    const repaired = original !== undefined && original !== base;
    const [before, label] = first && repaired ? [original, "Original"] : [base, "Now"];

    return (
        <>
            {repaired && (
                <Field label="Compare with the first original" inline>
                    <input type="checkbox" checked={first} onChange={(event) => setFirst(event.currentTarget.checked)} />
                </Field>
            )}
            <Diff before={before} after={settled} labels={[label, "After the repair"]} />
        </>
    );
}

const Changed = ({ begin }) => (
    <p class="letter-changed" role="status">
        Somebody repaired the letter since you began. <button type="button" onClick={begin}>Begin with what it is now</button>
    </p>
);

/* The event's data as text. What is saved is a JSON Patch of what was changed, tried before by the gateway itself.
 * onDirty(true): there is something that is not saved. */
export function Editor({ path, stream, text, original, onDone, onClose, onDirty }) {
    const draft = useDraft(path, text);
    const settled = useSettled(draft.text);
    const wrong = check(draft.text);
    const made = useMemo(() => (check(settled) ? null : patchOf(draft.base, settled)), [draft.base, settled]);
    const answer = useTrial(path, made);
    const settings = usePoll((signal) => get(pathOf`/v1/streams/${stream}`, { signal }), 0, [stream]).data?.body;
    const rows = Math.min(24, Math.max(8, draft.text.split("\n").length + 1));
    const leave = (then) => () => {
        draft.forget();
        then();
    };

    useEffect(() => {
        onDirty(draft.dirty);
        return () => onDirty(false);
    }, [draft.dirty]);
    return (
        <Card title="Repair the data" class="letter-card">
            {text !== draft.base && <Changed begin={draft.begin} />}
            <JsonEditor label="Data of the event" value={draft.text} onChange={draft.edit} rows={rows} />
            <p class="muted">{changesOf(made, settled, draft.dirty)}</p>
            <Verdict answer={wrong ? null : answer} validation={settings?.schema_validation} />
            {made && <Compared base={draft.base} original={original} settled={settled} />}
            <footer class="letter-foot">
                <Action label="Save the repair" tone="primary" said="Repaired: redrive it now" onDone={leave(onDone)}
                    call={() => made && { method: "PATCH", path, body: made.patch, type: TYPE }}
                    disabledWhy={whyNot({ wrong, waits: settled !== draft.text, made, answer })} />
                <button type="button" disabled={!draft.dirty} onClick={draft.begin}>Undo all</button>
                <button type="button" class="quiet" onClick={leave(onClose)}>Close</button>
            </footer>
        </Card>
    );
}
