// The payloads of @octokit/webhooks-examples, as they are and changed in ways whose place is known. tests/unit/test_webhook_payloads.c
// makes the same changes.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const schema = require('@octokit/webhooks-schemas');
const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value);

export const changes = [
    payload => payload,
    payload => 'sender' in payload && delete payload.sender && payload,
    payload => isObject(payload.sender) && { ...payload, sender: { ...payload.sender, login: 17 } },
    payload => 'action' in payload && { ...payload, action: 7 },
    payload => isObject(payload.repository) && { ...payload, repository: { ...payload.repository, id: 'text' } },
];
export const payloads = require('@octokit/webhooks-examples').flatMap(({ name, examples }) =>
    examples.map((payload, number) => ({ name, number, payload })));
