import { api } from "../kit/api.js";
import { fromMicros, micros } from "./micros.js";

/* Where an event is, by its partition and offset. The API finds places by time, so a link carries the event's recorded time;
 * without it the time is searched for: offsets and times grow together, and a guess between two known points is soon near. */

const PAGE = 500;            /* events a call, once it is near */
const WALK_MAX = 20;         /* such calls: an event of a transaction of 10,000 is still found */
const PROBES_MAX = 60;       /* calls for one event each: times have 51 bits, and every other probe halves what is left */

/* One page of a partition as it is stored: { events: [{ text, event }], cursor }. */
export async function readLines(stream, query, signal) {
    const answer = await api.get(api.path`/v1/streams/${stream}/events`, { query, signal,
        headers: { Accept: "application/x-ndjson" } });
    const lines = answer.text.split("\n").filter(Boolean);

    return { events: lines.map((text) => ({ text, event: JSON.parse(text) })), cursor: answer.headers.get("Weir-Cursor") };
}

/* { text, event } or { missing: "removed" | "later" | "none", earliest, head }. */
export async function findEvent({ stream, partition, offset, at, signal }) {
    const wanted = BigInt(offset);
    const near = at && await walk(stream, partition, wanted, at, signal);

    return near || search(stream, partition, wanted, signal);
}

async function search(stream, partition, wanted, signal) {
    const { body } = await api.get(api.path`/v1/streams/${stream}`, { signal });
    const part = body.partition_status.find((one) => one.partition === partition);
    const missing = absent(part, wanted);

    if (missing) {
        return { missing, earliest: part?.earliest, head: part?.head };
    }
    const from = await timeBefore(stream, partition, wanted, signal, {
        low: { offset: BigInt(part.earliest) - 1n, us: micros(body.created) },
        high: { offset: BigInt(part.head) + 1n, us: micros(body.last_event_time) + 1 },
    });
    return await walk(stream, partition, wanted, from, signal) || { missing: "none", earliest: part.earliest, head: part.head };
}

function absent(part, wanted) {
    if (!part) {
        return "none";
    }
    return wanted < BigInt(part.earliest) ? "removed" : wanted > BigInt(part.head) ? "later" : undefined;
}

/* A time not long before the wanted event was recorded: fewer than `near` events lie between, or all of them have one time. */
async function timeBefore(stream, partition, wanted, signal, { low, high, near = PAGE }) {
    for (let n = 0; n < PROBES_MAX && wanted - low.offset >= near && high.us - low.us > 1; n++) {
        const us = n % 2 ? Math.floor((low.us + high.us) / 2) : between(low, high, wanted, near);
        const { events } = await readLines(stream, { partition, from_time: fromMicros(us), limit: 1 }, signal);
        const first = events[0] && BigInt(events[0].event.offset);

        if (first === undefined || first > wanted) {
            high = { offset: first ?? high.offset, us };
        } else {
            low = { offset: first, us: Math.max(us, low.us) };
            if (first === wanted) {
                break;
            }
        }
    }
    return fromMicros(low.us);
}

/* As if events had come evenly; a little before, so that one probe is often enough. */
function between(low, high, wanted, near) {
    const share = Number(wanted - low.offset - BigInt(near >> 1)) / Math.max(1, Number(high.offset - low.offset));

    return Math.min(high.us - 1, Math.max(low.us + 1, low.us + Math.floor((high.us - low.us) * share)));
}

async function walk(stream, partition, wanted, from, signal) {
    let query = { partition, from_time: from, limit: 1 };

    for (let n = 0; n < WALK_MAX; n++) {
        const { events, cursor } = await readLines(stream, query, signal);
        const found = events.find((one) => BigInt(one.event.offset) >= wanted);

        if (found || !events.length) {
            return found && BigInt(found.event.offset) === wanted ? { ...found, next: events.at(-1) === found && cursor }
                : undefined;
        }
        query = { partition, after: cursor, limit: PAGE };
    }
    return undefined;
}

/* Where a tail begins that should show about so many events that are there already: as a query of the API. */
export async function recentStart(stream, wanted, signal) {
    const { body } = await api.get(api.path`/v1/streams/${stream}`, { signal });
    const kept = body.partition_status.map((one) => ({ ...one, count: BigInt(one.head) - BigInt(one.earliest) + 1n }));
    const total = kept.reduce((sum, one) => sum + one.count, 0n);
    const busiest = kept.reduce((a, b) => (b.count > a.count ? b : a));

    if (total <= BigInt(wanted)) {
        return { after: "earliest" };
    }
    const back = BigInt(wanted) * busiest.count / total;
    const at = await timeBefore(stream, busiest.partition, BigInt(busiest.head) - back, signal, {
        low: { offset: BigInt(busiest.earliest) - 1n, us: micros(body.created) },
        high: { offset: BigInt(busiest.head) + 1n, us: micros(body.last_event_time) + 1 },
        near: Math.max(4, Math.ceil(Number(back) / 2)),
    });
    return { from_time: at };
}
