import { bytes, count } from "../kit/format.js";
import { relative, serverNow } from "../kit/time.js";

/* What an operator would want to be told about a stream at a glance: [{ tone, text, title }], at most a few words each. */

const QUIET_MS = 24 * 3600 * 1000;
const SKEWED_FROM = 1000;          /* events: fewer say nothing about the keys */
const LARGE = 1 << 30;

export function oddities(stream, now = serverNow()) {
    return [empty, quiet, uneven, unlimited, unchecked].map((look) => look(stream, now)).filter(Boolean);
}

function empty(stream) {
    return stream.last_event_time ? undefined :
        { tone: "info", text: "empty", title: "No event was ever published to it." };
}

function quiet(stream, now) {
    const at = Date.parse(stream.last_event_time ?? "");

    return now - at > QUIET_MS ? { tone: "warn", text: "quiet", title: `The last event came ${relative(at, now)}.` } : undefined;
}

export function share(stream) {
    const kept = stream.partition_status.map((one) => Math.max(0, Number(one.head) - Number(one.earliest) + 1));
    const total = kept.reduce((a, b) => a + b, 0);

    return { kept, total, largest: Math.max(...kept) };
}

/* One partition has three times its share, or some have nothing: few keys, or keys that are not spread. */
function uneven(stream) {
    const { kept, total, largest } = share(stream);
    const idle = kept.filter((n) => n === 0).length;

    if (kept.length < 2 || total < SKEWED_FROM) {
        return undefined;
    }
    if (largest * kept.length > 3 * total || (kept.length < 4 && largest > 0.8 * total)) {
        return { tone: "warn", text: "skewed",
            title: `Partition ${kept.indexOf(largest)} holds ${count(largest)} of ${count(total)} events.` };
    }
    return idle ? { tone: "warn", text: `${idle} idle`, title: `${idle} of ${kept.length} partitions hold no event.` }
        : undefined;
}

function unlimited(stream) {
    return stream.retention === "forever" && stream.bytes >= LARGE && !isOwn(stream.name) ?
        { tone: "warn", text: "kept for ever", title: `It holds ${bytes(stream.bytes)} and nothing is ever removed.` }
            : undefined;
}

function unchecked(stream) {
    return stream.schema_validation === "warn" ?
        { tone: "info", text: "schemas warn",
            title: "Events that break their schema are recorded all the same, with schemaerror." } : undefined;
}

/* Weir writes these itself: read like any other, changed by nobody. */
export function isOwn(name) {
    return /^(_|saga\.)|\.dlq$/.test(name);
}

/* How many events were ever given an offset. */
export function headOf(stream) {
    return stream.partition_status.reduce((sum, one) => sum + Number(one.head), 0);
}
