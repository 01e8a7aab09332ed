/* Prometheus' text format: [{name, labels, value}] of the names that are wanted. */
const LINE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/, LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { "\\n": "\n", "\\\\": "\\", '\\"': '"' };

export function samples(text, wanted) {
    const found = [];
    for (const line of text.split("\n")) {
        const [, name, labels, value] = LINE.exec(line) ?? [];
        if (wanted.has(name)) {
            found.push({ name, value: Number(value), labels: Object.fromEntries([...(labels ?? "").matchAll(LABEL)].map(
                ([, key, one]) => [key, one.replace(/\\[n\\"]/g, (escape) => ESCAPES[escape])])) });
        }
    }
    return found;
}
