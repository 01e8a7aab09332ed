import { exact, exactTimes, now, relative, serverNow, slowNow } from "../kit/time.js";

const YOUNG = 120000;

/* Relative or exact as the reader chose (key t); the other one is its title. both: both. */
export function Time({ at, both }) {
    if (!at) {
        return <span>–</span>;
    }
    if (Number.isNaN(new Date(at).getTime())) {
        return <span>{String(at)}</span>;
    }
    const age = Math.abs(slowNow.value - new Date(at).getTime());
    const from = age < YOUNG ? now.value : slowNow.value;
    const [long, short] = [exact(at), relative(at, Math.max(from, serverNow() - 1000))];
    const [shown, title] = exactTimes.value ? [long, short] : [short, long];
    return <time dateTime={new Date(at).toISOString()} title={title}>{both ? `${long} (${short})` : shown}</time>;
}
