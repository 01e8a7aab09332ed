import { api } from "../kit/api.js";
import { at, pretty } from "../kit/json.js";
import { inTurns } from "../kit/turns.js";

/* Of each subject shown two calls tell its latest version and its level. */
export const SUBJECTS_A_PAGE = 25;

export const EXTRAS = ["references", "metadata", "ruleSet"];

export const LEVELS = {
    BACKWARD: "reads what the latest version wrote: upgrade consumers first",
    BACKWARD_TRANSITIVE: "reads what all versions wrote: upgrade consumers first",
    FORWARD: "can be read with the latest version: upgrade producers first",
    FORWARD_TRANSITIVE: "can be read with all versions: upgrade producers first",
    FULL: "reads the latest version and can be read with it: upgrade in any order",
    FULL_TRANSITIVE: "reads all versions and can be read with them: upgrade in any order",
    NONE: "may be anything",
};

/* A schema as it is edited, and back: what was only indented is sent as it came, so that it is no new content. */
export const sentOf = (edited, original) => (original !== undefined && edited === pretty(original) ? original : edited);

export const typeOf = (version) => version?.schemaType ?? "AVRO";

/* ":.context:subject" -> {context, name} */
export function contextOf(subject) {
    const found = /^:(\.[^:]*):(.*)$/s.exec(subject);
    return found ? { context: found[1], name: found[2] } : { context: ".", name: subject };
}

async function orNothing(call, ...codes) {
    try {
        return await call;
    } catch (problem) {
        if (codes.includes(problem.body?.error_code)) {
            return null;
        }
        throw problem;
    }
}

/* Names are cheap: one answer has all. -> [{subject, deleted}] */
export async function loadSubjects(withDeleted, signal) {
    const ask = async (query) =>
        (await api.get("/registry/subjects", { query: { subjectPrefix: ":*:", ...query }, signal })).body;
    const [names, gone] = await Promise.all([ask({}), withDeleted ? ask({ deletedOnly: true }) : []]);
    const there = new Set(names);
    return [
        ...names.map((subject) => ({ subject, deleted: false })),
        ...gone.filter((subject) => !there.has(subject)).map((subject) => ({ subject, deleted: true })),
    ];
}

/* {latest, level} of these, by subject. */
export async function loadDetails(subjects, signal) {
    const details = new Map();
    await inTurns(subjects, 3, async ({ subject, deleted }) => {
        const latest = await orNothing(
            api.get(api.path`/registry/subjects/${subject}/versions/latest`, { query: { deleted }, signal }),
            40401,
            40402,
        );
        const level = await api.get(api.path`/registry/config/${subject}`, { query: { defaultToGlobal: true }, signal });
        details.set(subject, { latest: latest?.body, level: level.body.compatibilityLevel });
    });
    return details;
}

/* The versions of a subject, newest first: [{version, deleted}]; none: there is no such subject. */
/* With `raw`: what is kept as it came, as text. */
export async function loadVersions(subject, signal) {
    const ask = async (query) =>
        (await orNothing(api.get(api.path`/registry/subjects/${subject}/versions`, { query, signal }), 40401))?.body ?? [];
    const [all, there] = await Promise.all([ask({ deleted: true }), ask({})]);
    return all.map((version) => ({ version, deleted: !there.includes(version) })).reverse();
}

/* With `raw`: what is kept as it came, as text. */
export async function loadVersion(subject, version, signal) {
    const { body, text } = await api.get(api.path`/registry/subjects/${subject}/versions/${version}`, {
        query: { deleted: true },
        signal,
    });
    return { ...body, raw: Object.fromEntries(EXTRAS.map((name) => [name, at(text, name)])) };
}

/* {level, mode}: what holds for a subject, its own or that of all. */
export async function loadConfig(subject, signal) {
    const [level, mode] = await Promise.all(
        ["config", "mode"].map((what) =>
            api.get(`/registry/${what}/${encodeURIComponent(subject)}`, { query: { defaultToGlobal: true }, signal }),
        ),
    );
    return { level: level.body.compatibilityLevel, mode: mode.body.mode };
}

/* Whether the subject has a level of its own. */
export async function hasLevel(subject, signal) {
    return (await orNothing(api.get(api.path`/registry/config/${subject}`, { signal }), 40401, 40408)) !== null;
}

/* The type whose events in this stream are checked by the subject, or null. A template holds {stream} and {type}. */
export function typeIn({ name, subject_template: template }, subject) {
    const escaped = template
        .split(/(\{stream\}|\{type\})/)
        .map((piece) =>
            piece === "{type}" ? "(.+)" : (piece === "{stream}" ? name : piece).replace(/[.*+?^${}()|[\]\\]/g, "\\$&"),
        );
    const found = new RegExp(`^${escaped.join("")}$`, "s").exec(subject);
    return found ? (found[1] ?? "any type") : null;
}
