// What the programs of this folder share: where the registry is, and a line for each thing that works.
export const { REGISTRY_URL: url, REGISTRY_TOKEN: token, REGISTRY_PREFIX: prefix } = process.env;

export async function step(sentence, does) {
    try {
        await does();
    } catch (error) {
        console.log(`not ok - ${sentence}\n${error.stack}`);
        process.exit(1);
    }
    console.log(`ok - ${sentence}`);
}

export const plain = value => JSON.parse(JSON.stringify(value)); // of avsc's classes

export const placed = {
    type: 'record', name: 'OrderPlaced', namespace: 'com.example',
    fields: [{ name: 'order', type: 'string' }, { name: 'total', type: 'double' },
             { name: 'lines', type: { type: 'array', items: { type: 'record', name: 'Line',
                 fields: [{ name: 'sku', type: 'string' }, { name: 'count', type: 'int' }] } } }],
};
export const widened = { ...placed, fields: [...placed.fields, { name: 'note', type: ['null', 'string'], default: null }] };
export const breaking = { ...placed, fields: [...placed.fields, { name: 'currency', type: 'string' }] };
export const order = { order: 'o-1 größer', total: 19.9, lines: [{ sku: 'A', count: 2 }, { sku: 'B', count: 1 }] };

export const customer = { type: 'record', name: 'Customer', namespace: 'com.example', fields: [{ name: 'name', type: 'string' }] };
export const sale = { type: 'record', name: 'Sale', namespace: 'com.example',
                      fields: [{ name: 'customer', type: 'com.example.Customer' }, { name: 'total', type: 'double' }] };

export const paid = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', additionalProperties: false, required: ['total'],
                      properties: { total: { type: 'number', minimum: 0 } } };
export const paidBy = { ...paid, properties: { ...paid.properties, by: { enum: ['card', 'cash'] } } };
export const paidBreaking = { ...paid, required: ['total', 'by'], properties: { ...paid.properties, by: { type: 'string' } } };
export const address = { $id: 'address.json', $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', required: ['city'],
                         properties: { city: { type: 'string' } } };
export const person = { $id: 'person.json', $schema: 'http://json-schema.org/draft-07/schema#', type: 'object',
                        properties: { home: { $ref: 'address.json' } } };
