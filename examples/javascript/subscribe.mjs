// subscribe.mjs FILE: prints each event, one JSON a line. FILE keeps the cursor: started again, it goes on from there.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const { WEIR_URL = 'http://127.0.0.1:8080', WEIR_STREAM = 'orders', WEIR_TOKEN } = process.env;
const file = process.argv[2];
const handle = event => console.log(event);

for (;; await sleep(2000)) {
    const after = existsSync(file) ? readFileSync(file, 'ascii') : 'earliest';
    try {
        const answer = await fetch(`${WEIR_URL}/v1/streams/${WEIR_STREAM}/events?after=${after}`, {
            headers: { authorization: `Bearer ${WEIR_TOKEN}`, accept: 'text/event-stream' },
        });
        if (!answer.ok) {
            console.error(await answer.text());
            if (![429, 503].includes(answer.status))
                process.exit(1);
            continue;
        }
        let block = {};
        for await (const line of createInterface({ input: Readable.fromWeb(answer.body), crlfDelay: Infinity })) {
            const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
            if (line) {
                block[name] = value;
                continue;
            }
            if (block.data && !block.event)
                handle(block.data);
            if (block.id) {                          // only now: it has been handled
                writeFileSync(`${file}.new`, block.id);
                renameSync(`${file}.new`, file);
            }
            block = {};
        }
    } catch (error) {
        console.error(error.message);
    }
}
