import { all, get, path } from "../kit/api.js";
import { may, rights } from "../kit/rights.js";

/* Which streams may have letters, and what they died of. */

const ACTIONS = ["publish", "subscribe", "dlq", "schema", "saga", "projection", "manage"];
const AT_ONCE = 4;
const COPY = ".dlq";                /* the stream that tells of each death: it is made at the first one */

/* Names, those with the latest deaths first. A stream whose `.dlq` the token could see, and that has none, has no letters. */
export async function streamsWithLetters(signal) {
    const { items } = await all("/v1/streams", { signal });
    const copies = new Map(items.filter((s) => s.name.endsWith(COPY)).map((s) => [s.name.slice(0, -COPY.length), s]));
    const hidden = (name) => (rights.value ? !ACTIONS.some((action) => may(action, name + COPY)) : !copies.size);
    const latest = (name) => (copies.has(name) ? copies.get(name).last_event_time ?? "9" : "");

    return items.map((s) => s.name)
        .filter((name) => !name.endsWith(COPY) && may("dlq", name) && (copies.has(name) || hidden(name)))
        .sort((a, b) => latest(b).localeCompare(latest(a)) || a.localeCompare(b));
}

/* {items, more} of each stream, a few at a time. Streams that went meanwhile, or are not for this token, are passed over. */
export async function summaries(streams, query, signal) {
    const found = new Array(streams.length).fill(null);
    let next = 0;
    const worker = async () => {
        while (next < streams.length) {
            const i = next++;
            found[i] = await summaryOf(streams[i], query, signal).catch(passedOver);
        }
    };

    await Promise.all(Array.from({ length: Math.min(AT_ONCE, streams.length) }, worker));
    return found.filter(Boolean);
}

function passedOver(error) {
    if (error.status === 403 || error.status === 404) {
        return null;
    }
    throw error;
}

export async function summaryOf(stream, query, signal) {
    const { body } = await get(path`/v1/streams/${stream}/dlq/summary`, { query: { ...query, limit: 100 }, signal });

    return { stream, items: body.items.map((kind) => ({ ...kind, stream })), more: Boolean(body.next) };
}
