import { useId } from "preact/hooks";
import { Field } from "../parts/Field.jsx";

const KINDS = [
    { kind: "latest", label: "Latest", hint: "with what is published from now on" },
    { kind: "earliest", label: "Earliest", hint: "with the first event that is kept" },
    { kind: "time", label: "A time", hint: "with what was recorded at or after it" },
    { kind: "cursor", label: "A cursor", hint: "after what it names, in all partitions" },
];

/* {kind, text} as the API takes a position; undefined: it is not said yet. */
export function positionOf({ kind, text }) {
    if (kind === "latest" || kind === "earliest") {
        return kind;
    }
    if (kind === "cursor") {
        return /^[A-Za-z0-9._~-]+$/.test(text.trim()) ? text.trim() : undefined;
    }
    const at = new Date(text);
    return Number.isNaN(at.getTime()) ? undefined : { time: at.toISOString() };
}

/* One of latest, earliest, a time, a cursor. */
export function Position({ legend, value, onChange }) {
    const name = useId();
    const position = positionOf(value);
    return (
        <fieldset class="choices">
            <legend>{legend}</legend>
            {KINDS.map(({ kind, label, hint }) => (
                <label key={kind} class="choice">
                    <input
                        type="radio"
                        name={name}
                        checked={value.kind === kind}
                        onChange={() => onChange({ kind, text: "" })}
                    />
                    <span>
                        {label} <span class="muted">{hint}</span>
                    </span>
                </label>
            ))}
            {value.kind === "time" && (
                <Field label="Time, in your time zone" hint={position && `In UTC: ${position.time}`}>
                    <input
                        type="datetime-local"
                        step="1"
                        value={value.text}
                        onInput={(e) => onChange({ ...value, text: e.currentTarget.value })}
                    />
                </Field>
            )}
            {value.kind === "cursor" && (
                <Field
                    label="Cursor"
                    error={value.text && !position ? "A cursor has letters, digits and . _ ~ - alone." : undefined}>
                    <input
                        spellcheck={false}
                        autocomplete="off"
                        value={value.text}
                        onInput={(e) => onChange({ ...value, text: e.currentTarget.value })}
                    />
                </Field>
            )}
        </fieldset>
    );
}
