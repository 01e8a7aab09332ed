import { useState } from "preact/hooks";
import { Action } from "../parts/Action.jsx";
import { Field } from "../parts/Field.jsx";

const KINDS = {
    redrive: { label: "Redrive", tone: "primary", title: "Redrive this letter", said: "Sent back to its group",
        text: (letter) => `It goes to the group ${letter.group} alone, with its id and new attempts.` },
    discard: { label: "Discard", tone: "danger", title: "Discard this letter", said: "Discarded",
        text: () => "Nobody will get it any more. It stays to be looked at for a while, with the reason." },
};

/* Redrive or discard of one letter, with a reason for the audit log. */
export function Move({ kind, path, letter, disabledWhy, onDone }) {
    const [reason, setReason] = useState("");
    const { label, tone, title, text, said } = KINDS[kind];
    const call = () => ({ method: "POST", path: `${path}/${kind}`, body: reason.trim() ? { reason: reason.trim() } : {} });

    return (
        <Action label={label} tone={tone} call={call} confirm={{ title, text: text(letter) }} said={said}
            disabledWhy={disabledWhy} onDone={(answer) => {
                setReason("");
                onDone(answer);
            }}>
            <Field label="Reason" hint="Optional. Kept with the letter and in the audit log.">
                <input data-first value={reason} maxLength={500} onInput={(event) => setReason(event.currentTarget.value)} />
            </Field>
        </Action>
    );
}
