import { durationOf } from "../kit/time.js";

/* The settings of a group as a form has them (texts), and as PUT takes them. It replaces all, so all are named. */
export const DEFAULTS = {
    ordering: "key",
    types: "",
    ack_deadline: "30s",
    max_retries: "3",
    initial: "1s",
    factor: "2",
    max: "5m",
    jitter: "0.2",
    max_in_flight: "1000",
    max_retrying: "10000",
    max_skipped: "10000",
    key_batch: "1",
    redrive: false,
    after: "15m",
    rounds: "3",
};

/* name, label, hint, and either a duration or bounds of a number. */
export const FIELDS = [
    { name: "ack_deadline", label: "Ack deadline", hint: "How long a worker may take: 1s to 12h", duration: true },
    { name: "max_retries", label: "Retries", hint: "0 to 1,000; then it is a dead letter", from: 0, to: 1000 },
    { name: "initial", label: "First backoff", hint: "Pause after the first failure", duration: true },
    { name: "factor", label: "Backoff factor", hint: "1 to 100, with each further failure", from: 1, to: 100, fraction: true },
    { name: "max", label: "Longest backoff", hint: "At most 7d", duration: true },
    { name: "jitter", label: "Jitter", hint: "0 to 1: longer or shorter by chance", from: 0, to: 1, fraction: true },
    { name: "max_in_flight", label: "Max. in flight", hint: "Events with workers at once", from: 1, to: 100000 },
    { name: "max_retrying", label: "Max. retrying", hint: "Beyond it nothing new goes out", from: 1, to: 1000000 },
    { name: "max_skipped", label: "Max. skipped", hint: "Of a partition, behind blocked keys", from: 1, to: 1000000 },
    { name: "key_batch", label: "Key batch", hint: "Events of one key in an answer", from: 1, to: 1000 },
];

export const REDRIVE_FIELDS = [
    { name: "after", label: "Redrive after", hint: "1s to 30d", duration: true },
    { name: "rounds", label: "Rounds", hint: "1 to 100", from: 1, to: 100 },
];

export function formOf(group) {
    if (!group) {
        return DEFAULTS;
    }
    const text = (name) => String(group[name]);
    return {
        ordering: group.ordering,
        types: group.types.join("\n"),
        ack_deadline: group.ack_deadline,
        max_retries: text("max_retries"),
        initial: group.backoff.initial,
        factor: String(group.backoff.factor),
        max: group.backoff.max,
        jitter: String(group.backoff.jitter),
        max_in_flight: text("max_in_flight"),
        max_retrying: text("max_retrying"),
        max_skipped: text("max_skipped"),
        key_batch: text("key_batch"),
        redrive: Boolean(group.dlq_retry),
        after: group.dlq_retry?.after ?? DEFAULTS.after,
        rounds: String(group.dlq_retry?.rounds ?? DEFAULTS.rounds),
    };
}

export function bodyOf(form, paused) {
    const number = (name) => Number(form[name]);
    return {
        paused,
        ordering: form.ordering,
        types: typesOf(form),
        ack_deadline: form.ack_deadline.trim(),
        max_retries: number("max_retries"),
        backoff: { initial: form.initial.trim(), factor: number("factor"), max: form.max.trim(), jitter: number("jitter") },
        max_in_flight: number("max_in_flight"),
        max_retrying: number("max_retrying"),
        max_skipped: number("max_skipped"),
        key_batch: number("key_batch"),
        dlq_retry: form.redrive ? { after: form.after.trim(), rounds: number("rounds") } : null,
    };
}

export const typesOf = (form) =>
    form.types
        .split("\n")
        .map((type) => type.trim())
        .filter(Boolean);

/* What is wrong with a field, or undefined; the API decides about the rest. */
export function wrong(field, text) {
    const value = text.trim();
    if (field.duration) {
        return Number.isFinite(durationOf(value)) ? undefined : "A whole number with a unit: 500ms, 30s, 5m, 1h, 7d";
    }
    const number = Number(value);
    if (value === "" || Number.isNaN(number) || number < field.from || number > field.to) {
        return `A number from ${field.from} to ${field.to}`;
    }
    return field.fraction || Number.isInteger(number) ? undefined : "A whole number";
}

export function faulty(form) {
    return [...FIELDS, ...(form.redrive ? REDRIVE_FIELDS : [])].some((field) => wrong(field, form[field.name]));
}
