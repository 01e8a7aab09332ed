/* What the states, records and errors of sagas are called on the pages. */
import { exact } from "../kit/time.js";

export const STATES = ["running", "waiting", "paused", "compensating", "completed", "compensated", "failed"];
export const OPEN_STATES = STATES.slice(0, 4);

export const KINDS = {
    http: "calls a service",
    publish: "publishes an event",
    await: "waits for an event",
    approval: "waits for an approval",
    signal: "waits for a signal",
};

export const hasEnded = (instance) => instance.ended !== null;
const times = (n) => (n === 1 ? "1 attempt" : `${n} attempts`);

/* {word, tone}: how far a step is, with what became of its compensation. `back`: the instance goes back. */
export function lookOf(step, back) {
    const undo = step.compensation;
    if (undo && (undo.status !== "pending" || undo.begun)) {
        return (
            {
                succeeded: { word: "undone", tone: "warn" },
                failed: { word: "undo failed", tone: "bad" },
                skipped: { word: "left undone", tone: "bad" },
            }[undo.status] ?? { word: "being undone", tone: "warn" }
        );
    }
    switch (step.status) {
        case "pending":
            return { word: back ? "never begun" : "not yet", tone: "none" };
        case "ready":
            return step.attempts ? { word: "to be retried", tone: "warn" } : { word: "due", tone: "info" };
        case "waiting":
            return {
                word: step.kind === "approval" ? "needs approval" : "waiting",
                tone: step.kind === "approval" ? "act" : "info",
            };
        case "running":
            return { word: "running", tone: "info" };
        case "succeeded":
            return { word: step.kind === "approval" ? "approved" : "succeeded", tone: "good" };
        case "failed":
            return { word: "failed", tone: "bad" };
        case "held":
            return { word: "held", tone: "none" };
        default:
            return { word: step.error ? "skipped" : "dropped", tone: "none" };
    }
}

/* One line: "503: The target's answer is not a success." */
export function errorText(error) {
    if (!error) {
        return "";
    }
    const why = error.decision?.comment ? ` “${error.decision.comment}”` : "";
    return `${error.status ? `${error.status}: ` : ""}${error.message ?? error.type ?? "unknown"}${why}`;
}

const by = (data) => `${data.by ? ` by ${data.by}` : ""}${data.comment ? `: “${data.comment}”` : ""}`;

/* Why an instance compensates or is paused. */
export function causeText(cause) {
    if (!cause) {
        return "";
    }
    const error = cause.error ? ` ${errorText(cause.error)}` : "";
    switch (cause.reason) {
        case "step-failed":
            return `The step ${cause.step} failed.${error}`;
        case "attempts-used-up":
            return `The attempts of ${cause.step} are used up.${error}`;
        case "compensation-failed":
            return `The compensation of ${cause.step} failed.${error}`;
        case "timeout":
            return "The saga's timeout is over.";
        case "cancelled":
            return `Cancelled${by(cause)}${cause.comment ? "" : "."}`;
        default:
            return `${cause.reason ?? cause.type ?? ""}${by(cause)}${error}`;
    }
}

/* What a record of the history says of its step, or of the instance: {text, tone}. */
const RECORDS = {
    SagaStarted: (d) => [`Started, with version ${d.version}`, "info"],
    StepWaiting: (d) => [
        `waits for an ${d.for}`.replace("an signal", "a signal") + (d.until ? `, until ${exact(d.until)}` : ""),
        "info",
    ],
    StepAttemptFailed: (d) => [`attempt ${d.attempt} failed. ${errorText(d.error)}`, "warn"],
    StepSucceeded: (d) => [d.attempts > 1 ? `succeeded after ${times(d.attempts)}` : "succeeded", "good"],
    StepFailed: (d) => [
        `failed${d.attempts > 1 ? ` after ${times(d.attempts)}` : ""}${d.outcome === "unknown" ? ", outcome unknown" : ""}. ` +
            errorText(d.error),
        "bad",
    ],
    StepSkipped: (d) => [d.by ? `skipped${by(d)}` : "dropped: it had done nothing", "none"],
    StepRetried: (d) => [`retried${by(d)}`, "info"],
    SignalReceived: () => ["got its signal early: it is kept", "info"],
    DecisionReceived: () => ["got its decision early: it is kept", "info"],
    StepCompensated: (d) => [`undone${d.attempts > 1 ? ` after ${times(d.attempts)}` : ""}`, "warn"],
    CompensationFailed: (d) => [`could not be undone. ${errorText(d.error)}`, "bad"],
    CompensationSkipped: (d) => [`left undone${by(d)}`, "bad"],
    SagaPaused: (d) => [`Paused. ${causeText(d)}`, "warn"],
    SagaResumed: (d) => [`Goes on${by(d)}`, "info"],
    SagaCompensating: (d) => [`Turned back. ${causeText(d)}`, "warn"],
    SagaCompleted: () => ["Completed", "good"],
    SagaCompensated: () => ["All that was done is undone", "warn"],
    SagaFailed: () => ["Ended, with something left undone", "bad"],
};

export function recordText({ type, data }) {
    const [text, tone] = RECORDS[type]?.(data ?? {}) ?? [type, "none"];
    return {
        text:
            data?.kind === "compensation" && type.startsWith("Step") && type !== "StepCompensated"
                ? `compensation ${text}`
                : text,
        tone,
    };
}

/* What going back would undo, the last first, as far as it can be known now. */
export function toUndo(instance) {
    return instance.steps
        .filter(
            (step) =>
                step.compensation &&
                (step.status === "succeeded" ||
                    step.status === "running" ||
                    step.unknown ||
                    (step.status === "skipped" && step.begun)),
        )
        .map((step) => step.name)
        .reverse();
}

export function undoText(instance) {
    if (instance.pivot_sent) {
        return "The pivot was sent, so nothing is undone: the instance pauses until you retry or skip.";
    }
    const names = toUndo(instance);
    return names.length
        ? `Nothing new begins. What was done is undone, the last first: ${names.join(", ")}.`
        : "Nothing new begins. There is nothing to undo.";
}

/* The steps that stopped a paused instance, and whether it is their compensation that failed. */
export function stuckSteps(instance) {
    return instance.steps.flatMap((step) =>
        step.compensation?.status === "failed"
            ? [{ name: step.name, undo: true, deed: step.compensation }]
            : step.status === "failed"
              ? [{ name: step.name, undo: false, deed: step }]
              : [],
    );
}
