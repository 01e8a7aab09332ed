import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check } from "../kit/json.js";
import { go } from "../kit/route.js";
import { Dialog } from "../parts/Dialog.jsx";
import { Action } from "../parts/Action.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { sagaPath } from "./SagasPage.jsx";

/* Starts an instance, and goes there. */
export function Start({ saga, startOn }) {
    const [open, setOpen] = useState(false);
    return (
        <>
            <button type="button" class="primary" onClick={() => setOpen(true)}>
                Start an instance…
            </button>
            {open && <Form saga={saga} startOn={startOn} onClose={() => setOpen(false)} />}
        </>
    );
}

function Form({ saga, startOn, onClose }) {
    const [id, setId] = useState(""),
        [input, setInput] = useState("{}");
    const call = () =>
        input.trim() && check(input)
            ? null
            : {
                  method: "POST",
                  path: api.path`/v1/sagas/${saga}/instances`,
                  body: `{${[id && `"id":${JSON.stringify(id)}`, input.trim() && `"input":${input}`].filter(Boolean).join(",")}}`,
              };
    return (
        <Dialog title={`Start an instance of ${saga}`} onClose={onClose}>
            {startOn && (
                <p class="muted">
                    Events {startOn.types.join(", ")} on {startOn.stream} start instances too.
                </p>
            )}
            <Field label="Id" hint="Yours to choose, so that the same start twice is one instance. Empty: Weir makes one.">
                <input
                    data-first
                    value={id}
                    maxLength={120}
                    autocomplete="off"
                    spellcheck={false}
                    onInput={(event) => setId(event.currentTarget.value)}
                />
            </Field>
            <JsonEditor
                label="Input"
                value={input}
                onChange={setInput}
                rows={8}
                optional
                hint="JSON that the steps' templates read as {{input.…}}."
            />
            <footer class="dialog-foot">
                <button type="button" onClick={onClose}>
                    Close
                </button>
                <Action
                    label="Start"
                    tone="primary"
                    keyed
                    call={call}
                    disabledWhy={call() ? undefined : "The input is not JSON yet"}
                    said="Started"
                    onDone={({ body }) => go(`${sagaPath(saga)}/instances/${encodeURIComponent(body.id)}`)}
                />
            </footer>
        </Dialog>
    );
}
