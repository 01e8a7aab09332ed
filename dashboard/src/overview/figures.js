/* What the overview shows, from few calls whatever there is: the list of streams, and for admin:* the metrics, which the gateway
 * collects of all groups, projections and sagas at once. Other tokens get the lists, and a walk over some of their groups. */
import { all, get, path } from "../kit/api.js";
import { may, mayAny } from "../kit/rights.js";
import { samples } from "./metrics.js";

const GROUPS_WALKED = 40, STREAMS_WALKED = 40, SAGAS_WALKED = 20;

export const isOwn = (stream) => stream.startsWith("_") || stream.startsWith("saga.") || stream.endsWith(".dlq");

/* {streams, more, published: events ever recorded in streams that are not Weir's own} */
export async function readStreams(signal) {
    const { body } = await get("/v1/streams", { query: { limit: 1000 }, signal });
    const streams = body.items.filter((stream) => !isOwn(stream.name));
    const published = streams.reduce(
        (sum, stream) => sum + stream.partition_status.reduce((n, one) => n + Number(one.head), 0),
        0,
    );
    return { streams, more: Boolean(body.next), published };
}

const WANTED = new Set([
    "weir_delivered_events_total",
    "weir_group_delivered_events_total",
    "weir_group_lag_events",
    "weir_group_lag_seconds",
    "weir_group_in_flight",
    "weir_group_retrying",
    "weir_dlq_letters",
    "weir_projection_lag_events",
    "weir_projection_lag_seconds",
    "weir_projection_failed",
    "weir_projection_paused",
    "weir_saga_instances",
    "weir_target_breaker_state",
    "weir_group_figures_timestamp_seconds",
    "weir_group_series_dropped",
]);

/* Rows of samples that belong to one thing: gathered(found, ["stream", "group"], {weir_group_lag_events: "lag"}) */
function gathered(found, keys, names) {
    const rows = new Map();
    for (const { name, labels, value } of found) {
        if (names[name]) {
            const key = JSON.stringify(keys.map((one) => labels[one]));
            const row = rows.get(key) ?? Object.fromEntries(keys.map((one) => [one, labels[one]]));
            row[names[name]] = value;
            rows.set(key, row);
        }
    }
    return [...rows.values()];
}

/* Everything at once, as the gateway collected it. `delivered` is counted by the gateway that answers. */
export async function readMetrics(signal) {
    const { text } = await get("/metrics", { headers: { Accept: "text/plain" }, signal });
    const found = samples(text, WANTED);
    const one = (name) => found.find((sample) => sample.name === name)?.value ?? 0;
    const collected = one("weir_group_figures_timestamp_seconds");
    return {
        delivered: one("weir_delivered_events_total") + one("weir_group_delivered_events_total"),
        groups: gathered(found, ["stream", "group"], { weir_group_lag_events: "lag", weir_group_lag_seconds: "seconds",
            weir_group_in_flight: "inFlight", weir_group_retrying: "retrying", weir_dlq_letters: "dead" }),
        projections: gathered(found, ["projection"], { weir_projection_lag_events: "lag", weir_projection_lag_seconds: "seconds",
            weir_projection_failed: "failed", weir_projection_paused: "paused" }),
        sagas: gathered(found, ["saga", "state"], { weir_saga_instances: "count" }),
        targets: gathered(found, ["target"], { weir_target_breaker_state: "breaker" }),
        collected: collected ? collected * 1000 : null,
        partial: one("weir_group_series_dropped") > 0,
    };
}

/* The same for a token that may not read metrics: one call after the other, and not more of them than the limits above. */
/* Deleted on the way: the rest is shown. */
function unlessGone(error) {
    if (error.status !== 404) {
        throw error;
    }
    return null;
}

export async function walk(streams, signal) {
    const found = { delivered: null, groups: [], projections: [], sagas: [], targets: [], collected: null, partial: false };
    const seen = streams.filter(({ name }) => ["subscribe", "manage", "dlq"].some((action) => may(action, name)))
        .sort((a, b) => ((b.last_event_time ?? "") < (a.last_event_time ?? "") ? -1 : 1));
    found.partial = seen.length > STREAMS_WALKED;
    for (const { name } of seen.slice(0, STREAMS_WALKED)) {
        const groups = await get(path`/v1/streams/${name}/groups`, { query: { limit: 100 }, signal }).catch(unlessGone);
        for (const group of groups?.body.items ?? []) {
            if (found.groups.length >= GROUPS_WALKED) {
                found.partial = true;
                break;
            }
            const status = await get(path`/v1/streams/${name}/groups/${group.name}`, { signal }).catch(unlessGone);
            found.groups.push(...(status ? [statusOf(status.body)] : []));
        }
    }
    await Promise.all([walkProjections(found, signal), walkSagas(found, signal)]);
    return found;
}

function statusOf(group) {
    return {
        stream: group.stream,
        group: group.name,
        lag: group.lag.events,
        seconds: group.lag.seconds,
        inFlight: group.in_flight,
        retrying: group.retrying,
        dead: group.dead,
    };
}

async function walkProjections(found, signal) {
    if (mayAny("projection")) {
        const { body } = await get("/v1/projections", { signal });
        found.projections = body.items.map((one) => ({
            projection: one.name,
            lag: one.lag?.events ?? 0,
            seconds: one.lag?.seconds ?? 0,
            failed: one.state === "failed" ? 1 : 0,
            paused: one.paused ? 1 : 0,
        }));
    }
}

async function walkSagas(found, signal) {
    if (!mayAny("saga")) {
        return;
    }
    const { items } = await all("/v1/sagas", { query: { limit: 100 }, signal, most: SAGAS_WALKED });
    for (const { name } of items.slice(0, SAGAS_WALKED)) {
        const saga = await get(path`/v1/sagas/${name}`, { signal }).catch(unlessGone);
        found.sagas.push(...Object.entries(saga?.body.instances ?? {}).map(([state, count]) => ({ saga: name, state, count })));
    }
}
