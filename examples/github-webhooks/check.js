// Holds what was read against what was sent.
import { events, expected, key } from './events.js';
import { member } from './bytes.js';

export class Check {
    seen = new Map();          // key → equal bytes?
    wrong = [];
    #versions = new Map();     // subject → its last version
    #offsets = new Map();      // partition → its last offset

    // sent: what the bytes of `data` must be, given the bytes that were published
    constructor(sent = data => data) {
        this.sent = sent;
    }

    take(text) {
        const { data: _, ...attributes } = JSON.parse(text), id = key(attributes), event = expected.get(id);
        const { partition, offset, subject, version } = attributes;
        if (!event || this.seen.has(id)) {
            this.wrong.push(`${id}: ${event ? 'came twice' : 'was never sent'}`);
            return;
        }
        const differ = Object.entries(event.attributes).filter(([name, value]) => attributes[name] !== value);
        const equal = member(text, 'data')?.equals(this.sent(event.data)) ?? false;
        this.seen.set(id, equal);
        if (!equal)
            this.wrong.push(`${id}: its data has other bytes`);
        if (differ.length)
            this.wrong.push(`${id}: other attributes: ${differ.map(([name]) => name)}`);
        if (BigInt(offset) <= (this.#offsets.get(partition) ?? 0n))
            this.wrong.push(`${id}: offset ${offset} of partition ${partition} came late`);
        if (subject && version !== (this.#versions.get(subject) ?? 0) + 1)
            this.wrong.push(`${id}: version ${version} of ${subject} follows ${this.#versions.get(subject) ?? 0}`);
        this.#offsets.set(partition, BigInt(offset));
        this.#versions.set(subject, version);
    }

    get complete() {
        return this.seen.size === events.length;
    }

    table() {
        const rows = new Map();
        for (const { attributes, data } of events) {
            const row = rows.get(attributes.type) ?? { sent: 0, read: 0, equal: 0, bytes: 0 };
            const equal = this.seen.get(key(attributes));
            row.sent++;
            row.read += equal !== undefined;
            row.equal += equal === true;
            row.bytes += data.length;
            rows.set(attributes.type, row);
        }
        const line = (type, ...figures) => console.log(type.padEnd(58) + figures.map(f => String(f).padStart(9)).join(''));
        line('type', 'sent', 'read', 'equal', 'bytes');
        for (const [type, row] of [...rows].sort())
            line(type, ...Object.values(row));
    }

    // Says how it went in one line; ends the process with an error if anything differs.
    end(name, how) {
        const missing = events.filter(({ attributes }) => !this.seen.has(key(attributes)));
        this.wrong.push(...missing.map(({ attributes }) => `${key(attributes)}: never came`));
        const equal = [...this.seen.values()].filter(Boolean).length;
        console.log(`${name}: ${this.seen.size} of ${events.length} events, ${equal} equal byte for byte, ` +
                    `${this.wrong.length} differences; ${how}`);
        this.wrong.slice(0, 20).forEach(text => console.error(`  ${text}`));
        process.exit(this.wrong.length ? 1 : 0);
    }
}
