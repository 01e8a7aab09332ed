import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { duration, serverNow } from "../kit/time.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Field } from "../parts/Field.jsx";
import { Progress } from "../parts/Progress.jsx";
import { Time } from "../parts/Time.jsx";

/* Builds anew, from where the definition begins or from elsewhere. */
export function RebuildAction({ name, onDone }) {
    const [from, setFrom] = useState("definition");
    const [time, setTime] = useState("");
    const call = () => {
        if (from === "time" && !time) {
            return null;
        }
        const body = from === "definition" ? {} : { from: from === "time" ? { time: new Date(time).toISOString() } : from };
        return { method: "POST", path: api.path`/v1/projections/${name}/rebuild`, body };
    };
    return (
        <Action label="Rebuild" call={call} onDone={onDone} said="The rebuild has begun" confirm={{
            title: `Rebuild ${name}?`, label: "Rebuild it",
            text: "A new set of states is folded beside the one that is read, and takes its place when it has caught up. " +
                "One that runs already is begun again.",
        }}>
            <Field label="From">
                <select value={from} onChange={(event) => setFrom(event.currentTarget.value)}>
                    <option value="definition">where the definition starts</option>
                    <option value="earliest">the earliest event</option>
                    <option value="latest">now</option>
                    <option value="time">a time</option>
                </select>
            </Field>
            {from === "time" && (
                <Field label="Events recorded since" hint="In your time zone.">
                    <input type="datetime-local" step="1" required value={time}
                        onInput={(event) => setTime(event.currentTarget.value)} />
                </Field>
            )}
        </Action>
    );
}

/* How far it is. The time left is guessed from the time so far. */
export function Rebuilding({ projection: { build, rebuild, paused } }) {
    const { done, total, folded, created, error } = rebuild;
    const part = total ? done / total : 0, spent = serverNow() - Date.parse(created);
    const left = part > 0.02 && part < 1 && !paused && !error ? spent / part - spent : null;
    return (
        <Card title={`Rebuild: build ${rebuild.build}`} class="rebuilding">
            <Progress label={`Rebuild, build ${rebuild.build}`} value={done} max={total} tone={error ? "bad" : undefined} />
            <p class="muted">
                {count(done)} of {count(total)} events looked at, {count(folded)} folded; begun <Time at={created} />
                {left !== null && <>, about {duration(left)} left</>}. Build {build} is read meanwhile.
            </p>
        </Card>
    );
}
