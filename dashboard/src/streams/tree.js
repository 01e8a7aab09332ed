/* Events that belong together, and their order of cause and effect. An event here: { key, id, recordedtime, correlationid?,
 * causationid?, trace?, … }. */

const SHOWN_MAX = 500;

export function keyOf(event) {
    return `${event.stream}/${event.partition}/${event.offset}`;
}

/* All that hangs together with the event, in order of time, of what is known (a Map by key): { events, more }. */
export function related(known, event) {
    const index = { id: new Map(), cause: new Map(), correlation: new Map(), trace: new Map() };

    for (const one of known.values()) {
        put(index.id, one.id, one);
        put(index.cause, one.causationid, one);
        put(index.correlation, one.correlationid, one);
        put(index.trace, one.trace, one);
    }
    const found = new Map();
    const open = [known.get(keyOf(event))];
    while (open.length && found.size < SHOWN_MAX) {
        const one = open.shift();
        if (!found.has(one.key)) {
            found.set(one.key, one);
            open.push(...take(index.id, one.causationid), ...take(index.cause, one.id),
                ...take(index.correlation, one.correlationid), ...take(index.trace, one.trace));
        }
    }
    const events = [...found.values()].sort((a, b) =>
        Number(a.recordedtime > b.recordedtime) - Number(a.recordedtime < b.recordedtime));
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
