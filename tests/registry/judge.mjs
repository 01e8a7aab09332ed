// What ajv says of each payload and of each change of it: the lines of verdicts.txt. `-`: the change does not apply.
import { createRequire } from 'node:module';
import { changes, payloads, schema } from './payloads.mjs';

const require = createRequire(import.meta.url);
const { default: Ajv } = require('ajv');
const { default: addFormats } = require('ajv-formats');

const conforms = addFormats(new Ajv({ strict: false, logger: false, inlineRefs: false, code: { optimize: false } })).compile(schema);

for (const { name, number, payload } of payloads) {
    const verdicts = changes.map(change => {
        const changed = change({ ...payload });
        return !changed ? '-' : conforms(changed) ? 'yes' : 'no';
    });
    console.log(`${name} ${number} ${verdicts.join(' ')}`);
}
