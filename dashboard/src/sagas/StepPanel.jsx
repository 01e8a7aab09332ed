import { useMemo } from "preact/hooks";
import { hrefOf, Link } from "../kit/route.js";
import { may, mayAll } from "../kit/rights.js";
import { at, members } from "../kit/json.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Json } from "../parts/Json.jsx";
import { Status } from "../parts/Status.jsx";
import { Time } from "../parts/Time.jsx";
import { duration } from "../kit/time.js";
import { StepActs } from "./Acts.jsx";
import { Fact } from "./Fact.jsx";
import { Icon } from "./Icon.jsx";
import { errorText, KINDS } from "./words.js";

/* One step: what may be done with it, what it did, how it was undone. text: the instance as it was sent. */
export function StepPanel({ saga, instance, text, step, definition, back, kept, onDone }) {
    const own = useMemo(() => at(text, "steps", instance.steps.indexOf(step)), [text, step.name]);
    return (
        <Card
            class="saga-step"
            title={
                <>
                    {step.name}{" "}
                    {step.pivot && (
                        <Badge tone="info" title="Once it is sent there is no way back">
                            pivot
                        </Badge>
                    )}
                </>
            }>
            <p class="saga-does">
                <Icon name={step.kind} /> {KINDS[step.kind]}
                {step.after.length > 0 && <span class="muted">· after {step.after.join(", ")}</span>}
            </p>
            {kept && (
                <p class="note">
                    It has got its {step.kind === "approval" ? "decision" : "signal"} already: it is kept until the step gets to
                    it.
                </p>
            )}
            <StepActs {...{ saga, instance, step, back, kept, onDone }} />
            <Deed deed={step} text={own} />
            {step.compensation && (
                <>
                    <h3>
                        <Icon name="undo" /> Compensation
                    </h3>
                    {step.compensation.begun ? (
                        <Deed deed={step.compensation} text={at(own, "compensation")} of=" of the compensation" />
                    ) : (
                        <p class="muted">{KINDS[step.compensation.kind]}; it is not needed so far.</p>
                    )}
                </>
            )}
            <Part title="Its definition" text={definition} />
        </Card>
    );
}

function Deed({ deed, text, of = "" }) {
    const part = useMemo(() => Object.fromEntries(members(text)), [text]);
    const took = deed.begun && deed.ended ? duration(Date.parse(deed.ended) - Date.parse(deed.begun)) : null;
    return (
        <>
            <dl class="facts narrow">
                <Fact title="Status">
                    <Status state={deed.status} />
                    {deed.unknown && !/succeeded|waiting/.test(deed.status) && (
                        <>
                            {" "}
                            <Badge tone="warn" title="An attempt got no clear answer: it may have been done">
                                outcome unknown
                            </Badge>
                        </>
                    )}
                </Fact>
                {deed.begun && (
                    <Fact title="Begun">
                        <Time at={deed.begun} />
                    </Fact>
                )}
                {deed.ended && (
                    <Fact title="Ended">
                        <Time at={deed.ended} />
                        {took && <span class="muted"> after {took}</span>}
                    </Fact>
                )}
                {deed.due && (
                    <Fact title={deed.status === "waiting" ? "Waits until" : "Next attempt"}>
                        <Time at={deed.due} />
                    </Fact>
                )}
                {/http|publish/.test(deed.kind) && <Fact title="Attempts">{deed.attempts}</Fact>}
                {deed.target && (
                    <Fact title="Target">
                        <code>{mayAll() ? <a href={hrefOf("/targets")}>{deed.target}</a> : deed.target}</code>
                    </Fact>
                )}
                <EventLink at={deed.kind === "publish" ? deed.answer : null} title="Published" />
                <EventLink at={deed.status === "succeeded" && deed.result?.type ? deed.result : null} title="Came" />
            </dl>
            {deed.error && (
                <p class="saga-error" role="note">
                    {errorText(deed.error)}
                </p>
            )}
            {deed.status === "succeeded" && <Part title="Result" of={of} open text={part.result} />}
            {deed.error && <Part title="Error" of={of} text={part.error} />}
            {deed.request && <Part title="What was sent" of={of} text={part.request} />}
            {deed.answer && <Part title="What came" of={of} open={Boolean(deed.error)} text={part.answer} />}
        </>
    );
}

/* To an event of which the place is known, where the token may read it. */
function EventLink({ at: place, title }) {
    const { stream, partition, offset } = place ?? {};
    return !stream || offset === undefined || !may("subscribe", stream) ? null : (
        <Fact title={title}>
            <Link to={`/streams/${encodeURIComponent(stream)}/events/${partition}/${offset}`}>
                {stream} {partition}/{offset}
            </Link>
        </Fact>
    );
}

/* The page is drawn each second, this only when its text is another one. */
function Part({ title, text, open = false, of = "" }) {
    const json = useMemo(() => <Json text={text} label={title + of} />, [text, title, of]);
    return text === undefined ? null : (
        <details open={open}>
            <summary>{title}</summary>
            {json}
        </details>
    );
}
