// validate.mjs bytes|objects SECONDS: how many payloads of @octokit/webhooks-examples a second ajv checks, compiled, from their bytes
// (JSON.parse, then ajv) or when they are objects already. Prints a line of JSON.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../registry/package.json', import.meta.url));
const { default: Ajv } = require('ajv');
const { default: addFormats } = require('ajv-formats');
const WARM_UP = 3;                     // seconds: what is compiled at run time is compiled in them

const [, , from, seconds] = process.argv;
const conforms = addFormats(new Ajv({ strict: false, logger: false })).compile(require('@octokit/webhooks-schemas'));
const payloads = require('@octokit/webhooks-examples').flatMap(({ examples }) => examples);
const bytes = payloads.map(payload => Buffer.from(JSON.stringify(payload)));
const check = from === 'bytes' ? i => conforms(JSON.parse(bytes[i])) : i => conforms(payloads[i]);

function run(ns) {
    const begin = process.hrtime.bigint(), times = [];
    let before = begin, conform;

    do {
        conform = 0;
        for (let i = 0; i < payloads.length; i++) {
            conform += check(i);
            const after = process.hrtime.bigint();
            times.push(Number(after - before) / 1e6);
            before = after;
        }
    } while (before - begin < ns);
    times.sort((a, b) => a - b);
    return { count: times.length, seconds: Number(before - begin) / 1e9, p50: times[times.length >> 1],
             p99: times[Math.floor(times.length * 0.99)], conform };
}

run(BigInt(WARM_UP) * 1_000_000_000n);
console.log(JSON.stringify(run(BigInt(Math.round(seconds * 1e9)))));
