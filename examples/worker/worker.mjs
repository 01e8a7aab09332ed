// worker.mjs: does the work of a consumer group, one event after the other. SIGTERM: finishes what it has, then ends.
import { setTimeout as sleep } from 'node:timers/promises';

const { WEIR_URL = 'http://127.0.0.1:8080', WEIR_STREAM = 'orders', WEIR_GROUP = 'billing', WEIR_TOKEN, WEIR_WAIT = '5s' } = process.env;
const headers = { authorization: `Bearer ${WEIR_TOKEN}`, 'content-type': 'application/json' };
let stop = false;
for (const ending of ['SIGTERM', 'SIGINT'])
    process.on(ending, () => { stop = true; });

// Yours. What it throws fails the delivery: the event comes again, after a while.
async function handle(event) {
    if (event.data?.total === undefined)
        throw new TypeError('data has no total');
    console.log(event.subject, event.data.total);
}

// Whatever it is, it may be sent again.
async function call(what, body) {
    for (;; await sleep(1000)) {
        try {
            const path = `${WEIR_URL}/v1/streams/${WEIR_STREAM}/groups/${WEIR_GROUP}/${what}`;
            const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
            if (answer.ok)
                return await answer.json();
            console.error(await answer.text());
            if (![429, 503].includes(answer.status))
                process.exit(1);
        } catch (error) {                            // Weir restarts
            console.error(error.message);
        }
        if (stop)
            process.exit(1);
    }
}

while (!stop) {
    const { deliveries } = await call('receive', { max: 10, wait: WEIR_WAIT, consumer: 'worker.mjs' });
    for (const { delivery_id, event } of deliveries) {
        try {
            await handle(event);
            await call('ack', { delivery_ids: [delivery_id] });
        } catch (error) {
            const { name: type, message, stack } = error;
            await call('nack', { delivery_ids: [delivery_id], error: { type, message, stack } });
        }
    }
}
