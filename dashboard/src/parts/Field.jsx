import { cloneElement, toChildArray } from "preact";
import { useId } from "preact/hooks";

/* A labelled input: <Field label="Name" hint="…" error={…}><input value=… onInput=… /></Field>. inline: label beside a checkbox. */
export function Field({ label, hint, error, children, inline }) {
    const id = useId();
    const [input, ...rest] = toChildArray(children);
    const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
    const control = cloneElement(input, {
        id: input.props.id ?? id,
        "aria-describedby": described,
        "aria-invalid": error ? "true" : undefined,
    });
    return (
        <div class={`field ${inline ? "inline" : ""} ${error ? "wrong" : ""}`}>
            {inline && control}
            <label for={input.props.id ?? id}>{label}</label>
            {!inline && control}
            {rest}
            {hint && <p class="field-hint" id={`${id}-hint`}>{hint}</p>}
            {error && <p class="field-error" id={`${id}-error`}>{error}</p>}
        </div>
    );
}
