import { useEffect, useMemo, useRef } from "preact/hooks";
import { api } from "../kit/api.js";
import { at } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { hrefOf, Link, useQueryState, useRoute } from "../kit/route.js";
import { duration, now, relative } from "../kit/time.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Status } from "../parts/Status.jsx";
import { Time } from "../parts/Time.jsx";
import { InstanceActs } from "./Acts.jsx";
import { Fact } from "./Fact.jsx";
import { useInstance } from "./follow.js";
import { Graph, Legend } from "./Graph.jsx";
import { sagaPath } from "./SagasPage.jsx";
import { StepPanel } from "./StepPanel.jsx";
import { History, Timeline } from "./Timeline.jsx";
import { causeText, errorText, hasEnded, lookOf, stuckSteps } from "./words.js";
import "./sagas.css";

const pathOf = (saga, id) => `${sagaPath(saga)}/instances/${encodeURIComponent(id)}`;

export function InstancePage() {
    const {
        params: { saga, id },
    } = useRoute();
    const found = useInstance(saga, id);
    const crumbs = [
        { title: "Sagas", to: "/sagas" },
        { title: saga, to: sagaPath(saga) },
    ];
    const instance = found.data?.instance;
    const back = Boolean(found.data?.records.some((one) => one.type === "SagaCompensating"));
    const stuck = instance ? stuckSteps(instance).filter((one) => one.undo === back) : [];
    return (
        <Page
            title={id}
            crumbs={crumbs}
            actions={instance && <InstanceActs {...{ saga, instance, stuck, back }} onDone={found.reload} />}>
            <Fault error={found.error} retry={found.reload} quiet={found.stale} />
            {found.loading && <Loading />}
            {instance && <Instance {...{ saga, back, stuck, found }} {...found.data} />}
        </Page>
    );
}

function Instance({ saga, instance, text, records, more, back, stuck, found }) {
    const [chosen] = useQueryState("step", "");
    const route = useRoute();
    const selected = useShown(instance, back, stuck, chosen);
    const linkOf = (step) => ({ to: pathOf(saga, instance.id), query: { ...route.query, step: step.name } });
    const kept =
        records.some((one) => /^(Signal|Decision)Received$/.test(one.type) && one.step === selected.name) &&
        selected.status !== "succeeded";
    const definition = useStepDefinition(saga, instance.version, selected.name);
    const input = useMemo(() => <Json text={at(text, "input")} label="Input as JSON" />, [text]);
    const panel = useRef(null),
        seen = useRef(false);
    useEffect(() => {
        if (chosen) {
            panel.current?.scrollIntoView({ block: "nearest" });
        }
    }, [chosen]);
    useEffect(() => {
        if (seen.current && document.activeElement === document.body) {
            panel.current.focus({ preventScroll: true }); // what was pressed is gone
        }
        seen.current = true;
    }, [selected.name, selected.status]);
    return (
        <>
            <p class="unseen" role="status">
                {instance.id} is {instance.state}
            </p>
            <Facts {...{ saga, instance, live: found.live }} />
            <Cause instance={instance} stuck={stuck} linkOf={linkOf} back={back} />
            <div class="saga-columns">
                <Card title="Steps" class="saga-steps">
                    <Graph
                        steps={instance.steps}
                        label="Steps and how far they are"
                        selected={selected.name}
                        linkOf={linkOf}
                        lookOf={(step) => ({ ...lookOf(step, back), line: lineOf(step, back) })}
                    />
                    <Legend />
                </Card>
                <div ref={panel} tabIndex={-1} class="saga-panel">
                    <StepPanel
                        key={selected.name}
                        {...{ saga, instance, text, back, kept, definition }}
                        step={selected}
                        onDone={found.reload}
                    />
                </div>
            </div>
            <Timeline {...{ instance, records, linkOf }} />
            <Card title="Input">
                {input}
            </Card>
            <History {...{ instance, records, more }} />
        </>
    );
}

const asks = (step) => step.status === "waiting" && (step.kind === "approval" || step.kind === "signal");
const goesOn = (step) => /running|ready|waiting/.test(step.status);
const later = (last, step) => (step.begun && (!last.begun || step.begun > last.begun) ? step : last);

/* The step that is shown unless another one is chosen: what needs somebody, then what goes on, then the last one that did
 * something. */
function interesting(instance, back, stuck) {
    const { steps } = instance;
    const forward = !hasEnded(instance) && !back;
    return (
        steps.find((step) => step.name === stuck[0]?.name) ??
        (forward ? (steps.find(asks) ?? steps.find(goesOn)) : undefined) ??
        steps.find((step) => step.name === instance.cause?.step) ??
        steps.find((step) => step.status === "failed") ??
        steps.reduce(later, steps[0])
    );
}

