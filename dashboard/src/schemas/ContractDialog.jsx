import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check, pretty } from "../kit/json.js";
import { go } from "../kit/route.js";
import { Action, movedOn } from "../parts/Action.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { toast } from "../parts/Toasts.jsx";
import { sentOf, typeOf } from "./load.js";

const NAME = /^[a-z0-9][a-z0-9._-]{0,119}$/;
const LATEST = "-1";

/* A read as PUT takes it. What was taken from a version is taken from it again: versions do not change. */
export function inputOf(read) {
    return read.version
        ? { subject: read.subject, schema: read.version }
        : {
              subject: read.subject,
              schema: read.schema,
              schemaType: typeOf(read),
              ...(read.references && { references: read.references }),
          };
}

const fieldsOf = (read) => ({
    subject: read.subject,
    from: read.version ? "version" : "text",
    version: String(read.version ?? LATEST),
    type: typeOf(read),
    schema: pretty(read.schema),
    original: read.schema,
    references: read.references ? JSON.stringify(read.references) : "",
});
const ONE = { subject: "", from: "version", version: LATEST, type: "JSON", schema: '{"type":"object"}', references: "" };

function bodyOf({ subject, from, version, type, schema, original, references }) {
    return from === "version"
        ? { subject, schema: Number(version) }
        : {
              subject,
              schema: sentOf(schema, original),
              schemaType: type,
              ...(references.trim() && { references: JSON.parse(references) }),
          };
}

function wrong({ subject, from, version, schema, references }) {
    return (
        !subject ||
        (from === "version" ? !/^(-1|[1-9]\d*)$/.test(version) : check(schema) || (references.trim() && check(references)))
    );
}

/* Another one of this name is not replaced unseen. */
async function taken(consumer) {
    const { body } = await api.get("/registry/contracts", { query: { limit: 1000 } });
    const found = body.some((one) => one.consumer === consumer);
    if (found) {
        toast(`${consumer} has a contract already: open it, and edit that one.`, "warn");
    }
    return found;
}

/* Makes a contract, or replaces the one that was opened. */
export function ContractDialog({ contract, onClose, onDone }) {
    const [opened] = useState(contract);
    const [consumer, setConsumer] = useState(contract?.consumer ?? "");
    const [enforced, setEnforced] = useState(contract?.enforced ?? false);
    const [reads, setReads] = useState(() => contract?.reads.map(fieldsOf) ?? [ONE]);
    const set = (i, more) => setReads(reads.map((one, j) => (i === j ? { ...one, ...more } : one)));
    const path = api.path`/registry/contracts/${consumer}`;
    const why =
        !NAME.test(consumer) || consumer === "matrix"
            ? "Give the consumer's name: a-z 0-9 . _ -"
            : reads.some(wrong)
              ? "Not all that it reads is said"
              : undefined;
    return (
        <Dialog title={contract ? `Contract of ${consumer}` : "New contract"} onClose={onClose} wide>
            {!contract && (
                <Field label="Consumer" hint="As of consumer groups.">
                    <input
                        data-first
                        value={consumer}
                        autocomplete="off"
                        spellcheck={false}
                        onInput={(event) => setConsumer(event.currentTarget.value)}
                    />
                </Field>
            )}
            <Field label="Enforced: versions that it could not read are refused" inline>
                <input type="checkbox" checked={enforced} onChange={(event) => setEnforced(event.currentTarget.checked)} />
            </Field>
            {reads.map((read, i) => (
                <Read
                    key={i}
                    number={i + 1}
                    read={read}
                    set={(more) => set(i, more)}
                    onRemove={reads.length > 1 ? () => setReads(reads.filter((_, j) => j !== i)) : null}
                />
            ))}
            <footer class="dialog-foot">
                <button type="button" onClick={() => setReads([...reads, ONE])}>
                    It reads one more
                </button>
                <Action
                    label={contract ? "Replace contract" : "Make contract"}
                    tone="primary"
                    disabledWhy={why}
                    unless={opened ? movedOn(path, opened, JSON.stringify, onDone) : () => taken(consumer)}
                    said="The contract holds"
                    call={() =>
                        why
                            ? null
                            : {
                                  method: "PUT",
                                  path,
                                  body: { reads: reads.map(bodyOf), enforced },
                              }
                    }
                    onDone={() => {
                        onClose();
                        onDone?.();
                        go(api.path`/contracts/${consumer}`);
                    }}
                />
            </footer>
        </Dialog>
    );
}

function Read({ number, read, set, onRemove }) {
    return (
        <fieldset class="read">
            <legend>Reads, {number}</legend>
            <div class="field-grid">
                <Field label="Subject">
                    <input
                        value={read.subject}
                        autocomplete="off"
                        spellcheck={false}
                        onInput={(event) => set({ subject: event.currentTarget.value })}
                    />
                </Field>
                <Field label="With the schema of">
                    <select value={read.from} onChange={(event) => set({ from: event.currentTarget.value })}>
                        <option value="version">a version</option>
                        <option value="text">a text of its own</option>
                    </select>
                </Field>
                {read.from === "version" && (
                    <Field label="Version" hint="-1: the latest, as of now">
                        <input
                            inputMode="numeric"
                            value={read.version}
                            onInput={(event) => set({ version: event.currentTarget.value })}
                        />
                    </Field>
                )}
                {read.from === "text" && (
                    <Field label="Type">
                        <select value={read.type} onChange={(event) => set({ type: event.currentTarget.value })}>
                            <option value="JSON">JSON Schema</option>
                            <option value="AVRO">Avro</option>
                        </select>
                    </Field>
                )}
            </div>
            {read.from === "text" && (
                <JsonEditor label="Schema" rows={6} value={read.schema} onChange={(schema) => set({ schema })} />
            )}
            {read.from === "text" && (
                <JsonEditor
                    label="References"
                    optional
                    rows={2}
                    value={read.references}
                    onChange={(references) => set({ references })}
                />
            )}
            {onRemove && (
                <button type="button" onClick={onRemove}>
                    Remove
                </button>
            )}
        </fieldset>
    );
}
