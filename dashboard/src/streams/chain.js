import { api } from "../kit/api.js";
import { fromMicros, micros } from "./micros.js";

/* The chain that an event belongs to: its causes and effects (causationid), and what shares its correlationid or its trace. The API
 * filters by type and subject alone, so events around its time are looked through, near ones first, so many at a time. */

const SECOND = 1e6, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
/* Effects follow their causes closely: after the event first, then before it, then ever wider. */
const SPANS = [
    [-SECOND, 30 * SECOND], [-MINUTE, -SECOND], [30 * SECOND, 5 * MINUTE], [-10 * MINUTE, -MINUTE],
    [5 * MINUTE, HOUR], [-HOUR, -10 * MINUTE], [HOUR, DAY], [-DAY, -HOUR],
];
export const NEAR_SPANS = 4;          /* looked through without being asked again */
export const EVENTS_A_GO = 20000;
const EVENTS_MAX = 200000;            /* remembered in all, about 300 bytes each */
const SHOWN_MAX = 500;
const PAGE = 1000;

export function beginSearch(event, streams) {
    const at = micros(event.recordedtime);
    const search = { at, streams, read: 0, spans: SPANS.map(([from, to]) => ({ from: at + from, to: at + to })), known: new Map() };

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

/* What was looked at around the event, without a hole: { from, to } as times (to undefined: up to now); undefined: nothing yet. A span
 * before the event counts when it is done, as it is read from its far end. */
export function lookedRange(search) {
    let from, to;

    for (const span of search.spans.filter((one) => one.done || (one.cursor && one.to > search.at))) {
        from = Math.min(from ?? span.from, span.from);
        to = Math.max(to ?? span.from, span.done ? span.to : span.seen);
    }
    return from === undefined ? undefined : { from: fromMicros(from), to: to > Date.now() * 1000 ? undefined : fromMicros(to) };
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
            key, stream: event.stream, partition: event.partition, offset: event.offset, recordedtime: event.recordedtime, id: event.id,
            type: event.type, subject: event.subject, correlationid: event.correlationid, causationid: event.causationid,
            trace: traceOf(event),
        });
    }
}

export function keyOf(event) {
    return `${event.stream}/${event.partition}/${event.offset}`;
}

export function traceOf(event) {
    return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(event.traceparent ?? "")?.[1];
}

/* Whether anything could be found at all. An event without any of these may still be the cause of others. */
export function linksOf(event) {
    return ["correlationid", "causationid", "traceparent"].filter((name) => event[name]);
}

/* All that hangs together with the event, in order of time, as far as is known: { events, more }. */
export function related(search, event) {
    const index = { id: new Map(), cause: new Map(), correlation: new Map(), trace: new Map() };

    for (const one of search.known.values()) {
        put(index.id, one.id, one);
        put(index.cause, one.causationid, one);
        put(index.correlation, one.correlationid, one);
        put(index.trace, one.trace, one);
    }
    const found = new Map();
    const open = [search.known.get(keyOf(event))];
    while (open.length && found.size < SHOWN_MAX) {
        const one = open.shift();
        if (!found.has(one.key)) {
            found.set(one.key, one);
            open.push(...take(index.id, one.causationid), ...take(index.cause, one.id),
                ...take(index.correlation, one.correlationid), ...take(index.trace, one.trace));
        }
    }
    const events = [...found.values()].sort((a, b) => (a.recordedtime < b.recordedtime ? -1 : a.recordedtime > b.recordedtime ? 1 : 0));
    return { events, more: open.some((one) => !found.has(one.key)) };
}

function put(map, key, one) {
    if (key) {
        map.get(key)?.push(one) ?? map.set(key, [one]);
    }
}

/* Each list once: a thousand events of one correlation would else push a million. */
function take(map, key) {
    const list = (key && map.get(key)) || [];

    map.delete(key);
    return list;
}

/* Trees by cause: [{ event, children, lost }], where lost is the id of a cause that was not found. */
export function treeOf(events) {
    const nodes = new Map(events.map((event) => [event.key, { event, children: [], lost: undefined }]));
    const byId = new Map(events.map((event) => [event.id, nodes.get(event.key)]));
    const roots = [];

    for (const node of nodes.values()) {
        const cause = node.event.causationid && byId.get(node.event.causationid);
        if (cause && !isBelow(node, cause, byId)) {
            cause.children.push(node);
        } else {
            node.lost = node.event.causationid && !cause ? node.event.causationid : undefined;
            roots.push(node);
        }
    }
    return roots;
}

/* Whether the cause is the node or one of its effects: wrong ids must not make a ring. */
function isBelow(node, cause, byId) {
    const seen = new Set();

    for (let at = cause; at && !seen.has(at); at = at.event.causationid && byId.get(at.event.causationid)) {
        if (at === node) {
            return true;
        }
        seen.add(at);
    }
    return false;
}
