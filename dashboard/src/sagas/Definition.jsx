import { api } from "../kit/api.js";
import { at } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { useQueryState, useRoute } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Time } from "../parts/Time.jsx";
import { Fact } from "./Fact.jsx";
import { Graph, kindOf, Legend } from "./Graph.jsx";
import { Icon } from "./Icon.jsx";
import { versionsOf } from "./Instances.jsx";
import { sagaPath } from "./SagasPage.jsx";
import { definitionText } from "./text.js";
import { KINDS } from "./words.js";

/* A version of the definition: drawn, as text, and against another version. newestText: the newest as it was sent. */
export function Definition({ newest, newestText }) {
    const [version, setVersion] = useQueryState("version", String(newest.newest));
    const [against, setAgainst] = useQueryState("against", "");
    const shown = useVersion(newest, newestText, version),
        other = useVersion(newest, newestText, against);
    const versions = versionsOf(newest.newest, version);
    return (
        <>
            {newest.newest > 1 && (
                <div class="filters">
                    <Field label="Version">
                        <select value={version} onChange={(event) => setVersion(event.currentTarget.value)}>
                            {versions.map((n) => (
                                <option key={n} value={n}>
                                    {n}
                                    {n === newest.newest ? " (newest)" : ""}
                                </option>
                            ))}
                        </select>
                    </Field>
                    <Field label="Compared with">
                        <select value={against} onChange={(event) => setAgainst(event.currentTarget.value)}>
                            <option value="">nothing</option>
                            {versions
                                .filter((n) => String(n) !== version)
                                .map((n) => (
                                    <option key={n} value={n}>
                                        {n}
                                    </option>
                                ))}
                        </select>
                    </Field>
                </div>
            )}
            <Fault error={shown.error ?? other.error} />
            {!shown.text && !shown.error && <Loading />}
            {shown.text && against && other.text && (
                <Card title="Difference">
                    <Diff
                        before={definitionText(other.text)}
                        after={definitionText(shown.text)}
                        labels={[`Version ${against}`, `Version ${version}`]}
                    />
                </Card>
            )}
            {shown.text && <Shown text={shown.text} saga={shown.saga} />}
        </>
    );
}

/* The newest one is there already. */
function useVersion(newest, newestText, version) {
    const asked = version && Number(version) !== newest.newest ? version : null;
    const found = usePoll(
        (signal) => (asked ? api.get(api.path`/v1/sagas/${newest.name}`, { query: { version: asked }, signal }) : null),
        0,
        [newest.name, asked],
    );
    return asked
        ? { text: found.data?.text, saga: found.data?.body, error: found.error }
        : { text: version ? newestText : undefined, saga: newest };
}

function Shown({ text, saga }) {
    const { query } = useRoute();
    const selected = saga.steps.find((step) => step.name === query.step) ?? saga.steps[0];
    const own = at(text, "steps", saga.steps.indexOf(selected)),
        written = definitionText(text);
    return (
        <>
            <Card>
                <dl class="facts">
                    <Fact title="Made">
                        <Time at={saga.updated} />
                    </Fact>
                    <Fact title="Times out after">{saga.timeout ?? "never"}</Fact>
                    <Fact title="When attempts are used up">{saga.on_exhausted === "pause" ? "it pauses" : "it goes back"}</Fact>
                    <Fact title="Started by">
                        {saga.start_on ? `${saga.start_on.types.join(", ")} on ${saga.start_on.stream}` : "calls alone"}
                    </Fact>
                </dl>
            </Card>
            <div class="saga-columns">
                <Card title="Steps" class="saga-steps">
                    <Graph
                        steps={saga.steps}
                        label="Steps of the definition"
                        selected={selected.name}
                        linkOf={(step) => ({ to: sagaPath(saga.name), query: { ...query, step: step.name } })}
                    />
                    <Legend />
                </Card>
                <Card title={selected.name} class="saga-step">
                    <p class="saga-does">
                        <Icon name={kindOf(selected)} /> {KINDS[kindOf(selected)]}
                        {selected.after.length > 0 && <span class="muted">· after {selected.after.join(", ")}</span>}
                    </p>
                    <Json text={own} label={`Definition of ${selected.name}`} />
                </Card>
            </div>
            <Card title="As JSON" actions={<Copy text={written} label="Copy" />}>
                <Json text={written} label="Definition" />
            </Card>
        </>
    );
}
