// Server-sent events, as bytes, and the coming back where one was when the connection ends.
import { call } from './weir.js';

const LF = 0x0a, CR = 0x0d, COLON = 0x3a, SPACE = 0x20;

async function* lines(body) {
    let rest = Buffer.alloc(0);
    for await (const chunk of body) {
        rest = Buffer.concat([rest, chunk]);
        for (let at; (at = rest.indexOf(LF)) >= 0; rest = rest.subarray(at + 1))
            yield rest.subarray(0, rest[at - 1] === CR ? at - 1 : at);
    }
}

// Blocks {event, id, retry, data}; a block that the end of the connection cuts off is none.
async function* blocks(body) {
    let block = {}, data = [];
    for await (const line of lines(body)) {
        if (line.length === 0) {
            yield { ...block, data: data.length ? Buffer.concat(data) : undefined };
            [block, data] = [{}, []];
            continue;
        }
        const colon = line.includes(COLON) ? line.indexOf(COLON) : line.length;
        const name = line.toString('utf8', 0, colon), value = line.subarray(colon + (line[colon + 1] === SPACE ? 2 : 1));
        if (name === 'data')
            data.push(...(data.length ? [Buffer.from('\n')] : []), value);
        else
            block[name] = value.toString();      // a comment has the name ''
    }
}

// Calls take(block) for each block with data until it says 'end'. On 'leave' it hangs up and resumes.
// The cursor moves after a block has been taken: what fails midway comes again.
export async function subscribe(path, deadline, take) {
    let cursor, retry = 2000;
    for (let connections = 1; ; connections++) {
        const { body } = await call('GET', path, {
            headers: { accept: 'text/event-stream', ...(cursor && { 'last-event-id': cursor }) },
            signal: AbortSignal.timeout(Math.max(1, deadline - Date.now())),
        });
        let verdict;
        for await (const block of blocks(body)) {
            verdict = block.data && take(block);
            cursor = block.id ?? cursor;
            retry = Number(block.retry ?? retry);
            if (verdict)
                break;                           // closes the connection
        }
        if (verdict === 'end')
            return connections;
        if (!verdict)
            await new Promise(resolve => setTimeout(resolve, retry));
    }
}
