// Publishes every event, a third of them each way that CloudEvents go over HTTP.
//   publish.js [shift]     with another shift each event goes another way; for Weir it stays the same event
import { events } from './events.js';
import { call, stream } from './weir.js';

const LANES = 8, BATCH = 20;
const shift = Number(process.argv[2] ?? 0);
const ways = ['structured', 'batch', 'binary'];

// {"specversion":"1.0",…,"data":<the payload's own bytes>}
const structured = ({ attributes, data }) =>
    Buffer.concat([Buffer.from(JSON.stringify(attributes).slice(0, -1) + ',"data":'), data, Buffer.from('}')]);

const joined = list => list.flatMap((item, i) => (i ? [Buffer.from(','), item] : [item]));

// The CloudEvents HTTP binding percent-encodes what a header cannot carry.
const header = value => value.replace(/[^\x21\x23\x24\x26-\x7e]/gu, encodeURIComponent);

function binary({ attributes: { datacontenttype, ...rest }, data }) {
    const named = Object.entries(rest).map(([name, value]) => [`ce-${name}`, header(value)]);
    return { headers: { 'content-type': datacontenttype, ...Object.fromEntries(named) }, body: data };
}

function* requests() {
    const by = ways.map((_, way) => events.filter((_, i) => (i + shift) % ways.length === way));
    for (const event of by[0])
        yield { headers: { 'content-type': 'application/cloudevents+json' }, body: structured(event) };
    for (let i = 0; i < by[1].length; i += BATCH) {
        const batch = by[1].slice(i, i + BATCH).map(structured);
        yield {
            headers: { 'content-type': 'application/cloudevents-batch+json' },
            body: Buffer.concat([Buffer.from('['), ...joined(batch), Buffer.from(']')]),
        };
    }
    yield* by[2].map(binary);
}

const began = performance.now(), queue = requests(), receipts = [];
let sent = 0;
async function lane() {
    for (const request of queue) {
        sent++;
        receipts.push(...[await (await call('POST', `${stream}/events`, request)).json()].flat());
    }
}
await Promise.all(Array.from({ length: LANES }, lane));

const duplicates = receipts.filter(receipt => receipt.duplicate).length;
const places = new Set(receipts.map(({ partition, offset }) => `${partition}/${offset}`));
const took = Math.round(performance.now() - began);
console.log(`published ${receipts.length} events in ${sent} requests (structured, batch, binary), ${took} ms: ` +
            `${receipts.length - duplicates} recorded, ${duplicates} duplicates`);
if (receipts.length !== events.length || places.size !== events.length || (shift && duplicates !== events.length)) {
    console.error(`publish: ${events.length} events were sent; ${receipts.length} receipts name ${places.size} places`);
    process.exit(1);
}
