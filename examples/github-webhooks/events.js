// The events: every example of @octokit/webhooks-examples, the same ones in every process and every run.
import { createRequire } from 'node:module';

const webhooks = createRequire(import.meta.url)('@octokit/webhooks-examples');

// Bytes as different senders write them: compact (as GitHub does), indented, and indented with CR LF.
const layouts = [
    payload => JSON.stringify(payload),
    payload => JSON.stringify(payload, null, 2),
    payload => JSON.stringify(payload, null, '\t').replaceAll('\n', '\r\n'),
];

// id and source name an event for ever: whoever sends it again gets the first receipt, and nothing is recorded twice.
function attributes(name, payload, number) {
    const of = payload.repository?.full_name;
    const owner = of ?? payload.organization?.login ?? payload.sender?.login;
    return {
        specversion: '1.0',
        id: `${name}.${number}`,
        source: 'https://github.com' + (owner ? `/${owner}` : ''),
        type: `com.github.${name}` + (payload.action ? `.${payload.action}` : ''),
        ...(of && { subject: of }),
        datacontenttype: 'application/json',
    };
}

export const events = webhooks
    .flatMap(({ name, examples }) => examples.map((payload, number) => ({ name, payload, number })))
    .map(({ name, payload, number }, i) => ({
        attributes: attributes(name, payload, number),
        data: Buffer.from(layouts[i % layouts.length](payload)),
    }));

export const key = ({ source, id }) => `${source} ${id}`;
export const expected = new Map(events.map(event => [key(event.attributes), event]));
