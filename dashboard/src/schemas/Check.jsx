import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check, pretty } from "../kit/json.js";
import { go } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { Loading } from "../parts/Loading.jsx";
import { DryRun } from "./DryRun.jsx";
import { Verdict } from "./Verdict.jsx";
import { EXTRAS, sentOf, typeOf } from "./load.js";
import { useVersion } from "./useVersion.js";

const FIRST = `{
  "type": "object",
  "properties": {
    "total": { "type": "number" }
  },
  "required": ["total"],
  "additionalProperties": false
}`;

/* A candidate for the next version: compared, tried on stored events, registered. */
export function Check({ subject, versions, config, reload }) {
    const now = versions.find((one) => !one.deleted)?.version;
    const [latest] = useState(now); // what somebody else registers meanwhile takes no text away
    const { data, error, loading, reload: again } = useVersion(subject, latest);
    if (loading || error) {
        return error ? <Fault error={error} retry={again} /> : <Loading />;
    }
    return (
        <>
            {now !== latest && (
                <p class="consequences" role="status">
                    Version {now} was registered meanwhile: it is not what this began with.
                </p>
            )}
            <Form {...{ subject, versions, config, reload }} latest={data} />
        </>
    );
}

/* As text: metadata and rules are kept as they are sent, digit by digit. more: other members. */
function bodyOf(candidate, more = {}) {
    const members = Object.entries({
        schema: sentOf(candidate.schema, candidate.original),
        schemaType: candidate.type,
        ...more,
    }).map(([name, value]) => [name, JSON.stringify(value)]);
    const extras = EXTRAS.map((name) => [name, candidate[name].trim()]).filter(([, text]) => text);
    return `{${[...members, ...extras].map(([name, text]) => `"${name}":${text}`).join(",")}}`;
}

function Form({ subject, versions, config, latest, reload }) {
    const [candidate, setCandidate] = useState(() => ({
        type: latest ? typeOf(latest) : "JSON",
        schema: latest ? pretty(latest.schema) : FIRST,
        original: latest?.schema,
        ...Object.fromEntries(EXTRAS.map((name) => [name, pretty(latest?.raw[name] ?? "")])),
    }));
    const [against, setAgainst] = useState("");
    const [answer, setAnswer] = useState(null); // holds for what was asked alone
    const verdict = answer?.candidate === candidate && answer.against === against ? answer.body : null;
    const set = (more) => setCandidate({ ...candidate, ...more });
    const wrong = check(candidate.schema) || EXTRAS.some((name) => candidate[name].trim() && check(candidate[name]));
    const why = wrong ? "This is not JSON" : undefined;
    const path = api.path`/registry/compatibility/subjects/${subject}/versions`;
    const call = (target, query) => () => (wrong ? null : { method: "POST", path: target, query, body: bodyOf(candidate) });
    return (
        <div class="check">
            <Candidate candidate={candidate} set={set} />
            <div class="filters">
                <Against {...{ versions, config, against }} onChange={setAgainst} />
                <Action
                    label="Check"
                    disabledWhy={why}
                    call={call(against ? `${path}/${against}` : path, { verbose: true })}
                    onDone={({ body }) => setAnswer({ body, candidate, against })}
                />
                <Action
                    label="Register"
                    tone="primary"
                    disabledWhy={why}
                    call={call(api.path`/registry/subjects/${subject}/versions`)}
                    onDone={() => {
                        reload();
                        go(api.path`/schemas/${subject}`);
                    }}
                    said="The schema is registered"
                    confirm={{
                        title: `Register a new version of ${subject}?`,
                        text:
                            `It must fit the level ${config.level} and the contracts ` +
                            "that are enforced. From then on events are checked by it.",
                    }}
                />
            </div>
            {verdict && <Verdict verdict={verdict} />}
            {latest && (
                <details>
                    <summary>Changes against version {latest.version}</summary>
                    <Diff before={latest.schema} after={candidate.schema} labels={[`Version ${latest.version}`, "Candidate"]} />
                </details>
            )}
            <details>
                <summary>Try it on events that are stored</summary>
                <DryRun subject={subject} candidate={candidate} wrong={why} bodyOf={bodyOf} />
            </details>
        </div>
    );
}

const HINTS = {
    references: {
        label: "References to other schemas",
        hint: 'As [{"name": "customer.json", "subject": "customer", "version": 1}]',
    },
    metadata: { label: "Metadata", hint: "Kept and given back as it comes" },
    ruleSet: { label: "Rules", hint: "Kept and given back as they come" },
};

function Candidate({ candidate, set }) {
    return (
        <>
            <Field label="Type">
                <select value={candidate.type} onChange={(event) => set({ type: event.currentTarget.value })}>
                    <option value="JSON">JSON Schema</option>
                    <option value="AVRO">Avro</option>
                </select>
            </Field>
            <JsonEditor label="Candidate" value={candidate.schema} onChange={(schema) => set({ schema })} rows={16} />
            <details open={EXTRAS.some((name) => candidate[name])}>
                <summary>References, metadata, rules</summary>
                {EXTRAS.map((name) => (
                    <JsonEditor
                        key={name}
                        {...HINTS[name]}
                        optional
                        rows={4}
                        value={candidate[name]}
                        onChange={(text) => set({ [name]: text })}
                    />
                ))}
            </details>
        </>
    );
}

function Against({ versions, config, against, onChange }) {
    return (
        <label class="which">
            Compare with{" "}
            <select value={against} onChange={(event) => onChange(event.currentTarget.value)}>
                <option value="">what {config.level} and the contracts ask for</option>
                {versions
                    .filter((one) => !one.deleted)
                    .map(({ version }) => (
                        <option key={version} value={String(version)}>
                            version {version}
                        </option>
                    ))}
            </select>
        </label>
    );
}
