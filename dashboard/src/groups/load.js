import { api } from "../kit/api.js";
import { parseMetrics } from "../kit/metrics.js";
import { token } from "../kit/session.js";
import { inTurns } from "../kit/turns.js";

/* Streams whose groups are asked for at once, and the groups of a page: each costs a call. */
export const STREAMS_A_PAGE = 50;
export const GROUPS_A_PAGE = 40;

const FIGURES = {
    weir_group_lag_events: "lagEvents",
    weir_group_lag_seconds: "lagSeconds",
    weir_group_in_flight: "inFlight",
    weir_group_retrying: "retrying",
    weir_dlq_letters: "dead",
};

export const keyOf = (group) => `${group.stream}/${group.name}`;

/* The groups of so many pages of streams, or of one stream: {groups, streams (whose they can be), more}. */
export async function loadGroups({ stream, pages }, signal) {
    if (stream) {
        return { groups: await groupsOf(stream, signal), streams: [stream], more: false };
    }
    const groups = [],
        streams = [];
    let after;
    for (let page = 0; page < pages && after !== null; page++) {
        const found = await loadPage(after, signal);
        groups.push(...found.groups);
        streams.push(...found.streams);
        after = found.next;
    }
    return { groups, streams, more: after !== null };
}

async function loadPage(after, signal) {
    const { body } = await api.get("/v1/streams", { query: { limit: STREAMS_A_PAGE, after }, signal });
    const lists = await inTurns(body.items, 4, (stream) => groupsOf(stream.name, signal));
    return { groups: lists.flat(), streams: body.items.map((stream) => stream.name), next: body.next };
}

export async function groupsOf(stream, signal) {
    const groups = [];
    let after;
    try {
        do {
            const { body } = await api.get(api.path`/v1/streams/${stream}/groups`, { query: { limit: 1000, after }, signal });
            groups.push(...body.items);
            after = body.next;
        } while (after);
    } catch (problem) {
        if (problem.status !== 404) {
            // it was deleted meanwhile
            throw problem;
        }
    }
    return groups;
}

/* Groups of streams that have not been looked at, as far as the figures name them: none that needs attention is missed. */
export function groupsBeyond({ streams, more }, figures) {
    const known = new Set(streams);
    return (more && figures ? [...figures.keys()] : [])
        .map((key) => {
            const [stream, name] = key.split("/");
            return { stream, name };
        })
        .filter((group) => !known.has(group.stream));
}

/* The groups of these streams by keyOf. */
export async function definitionsOf(streams, signal) {
    const lists = await inTurns(streams, 3, (stream) => groupsOf(stream, signal));
    return new Map(lists.flat().map((group) => [keyOf(group), group]));
}

/* Figures by keyOf. Who may read /metrics has those of all groups in one answer; what is not in it is asked for group by group,
 * at most so many. */
export async function loadFigures(groups, { everything, most }, signal) {
    const collected = everything ? await fromMetrics(signal) : new Map();
    const rest = groups.filter((group) => !collected.has(keyOf(group)));
    await inTurns(rest.slice(0, most), 2, async (group) => {
        try {
            const { body } = await api.get(api.path`/v1/streams/${group.stream}/groups/${group.name}`, { signal });
            collected.set(keyOf(group), figuresOf(body));
        } catch (problem) {
            if (problem.status !== 404) {
                throw problem;
            }
        }
    });
    return collected;
}

export function figuresOf(status) {
    return {
        lagEvents: status.lag.events,
        lagSeconds: status.lag.seconds,
        inFlight: status.in_flight,
        retrying: status.retrying,
        dead: status.dead,
    };
}

let refused = null; // a token that may not read the metrics is not tried again

async function fromMetrics(signal) {
    const found = new Map();
    if (refused !== null && refused === token.value) {
        return found;
    }
    try {
        const { text } = await api.get("/metrics", { headers: { Accept: "text/plain" }, signal });
        for (const { name, labels, value } of parseMetrics(text)) {
            if (FIGURES[name]) {
                merge(found, labels, { [FIGURES[name]]: value });
            }
        }
    } catch (problem) {
        if (problem.status !== 403) {
            throw problem;
        }
        refused = token.value;
    }
    // Beyond metrics.groups_max a group may have its letters alone.
    return new Map([...found].filter(([, figures]) => figures.lagEvents !== undefined));
}

function merge(found, { stream, group }, figures) {
    const key = `${stream}/${group}`;
    found.set(key, { ...found.get(key), ...figures });
}
