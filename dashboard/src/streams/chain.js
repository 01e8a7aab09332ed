import { api } from "../kit/api.js";
import { serverNow } from "../kit/time.js";
import { fromMicros, micros } from "./micros.js";
import { keyOf } from "./tree.js";

/* The chain that an event belongs to: its causes and effects (causationid), and what shares its correlationid or its trace. The
 * API filters by type and subject alone, so events around its time are looked through, near ones first, so many at a time. */

const SECOND = 1e6, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
/* Effects follow their causes closely: after the event first, then before it, then ever wider. */
const SPANS = [
    [-SECOND, 30 * SECOND], [-MINUTE, -SECOND], [30 * SECOND, 5 * MINUTE], [-10 * MINUTE, -MINUTE],
    [5 * MINUTE, HOUR], [-HOUR, -10 * MINUTE], [HOUR, DAY], [-DAY, -HOUR],
];
export const NEAR_SPANS = 4;          /* looked through without being asked again */
export const EVENTS_A_GO = 20000;
const EVENTS_MAX = 200000;            /* remembered in all, about 300 bytes each */
const PAGE = 1000;

export function beginSearch(event, streams) {
    const at = micros(event.recordedtime);
    const search = { at, streams, read: 0, spans: SPANS.map(([from, to]) => ({ from: at + from, to: at + to })),
        known: new Map() };

    remember(search, event);
    return search;
}

/* Looks on until `spans` of them are done or `events` more were read; onPage is told after each page. */
export async function searchOn(search, { spans, events, signal, onPage }) {
    const until = search.read + events;

    for (const span of search.spans.slice(0, spans)) {
        while (!span.done && search.read < until && search.read < EVENTS_MAX) {
            await lookAt(search, span, signal);
            onPage();
        }
    }
}

export function isOver(search, spans = SPANS.length) {
    return search.read >= EVENTS_MAX || search.spans.slice(0, spans).every((span) => span.done);
}

/* What was looked at around the event, without a hole: { from, to } as times (to undefined: up to now); undefined: nothing yet.
 * A span before the event counts when it is done, as it is read from its far end. */
export function lookedRange(search) {
    let from, to;

    for (const span of search.spans.filter((one) => one.done || (one.cursor && one.to > search.at))) {
        from = Math.min(from ?? span.from, span.from);
        to = Math.max(to ?? span.from, span.done ? span.to : span.seen);
    }
    return from === undefined ? undefined : { from: fromMicros(from), to: to > serverNow() * 1000 ? undefined : fromMicros(to) };
}

async function lookAt(search, span, signal) {
    const query = { stream: search.streams, limit: PAGE };
    const { body } = await api.get("/v1/events", {
        query: span.cursor ? { ...query, after: span.cursor } : { ...query, from_time: fromMicros(span.from) }, signal });
    const times = body.events.map((event) => micros(event.recordedtime));

    for (const event of body.events) {
        remember(search, event);
    }
    search.read += body.events.length;
    span.cursor = body.cursor;
    span.seen = Math.min(span.to, times.reduce((a, b) => Math.max(a, b), span.seen ?? span.from));
    /* Streams and partitions come about in the order of time: a whole page behind the end is the end. */
    span.done = body.up_to_date || (times.length > 0 && times.every((us) => us >= span.to));
}

function remember(search, event) {
    const key = keyOf(event);

    if (!search.known.has(key)) {
        search.known.set(key, {
            key, stream: event.stream, partition: event.partition, offset: event.offset, recordedtime: event.recordedtime,
            id: event.id,
            type: event.type, subject: event.subject, correlationid: event.correlationid, causationid: event.causationid,
            trace: traceOf(event),
        });
    }
}

export function traceOf(event) {
    return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(event.traceparent ?? "")?.[1];
}

/* Whether anything could be found at all. An event without any of these may still be the cause of others. */
export function linksOf(event) {
    return ["correlationid", "causationid", "traceparent"].filter((name) => event[name]);
}
