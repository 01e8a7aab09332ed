import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { toast } from "../parts/Toasts.jsx";
import { Graph } from "./Graph.jsx";
import { sagaPath } from "./SagasPage.jsx";
import { definitionText, EXAMPLE, placeOf } from "./text.js";
import "./sagas.css";

const NAME = /^[a-z0-9][a-z0-9._-]{0,114}$/;

/* A new saga, or a new version of one. */
export function EditPage() {
    const {
        params: { saga },
    } = useRoute();
    const { data, error, reload } = usePoll((signal) => (saga ? api.get(api.path`/v1/sagas/${saga}`, { signal }) : null), 0, [
        saga,
    ]);
    const crumbs = [{ title: "Sagas", to: "/sagas" }, ...(saga ? [{ title: saga, to: sagaPath(saga) }] : [])];
    return (
        <Page title={saga ? `Edit ${saga}` : "Define a saga"} crumbs={crumbs}>
            <Fault error={error} retry={reload} />
            {saga && !data && !error && <Loading />}
            {!saga && <Editor before={null} />}
            {saga && data && (
                <Editor key={data.body.version} name={saga} version={data.body.version} before={definitionText(data.text)} />
            )}
        </Page>
    );
}

function Editor({ name, version, before }) {
    const [round, setRound] = useState(0);
    const [text, setText] = useState(before ?? EXAMPLE),
        [given, setGiven] = useState(""),
        [problem, setProblem] = useState(null);
    const saga = name ?? given,
        changed = text !== before,
        frame = useRef(null);
    const wrong = check(text),
        newer = useNewer(name, version);
    const why = !NAME.test(saga)
        ? "Give it a name of small letters, digits, . _ -"
        : wrong
          ? "It is not JSON yet"
          : !changed
            ? "Nothing is changed"
            : undefined;
    const change = (next) => {
        setText(next);
        if (problem) {
            setProblem(null);
            setRound(round + 1); // what was said of the text before is not shown any more
        }
    };
    const done = ({ status, body }) => {
        toast(
            status === 201
                ? `${saga} is defined`
                : body.version === version
                  ? "It is the same: no new version"
                  : `Version ${body.version} is made`,
        );
        go(sagaPath(saga), { query: { tab: "definition" } });
    };
    return (
        <>
            {newer && (
                <p class="banner tone-warn" role="status">
                    Version {newer} was made meanwhile.{" "}
                    <Link to={sagaPath(name)} query={{ tab: "definition", against: String(version) }}>
                        See what differs
                    </Link>
                    ; what you save here goes on top of it.
                </p>
            )}
            <div class="saga-columns editor" ref={frame}>
                <Card title="Definition" class="saga-definition">
                    {!name && (
                        <Field
                            label="Name"
                            hint="Small letters, digits, . _ -; 115 at most."
                            error={given && !NAME.test(given) ? "This cannot be a name." : undefined}>
                            <input
                                value={given}
                                autocomplete="off"
                                spellcheck={false}
                                onInput={(event) => setGiven(event.currentTarget.value)}
                            />
                        </Field>
                    )}
                    <JsonEditor label="Steps and settings" value={text} onChange={change} rows={26} />
                    <Faults problem={problem} text={text} frame={frame} />
                    <div class="saga-buttons">
                        <Saving
                            key={round}
                            saga={saga}
                            text={text}
                            disabledWhy={why}
                            label={name ? "Save as a new version" : "Define"}
                            onDone={done}
                            onProblem={setProblem}
                        />
                        <Link class="button" to={name ? sagaPath(name) : "/sagas"}>
                            Leave
                        </Link>
                    </div>
                </Card>
                <Card title="As it would run" class="saga-steps">
                    <Preview text={text} />
                </Card>
            </div>
            {name && changed && !wrong && (
                <Card title={`Changes to version ${version}`}>
                    <Diff before={before} after={text} labels={[`Version ${version}`, "Yours"]} />
                </Card>
            )}
        </>
    );
}

/* Has somebody else made a version while this page was open? */
function useNewer(name, version) {
    const { data } = usePoll((signal) => (name ? api.get(api.path`/v1/sagas/${name}`, { signal }) : null), 10000, [name]);
    return data && data.body.newest > version ? data.body.newest : null;
}

function Saving({ saga, text, label, disabledWhy, onDone, onProblem }) {
    return (
        <Action
            label={label}
            tone="primary"
            disabledWhy={disabledWhy}
            onDone={onDone}
            onProblem={onProblem}
            call={disabledWhy ? () => null : { method: "PUT", path: api.path`/v1/sagas/${saga}`, body: text }}
        />
    );
}

/* Where each fault stands: a click leads there. */
function Faults({ problem, text, frame }) {
    const found = (problem?.errors ?? []).filter((one) => one.pointer !== undefined);
    const show = (pointer) => {
        const area = frame.current.querySelector("textarea"),
            place = placeOf(text, pointer);
        area.focus();
        area.setSelectionRange(place.from, place.to);
        area.scrollTop = (place.line - 3) * (area.scrollHeight / text.split("\n").length);
    };
    return found.length === 0 ? null : (
        <ul class="saga-faults">
            {found.map((one) => (
                <li key={one.pointer}>
                    <button type="button" onClick={() => show(one.pointer)}>
                        Line {placeOf(text, one.pointer).line}
                    </button>{" "}
                    {one.detail}
                </li>
            ))}
        </ul>
    );
}

/* Drawn once the typing pauses, as far as it can be read. */
function Preview({ text }) {
    const [settled, setSettled] = useState(text);
    useEffect(() => {
        const timer = setTimeout(() => setSettled(text), 300);
        return () => clearTimeout(timer);
    }, [text]);
    const steps = useMemo(() => stepsOf(settled), [settled]);
    return steps.length ? (
        <Graph steps={steps} label="Preview of the steps" />
    ) : (
        <p class="muted">Steps with names appear here as you write them.</p>
    );
}

function stepsOf(text) {
    try {
        const { steps } = JSON.parse(text);
        const named = steps.filter(
            (step) => typeof step?.name === "string" && (step.after === undefined || Array.isArray(step.after)),
        );
        return named.filter((step, i) => named.findIndex((one) => one.name === step.name) === i);
    } catch {
        return [];
    }
}
