import { useId } from "preact/hooks";
import { Field } from "../parts/Field.jsx";
import { FIELDS, REDRIVE_FIELDS, wrong } from "./settings.js";

const ORDERS = [
    { value: "key", label: "By key", hint: "events of one key in order, one at a time" },
    { value: "none", label: "None", hint: "nothing waits for anything" },
];

/* The form of a group's settings, for a new one and for one that is there. */
export function SettingsFields({ form, onChange }) {
    const name = useId();
    const set = (more) => onChange({ ...form, ...more });
    return (
        <div class="group-form">
            <fieldset class="choices">
                <legend>Order</legend>
                {ORDERS.map(({ value, label, hint }) => (
                    <label key={value} class="choice">
                        <input
                            type="radio"
                            name={name}
                            checked={form.ordering === value}
                            onChange={() => set({ ordering: value })}
                        />
                        <span>
                            {label} <span class="muted">{hint}</span>
                        </span>
                    </label>
                ))}
            </fieldset>
            <Field label="Types" hint="One a line; * is any run of characters. Empty: all">
                <textarea
                    rows={2}
                    spellcheck={false}
                    value={form.types}
                    onInput={(e) => set({ types: e.currentTarget.value })}
                />
            </Field>
            <div class="field-grid">
                {FIELDS.map((one) => (
                    <Setting key={one.name} one={one} form={form} set={set} />
                ))}
            </div>
            <label class="choice">
                <input type="checkbox" checked={form.redrive} onChange={(e) => set({ redrive: e.currentTarget.checked })} />
                <span>Redrive dead letters by themselves</span>
            </label>
            {form.redrive && (
                <div class="field-grid">
                    {REDRIVE_FIELDS.map((one) => (
                        <Setting key={one.name} one={one} form={form} set={set} />
                    ))}
                </div>
            )}
        </div>
    );
}

function Setting({ one, form, set }) {
    return (
        <Field label={one.label} hint={one.hint} error={wrong(one, form[one.name])}>
            <input
                inputMode={one.duration ? undefined : "decimal"}
                autocomplete="off"
                value={form[one.name]}
                onInput={(e) => set({ [one.name]: e.currentTarget.value })}
            />
        </Field>
    );
}
