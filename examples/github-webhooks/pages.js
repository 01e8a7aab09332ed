// Reads the same stream as pages of JSON, whose `data` are the very bytes that were published, line breaks and all.
import { Check } from './check.js';
import { member, values } from './bytes.js';
import { call, stream } from './weir.js';

const check = new Check();
let cursor = 'earliest', pages = 0, more = true;

while (more) {
    const answer = await call('GET', `${stream}/events?after=${cursor}&limit=50`);
    const page = Buffer.from(await answer.arrayBuffer());
    for (const event of values(member(page, 'events')))
        check.take(event);
    cursor = JSON.parse(member(page, 'cursor'));
    more = member(page, 'up_to_date').toString() === 'false';
    pages++;
}
check.end('JSON pages', `${pages} pages`);
