import { Badge } from "./Badge.jsx";

/* One table for the states of all kinds of things. */
const TONES = {
    running: "info",
    live: "good",
    ready: "good",
    active: "good",
    done: "good",
    completed: "good",
    resolved: "good",
    succeeded: "good",
    closed: "good",
    acked: "good",
    "caught-up": "good",
    approved: "good",
    waiting: "info",
    connecting: "info",
    building: "info",
    rebuilding: "info",
    redriven: "info",
    pending: "info",
    retrying: "warn",
    paused: "warn",
    compensating: "warn",
    reconnecting: "warn",
    "half-open": "warn",
    probing: "warn",
    behind: "warn",
    cancelling: "warn",
    compensated: "warn",
    skipped: "warn",
    warn: "warn",
    failed: "bad",
    stopped: "bad",
    parked: "bad",
    open: "bad",
    error: "bad",
    dead: "bad",
    rejected: "bad",
};

export const toneOf = (state) => TONES[state];

export function Status({ state }) {
    return state ? <Badge tone={TONES[state]}><span class="dot" aria-hidden="true" />{state}</Badge> : <span>–</span>;
}
