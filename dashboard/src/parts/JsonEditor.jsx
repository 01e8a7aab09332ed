import { useId } from "preact/hooks";
import { check, pretty } from "../kit/json.js";

/* value: text, never touched but by the reader. error: what the API said. onCheck(Malformed or null): while it is typed. */
export function JsonEditor({ value, onChange, label, hint, error, rows = 14, optional = false }) {
    const id = useId();
    const wrong = optional && !value.trim() ? null : check(value);
    const said = wrong ? `Line ${wrong.line}, column ${wrong.column}: ${wrong.message}` : error;
    return (
        <div class={`field json-editor ${said ? "wrong" : ""}`}>
            <label for={id}>{label}</label>
            {hint && (
                <p class="field-hint" id={`${id}-hint`}>
                    {hint}
                </p>
            )}
            <textarea
                id={id}
                rows={rows}
                spellcheck={false}
                autocomplete="off"
                autocapitalize="off"
                wrap="off"
                value={value}
                aria-invalid={Boolean(said)}
                aria-describedby={`${hint ? `${id}-hint ` : ""}${id}-said`}
                onInput={(event) => onChange(event.currentTarget.value)}
            />
            <div class="json-foot">
                <p id={`${id}-said`} class={said ? "field-error" : "muted"} aria-live="polite">
                    {said || (value.trim() ? "This is JSON." : "")}
                </p>
                <button type="button" disabled={Boolean(wrong) || !value.trim()} onClick={() => onChange(pretty(value))}>
                    Indent
                </button>
            </div>
        </div>
    );
}
