import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check } from "../kit/json.js";
import { Action } from "../parts/Action.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { instancePath } from "./follow.js";
import { hasEnded, undoText } from "./words.js";

const KEPT = "Stands in the history and the audit record.";
const said = (name, text) => (text.trim() ? { [name]: text.trim() } : {});

/* A text of at most 500 characters. */
export function Comment({ label = "Comment", value, onChange }) {
    return (
        <Field label={label} hint={KEPT}>
            <input value={value} maxLength={500} autocomplete="off" onInput={(event) => onChange(event.currentTarget.value)} />
        </Field>
    );
}

/* An act that asks first, with room for a comment. */
function Commented({ saga, instance, what, step, label, tone, title, text, onDone, done, member = "comment" }) {
    const [comment, setComment] = useState("");
    return (
        <Action
            label={label}
            tone={tone}
            said={done}
            confirm={{ title, text, label: label.replace("…", "") }}
            onDone={(answer) => {
                setComment("");
                onDone(answer);
            }}
            call={{
                method: "POST",
                path: `${instancePath(saga, instance.id)}/${what}`,
                body: { ...(step ? { step } : {}), ...said(member, comment) },
            }}>
            <Comment label={member === "reason" ? "Reason" : "Comment"} value={comment} onChange={setComment} />
        </Action>
    );
}

/* Of the whole instance: what may be done now. */
export function InstanceActs({ saga, instance, stuck, back, onDone }) {
    if (hasEnded(instance)) {
        return null;
    }
    const common = { saga, instance, onDone };
    const names = stuck.map((one) => one.name).join(", ");
    return (
        <>
            {instance.state === "paused" && (
                <Commented
                    {...common}
                    what="retry"
                    label="Retry"
                    tone="primary"
                    done="Retried"
                    title={names ? `Retry ${names}?` : "Go on?"}
                    text={
                        names
                            ? `Tried again: ${names}. Attempts are counted anew, under the same idempotency keys.`
                            : "The instance goes on, without a timeout."
                    }
                />
            )}
            {!back &&
                (instance.pivot_sent ? (
                    <Action
                        label="Cancel…"
                        tone="danger"
                        disabledWhy="The pivot was sent: it can only go forward."
                        call={{ method: "POST", path: `${instancePath(saga, instance.id)}/cancel`, body: {} }}
                    />
                ) : (
                    <Commented
                        {...common}
                        what="cancel"
                        member="reason"
                        label="Cancel…"
                        tone="danger"
                        done="Cancelled"
                        title={`Cancel ${instance.id}?`}
                        text={undoText(instance)}
                    />
                ))}
        </>
    );
}

/* Of one step. deed: what is in play, the step itself or its compensation. */
export function StepActs({ saga, instance, step, back, kept, onDone }) {
    if (hasEnded(instance)) {
        return null;
    }
    const deed = back ? step.compensation : step;
    const waits = !back && !kept && !/^(succeeded|skipped)$/.test(step.status);
    const common = { saga, instance, step, onDone };
    return (
        <>
            {waits && step.kind === "approval" && <Decide {...common} />}
            {waits && step.kind === "signal" && <Signal {...common} />}
            {deed && <Resume {...common} deed={deed} back={back} />}
        </>
    );
}

function Decide({ saga, instance, step, onDone }) {
    const [comment, setComment] = useState("");
    const call = (decision) => ({
        method: "POST",
        path: `${instancePath(saga, instance.id)}${api.path`/approve/${step.name}`}`,
        body: { decision, ...said("comment", comment) },
    });
    const early = step.status !== "waiting" ? " The decision is kept until the step gets to it." : "";
    return (
        <div class="saga-act" role="group" aria-label={`Decide ${step.name}`}>
            <p>
                Approve: the step succeeds and the saga goes on. Reject:{" "}
                {instance.pivot_sent ? "the saga pauses." : "what was done is undone."}
                {early}
            </p>
            <Comment value={comment} onChange={setComment} />
            <div class="saga-buttons">
                <Action label="Approve" tone="primary" said={`${step.name} approved`} call={call("approve")} onDone={onDone} />
                <Action
                    label="Reject"
                    tone="danger"
                    said={`${step.name} rejected`}
                    call={call("reject")}
                    onDone={onDone}
                    confirm={{ title: `Reject ${step.name}?`, text: undoText(instance) }}
                />
            </div>
        </div>
    );
}

/* The result is sent digit by digit as it was typed. */
function Signal({ saga, instance, step, onDone }) {
    const [result, setResult] = useState("");
    const call = () =>
        result.trim() && check(result)
            ? null
            : {
                  method: "POST",
                  path: `${instancePath(saga, instance.id)}${api.path`/signal/${step.name}`}`,
                  body: result.trim() ? `{"result":${result}}` : {},
              };
    return (
        <div class="saga-act" role="group" aria-label={`Signal ${step.name}`}>
            <p>The step succeeds with this result.{step.status === "waiting" ? "" : " It is kept until the step gets to it."}</p>
            <JsonEditor label="Result" value={result} onChange={setResult} rows={4} optional hint="JSON; empty: null." />
            <div class="saga-buttons">
                <Action
                    label="Send signal"
                    tone="primary"
                    said={`${step.name} has its signal`}
                    call={call}
                    onDone={onDone}
                    disabledWhy={call() ? undefined : "The result is not JSON yet"}
                />
            </div>
        </div>
    );
}

const tried = (deed) => deed.status === "ready" && deed.attempts > 0;

function Resume({ saga, instance, step, deed, back, onDone }) {
    const failed = deed.status === "failed" && instance.state === "paused";
    const again =
        deed.kind === "publish"
            ? " A command whose answer failed or stayed away is published again, with the same idempotencykey."
            : "";
    const common = { saga, instance, step: step.name, onDone };
    const what = back ? `the compensation of ${step.name}` : step.name;
    if (!failed && !tried(deed)) {
        return null;
    }
    return (
        <div class="saga-act saga-buttons" role="group" aria-label={`Retry or skip ${step.name}`}>
            <Commented
                {...common}
                what="retry"
                label={failed ? "Retry step" : "Try now"}
                tone="primary"
                done={`${step.name} is tried again`}
                title={`Retry ${what}?`}
                text={
                    failed
                        ? `It is tried again. Attempts are counted anew, under the same idempotency key.${again}`
                        : "It is tried at once instead of after the pause."
                }
            />
            {(failed || back) && (
                <Commented
                    {...common}
                    what="skip"
                    label="Skip step…"
                    tone="danger"
                    done={`${step.name} is skipped`}
                    title={`Skip ${what}?`}
                    text={
                        back
                            ? "It stays undone, and the instance ends as failed. Undo it by hand if it has to be."
                            : "It counts as succeeded, with the result null: later steps that use its result fail."
                    }
                />
            )}
        </div>
    );
}
