const RULE = /^\{errorType:'(.*?)', description:'(.*)', oldPath:'(.*)', newPath:'(.*)'\}$/s;
const VERSION = /^\{oldSchemaVersion: (\d+)\}$/,
    LEVEL = /^\{compatibility: '(.*)'\}$/,
    EXAMPLE = /^counterexample: (.*)$/s;

/* The lines of a compatibility check as what they say: {findings: [{rule, detail, oldPath, newPath, example}], versions, level, rest};
 * rest: lines of another shape, as they are. */
export function readMessages(messages = []) {
    const said = { findings: [], versions: [], level: undefined, rest: [] };
    for (const line of messages) {
        const [rule, version, level, example] = [RULE, VERSION, LEVEL, EXAMPLE].map((pattern) => pattern.exec(line));
        if (rule) {
            said.findings.push({ rule: rule[1], detail: rule[2], oldPath: rule[3], newPath: rule[4] });
        } else if (example && said.findings.length) {
            said.findings.at(-1).example = example[1];
        } else if (version) {
            said.versions.push(Number(version[1]));
        } else if (level) {
            said.level = level[1];
        } else {
            said.rest.push(line);
        }
    }
    return said;
}