/* It stays while it needs somebody: what is being typed there is not taken away when another step changes. */
function useShown(instance, back, stuck, chosen) {
    const last = useRef(null);
    const named = (name) => instance.steps.find((step) => step.name === name);
    const before = named(last.current);
    const stays = before && !back && !hasEnded(instance) && (asks(before) || stuck.some((one) => one.name === before.name));
    const shown = named(chosen) ?? (stays ? before : interesting(instance, back, stuck));
    last.current = shown.name;
    return shown;
}

/* "try 3, in 20s" */
function lineOf(step, back) {
    const deed = back && step.compensation?.begun ? step.compensation : step;
    if (deed.status === "ready" && deed.attempts && deed.due) {
        return `try ${deed.attempts + 1} ${relative(deed.due)}`;
    }
    if (deed.status === "waiting" && deed.due) {
        return `${duration(Date.parse(deed.due) - now.value)} left`;
    }
    if (/succeeded|failed/.test(deed.status) && deed.attempts > 1) {
        return `${deed.attempts} tries`;
    }
    return deed.status === "succeeded" && deed.begun ? duration(Date.parse(deed.ended) - Date.parse(deed.begun)) : undefined;
}

/* As it stands in the version that the instance runs: fetched once for all of its steps. */
function useStepDefinition(saga, version, name) {
    const found = usePoll((signal) => api.get(api.path`/v1/sagas/${saga}`, { query: { version }, signal }), 0, [saga, version]);
    return useMemo(() => {
        const i = found.data?.body.steps.findIndex((step) => step.name === name);
        return i >= 0 ? at(found.data.text, "steps", i) : undefined;
    }, [found.data, name]);
}

function Facts({ saga, instance, live }) {
    const ended = hasEnded(instance),
        followed = live.state === "live",
        stream = `saga.${saga}`;
    return (
        <Card>
            <dl class="facts narrow">
                <Fact title="State">
                    <Status state={instance.state} />
                    {!ended && live.state !== "connecting" && (
                        <>
                            {" "}
                            <Badge title={followed ? "It is followed as it happens" : "It is asked for every few seconds"}>
                                {followed ? "live" : "every 4 s"}
                            </Badge>
                        </>
                    )}
                </Fact>
                <Fact title="Version">
                    <Link to={sagaPath(saga)} query={{ tab: "definition", version: instance.version }}>
                        {instance.version}
                    </Link>
                </Fact>
                <Fact title="Started">
                    <Time at={instance.created} />
                </Fact>
                <Fact title={ended ? "Ended" : "Last change"}>
                    <Time at={ended ? instance.ended : instance.updated} />
                </Fact>
                <Fact title={ended ? "Took" : "Has run for"}>
                    {duration((ended ? Date.parse(instance.ended) : now.value) - Date.parse(instance.created))}
                </Fact>
                {instance.deadline && (
                    <Fact title="Times out">
                        <Time at={instance.deadline} />
                    </Fact>
                )}
                {instance.pivot_sent && <Fact title="Pivot">sent: no way back</Fact>}
                {may("subscribe", stream) && (
                    <Fact title="Events">
                        <a href={hrefOf(`/streams/${encodeURIComponent(stream)}`, { tab: "live", subject: instance.id })}>
                            {stream}
                        </a>
                    </Fact>
                )}
                {instance.traceparent && (
                    <Fact title="Trace">
                        <code>{instance.traceparent.split("-")[1]?.slice(0, 12)}…</code>{" "}
                        <Copy text={instance.traceparent} label="Copy traceparent" small />
                    </Fact>
                )}
            </dl>
        </Card>
    );
}

/* Why it stands still or went back, and what to do. */
function Cause({ instance, stuck, linkOf, back }) {
    if (!instance.cause && !stuck.length) {
        return null;
    }
    const paused = instance.state === "paused",
        told = paused && stuck.some((one) => one.name === instance.cause?.step);
    return (
        <div class={`saga-cause ${paused ? "tone-warn" : ""}`} role="note">
            {instance.cause && <p>{causeText(told ? { ...instance.cause, error: null } : instance.cause)}</p>}
            {paused &&
                stuck.map((one) => (
                    <p key={one.name}>
                        <Link {...linkOf(one)}>{one.undo ? `Undoing ${one.name}` : one.name}</Link>:{" "}
                        {errorText(one.deed.error)}
                    </p>
                ))}
            {paused && (
                <p class="muted">
                    {back
                        ? "Retry the compensation, or skip it: it then stays undone."
                        : "Retry when its cause is gone, or skip what was done by other means."}
                </p>
            )}
        </div>
    );
}
