/* The Prometheus text of /metrics, as far as the gateway writes it: [{ name, labels, value }]. */
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text) {
    return text.split("\n").filter((line) => line && line[0] !== "#").map(sample);
}

function sample(line) {
    const space = line.lastIndexOf(" ");
    const brace = line.indexOf("{");
    const labels = {};

    for (const [, name, value] of brace >= 0 ? line.slice(brace, space).matchAll(LABEL) : []) {
        labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    }
    return { name: line.slice(0, brace >= 0 ? brace : space), labels, value: Number(line.slice(space + 1)) };
}
