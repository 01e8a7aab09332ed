import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { go } from "../kit/route.js";
import { may } from "../kit/rights.js";
import { Action } from "../parts/Action.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Field } from "../parts/Field.jsx";
import { Fault } from "../parts/Fault.jsx";
import { bodyOf, DEFAULTS, formOf, patchOf, wrongOf } from "./settings.js";

/* Creates a stream, or with `stream` changes its settings. */
export function StreamForm({ stream, onClose, onDone }) {
    const [name, setName] = useState(stream?.name ?? "");
    const [form, setForm] = useState(stream ? formOf(stream) : DEFAULTS);
    const set = (field) => ({ currentTarget: input }) =>
        setForm({ ...form, [field]: input.type === "checkbox" ? input.checked : input.value });
    const wrong = wrongOf(form, name, !stream);
    const [before] = useState(stream);         // what others change meanwhile is not changed back
    const patch = stream && patchOf(before, form);
    const done = (answer) => {
        onClose();
        onDone?.(answer.body);
        if (!stream) {
            go(api.path`/streams/${name}`);
        }
    };

    return (
        <Dialog title={stream ? `Settings of ${stream.name}` : "Create a stream"} onClose={onClose} wide>
            {!stream && (
                <Field label="Name" hint="For example orders or payments.eu. It cannot be changed later."
                    error={name && wrong.name}>
                    <input data-first value={name} autocomplete="off" spellcheck={false}
                        onInput={(event) => setName(event.currentTarget.value.trim())} />
                </Field>
            )}
            <Main form={form} set={set} wrong={wrong} fixed={Boolean(stream)} />
            <details class="more-fields">
                <summary>Schemas, deduplication, labels</summary>
                <More form={form} set={set} />
            </details>
            <footer class="dialog-foot">
                <button type="button" onClick={onClose}>Cancel</button>
                {stream ? <Change stream={stream} patch={patch} done={done} /> :
                    <Create name={name} form={form} wrong={wrong} done={done} />}
            </footer>
        </Dialog>
    );
}

function Change({ stream, patch, done }) {
    return <Action label="Save" tone="primary" said={`${stream.name} was changed`} onDone={done}
        disabledWhy={Object.keys(patch).length ? undefined : "Nothing was changed"}
        call={{ method: "PATCH", path: api.path`/v1/streams/${stream.name}`, body: patch,
            type: "application/merge-patch+json" }} />;
}

/* PUT would replace the settings of a stream that is there already: so it is asked for first. */
function Create({ name, form, wrong, done }) {
    const [exists, setExists] = useState(null);
    const forbidden = may("manage", name) ? undefined : "The token may not manage a stream of this name";
    const why = name ? wrong.name ?? wrong.partitions ?? forbidden : "Give it a name";
    const call = { method: "PUT", path: api.path`/v1/streams/${name}`, body: bodyOf(form) };

    return (
        <>
            {exists === name && <Fault error={{ title: `${name} exists already`, name: "Problem",
                detail: "Choose another name, or change its settings on its page." }} />}
            <Action label="Create" tone="primary" said={`${name} was created`} call={call} onDone={done} disabledWhy={why}
                unless={async () => {
                    const there = await isThere(name);
                    setExists(there ? name : null);
                    return there;
                }} />
        </>
    );
}

async function isThere(name) {
    try {
        await api.get(api.path`/v1/streams/${name}`);
        return true;
    } catch (problem) {
        if (problem.status === 404) {
            return false;
        }
        throw problem;
    }
}

function Main({ form, set, wrong, fixed }) {
    return (
        <div class="form-grid">
            <Field label="Partitions" error={wrong.partitions} hint={fixed ? "Fixed once the stream exists." :
                "1 to 64, fixed afterwards. Events of one subject keep their order within theirs."}>
                <input type="number" min={1} max={64} value={form.partitions} disabled={fixed} onInput={set("partitions")} />
            </Field>
            <Field label="Kept for" hint="forever, or a time such as 7d, 12h. Older events are removed.">
                <input value={form.retention} spellcheck={false} onInput={set("retention")} />
            </Field>
            <Field label="Description">
                <input value={form.description} onInput={set("description")} />
            </Field>
        </div>
    );
}

function More({ form, set }) {
    return (
        <div class="form-grid">
            <Field label="Schema validation"
                hint="enforce refuses events that break the schema of their type; warn marks them with schemaerror.">
                <select value={form.schema_validation} onChange={set("schema_validation")}>
                    {["off", "warn", "enforce"].map((value) => <option key={value} value={value}>{value}</option>)}
                </select>
            </Field>
            <Field label="Schema subject" hint="In braces: {stream} and {type}.">
                <input value={form.subject_template} spellcheck={false} onInput={set("subject_template")} />
            </Field>
            <Field label="Deduplication window" hint="How long ids are remembered, at most 30d.">
                <input value={form.dedup_window} spellcheck={false} onInput={set("dedup_window")} />
            </Field>
            <Field label="Labels" hint="One name=value a line.">
                <textarea rows={3} value={form.labels} spellcheck={false} onInput={set("labels")} />
            </Field>
            <Field label="Types without a schema pass while schemas are enforced" inline>
                <input type="checkbox" checked={form.allow_unknown_types} onChange={set("allow_unknown_types")} />
            </Field>
            <Field label="Index events by subject (event sourcing reads)" inline>
                <input type="checkbox" checked={form.subject_reads} onChange={set("subject_reads")} />
            </Field>
        </div>
    );
}
