// publish.mjs TYPE SUBJECT DATA [ID]: publishes one event, prints the receipt. With an id it is safe to send the same again.
//   node publish.mjs OrderPlaced order-7 '{"total":12.50}' order-7-placed
import { randomUUID } from 'node:crypto';

const { WEIR_URL = 'http://127.0.0.1:8080', WEIR_STREAM = 'orders', WEIR_TOKEN } = process.env;
const [type, subject, data, id = randomUUID()] = process.argv.slice(2);
const answer = await fetch(`${WEIR_URL}/v1/streams/${WEIR_STREAM}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${WEIR_TOKEN}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id, source: '/examples/javascript', type, subject, data: JSON.parse(data) }),
});
console.log(await answer.text());
process.exitCode = answer.ok ? 0 : 1;
