/* The settings of a stream as a form holds them (texts and flags), and as the API takes them. */

export const DEFAULTS = {
    partitions: "1", retention: "forever", dedup_window: "7d", schema_validation: "off", subject_template: "{stream}-{type}",
    allow_unknown_types: false, subject_reads: true, description: "", labels: "",
};

export function formOf(stream) {
    const labels = Object.entries(stream.labels).map(([name, value]) => `${name}=${value}`).join("\n");

    return Object.fromEntries(Object.keys(DEFAULTS).map((name) => {
        const value = name === "labels" ? labels : stream[name];
        return [name, typeof value === "number" ? String(value) : value];
    }));
}

export function bodyOf(form) {
    return { ...form, partitions: Number(form.partitions), labels: pairsOf(form.labels) };
}

/* A merge-patch of what differs; a label that is gone must be said to be null. */
export function patchOf(stream, form) {
    const body = bodyOf(form);
    const names = Object.keys(body).filter((name) => name !== "partitions" && name !== "labels" && body[name] !== stream[name]);
    const patch = Object.fromEntries(names.map((name) => [name, body[name]]));
    const gone = Object.keys(stream.labels).filter((name) => !Object.hasOwn(body.labels, name)).map((name) => [name, null]);
    const changed = Object.entries(body.labels).filter(([name, value]) => stream.labels[name] !== value);

    return gone.length + changed.length ? { ...patch, labels: Object.fromEntries([...gone, ...changed]) } : patch;
}

/* One `name=value` a line. */
export function pairsOf(text) {
    const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);

    return Object.fromEntries(lines.map((line) => {
        const at = line.indexOf("=");
        return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }));
}

export function wrongOf(form, name, creating) {
    if (creating && !/^[a-z0-9][a-z0-9._-]{0,119}$/.test(name)) {
        return { name: "Lower-case letters, digits, dots, dashes and underscores; it begins with a letter or a digit." };
    }
    if (creating && /^saga\.|\.dlq$/.test(name)) {
        return { name: "Names that begin with saga. or end in .dlq are Weir’s own." };
    }
    return /^([1-9]|[1-5][0-9]|6[0-4])$/.test(form.partitions) ? {} : { partitions: "A number from 1 to 64." };
}
