// Reads the stream from its beginning as server-sent events until everything is there. It hangs up after every hundredth
// event and resumes at its cursor: nothing may be missing and nothing may come twice.
import { Check } from './check.js';
import { subscribe } from './sse.js';
import { stream } from './weir.js';

const HANG_UP_EVERY = 100;
// One line per event: line breaks between tokens (JSON strings hold none) come as spaces.
const oneLine = data => Buffer.from(data.map(byte => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)));
const check = new Check(oneLine);
let connections = 0, gaps = 0, last;

try {
    connections = await subscribe(`${stream}/events?after=earliest`, Date.now() + 60_000, ({ event, data }) => {
        gaps += event === 'gap';
        if (event)
            return false;                        // up-to-date, gap, bye
        check.take(data);
        last = data;
        return check.complete ? 'end' : check.seen.size % HANG_UP_EVERY === 0 && 'leave';
    });
} catch (error) {
    check.wrong.push(String(error));
}
check.table();
check.end('event stream', `${connections} connections, ${gaps} gaps, the last event of ${last?.length ?? 0} bytes`);
