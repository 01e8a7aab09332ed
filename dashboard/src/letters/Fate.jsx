import { path as pathOf } from "../kit/api.js";
import { Link } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Status } from "../parts/Status.jsx";
import { Time } from "../parts/Time.jsx";

/* What is the case now, and what comes next. */
function sentence(letter) {
    switch (letter.state) {
    case "redriven":
        return `Sent back to ${letter.group}. It waits for a worker to take it and acknowledge it.`;
    case "resolved":
        return `Done: ${letter.group} acknowledged it after ${letter.redrives === 1 ? "a redrive" : `${letter.redrives} redrives`}.`;
    case "discarded":
        return "Discarded: nobody gets it any more.";
    default:
        return letter.redrives ? `Dead again after ${letter.redrives === 1 ? "a redrive" : `${letter.redrives} redrives`}. Look at what it died of this time.` :
            "It waits for you: repair it if its data are wrong, then redrive it, or discard it.";
    }
}

const ORDER = { parked: 1, discarded: 1, redriven: 2, resolved: 3 };

/* died - repaired - redriven - resolved */
function Steps({ letter }) {
    const far = ORDER[letter.state];
    const steps = [["Died", true], ["Repaired", Boolean(letter.original_event)], ["Redriven", far >= 2], ["Resolved", far >= 3]];

    return (
        <ol class="letter-steps" aria-label="How far it is">
            {steps.map(([name, done]) => (
                <li key={name} class={done ? "done" : undefined}>{name}<span class="unseen">{done ? ": done" : ": not done"}</span></li>
            ))}
        </ol>
    );
}

export function Fate({ letter, stream }) {
    const group = letter.group.startsWith("projection:") ? pathOf`/projections/${letter.group.slice("projection:".length)}` :
        pathOf`/groups/${stream}/${letter.group}`;

    return (
        <div class="letter-fate">
            <p>
                <Status state={letter.state} /> {letter.poison && <Badge tone="bad">poison</Badge>}
                <span role="status">{sentence(letter)}</span>
            </p>
            <p class="muted">
                Group <Link to={group}>{letter.group}</Link> · died <Time at={letter.dead_at} />
                {letter.updated_at !== letter.dead_at && <> · changed <Time at={letter.updated_at} /></>}
                {letter.note && <> · note: {letter.note}</>}
            </p>
            {letter.poison && <p class="muted">It died of the same again after a redrive: dlq_retry of its group leaves letters of this kind to you.</p>}
            {letter.state !== "discarded" && <Steps letter={letter} />}
        </div>
    );
}
