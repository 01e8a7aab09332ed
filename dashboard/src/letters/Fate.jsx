import { path as pathOf } from "../kit/api.js";
import { Link } from "../kit/route.js";
import { Status } from "../parts/Status.jsx";
import { Time } from "../parts/Time.jsx";
import { Poison } from "./KindsTable.jsx";

/* What is the case now, and what comes next. */
function sentence({ state, group, redrives }) {
    const after = redrives === 1 ? "a redrive" : `${redrives} redrives`;

    if (state === "redriven") {
        return `Sent back to ${group}. It waits for a worker to take it and acknowledge it.`;
    }
    if (state === "resolved") {
        return `Done: ${group} acknowledged it after ${after}.`;
    }
    if (state === "discarded") {
        return "Discarded: nobody gets it any more.";
    }
    return redrives ? `Dead again after ${after}. Look at what it died of this time.` :
        "It waits for you: repair it if its data are wrong, then redrive it, or discard it.";
}

const ORDER = { parked: 1, discarded: 1, redriven: 2, resolved: 3 };

function Steps({ letter }) {
    const far = ORDER[letter.state];
    const steps = [["Died", true], ["Repaired", Boolean(letter.original_event)], ["Redriven", far >= 2], ["Resolved", far >= 3]];

    return (
        <ol class="letter-steps" aria-label="How far it is">
            {steps.map(([name, done]) => (
                <li key={name} class={done ? "done" : undefined}>
                    {name}<span class="unseen">{done ? ": done" : ": not done"}</span>
                </li>
            ))}
        </ol>
    );
}

const PROJECTION = "projection:";

function groupPage(stream, group) {
    return group.startsWith(PROJECTION) ? pathOf`/projections/${group.slice(PROJECTION.length)}` :
        pathOf`/groups/${stream}/${group}`;
}

export function Fate({ letter, stream }) {
    return (
        <div class="letter-fate">
            <p>
                <Status state={letter.state} /> {letter.poison && <Poison />}
                <span role="status">{sentence(letter)}</span>
            </p>
            <p class="muted">
                <span>Group <Link to={groupPage(stream, letter.group)}>{letter.group}</Link></span>
                <span>died <Time at={letter.dead_at} /></span>
                {letter.updated_at !== letter.dead_at && <span>changed <Time at={letter.updated_at} /></span>}
                {letter.note && <span>note: {letter.note}</span>}
            </p>
            {letter.poison && (
                <p class="muted">It died of the same again after a redrive: dlq_retry of its group leaves this kind to you.</p>
            )}
            {letter.state !== "discarded" && <Steps letter={letter} />}
        </div>
    );
}
