// @kafkajs/confluent-schema-registry against a running registry.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { address, breaking, customer, order, paid, paidBreaking, paidBy, person, placed, plain, prefix, sale, step, token, url, widened } from './steps.mjs';

const { COMPATIBILITY, SchemaRegistry, SchemaType } = createRequire(import.meta.url)('@kafkajs/confluent-schema-registry');

const connect = (password = token, options) =>
    new SchemaRegistry({ host: url, auth: { username: 'weir', password }, retry: { retries: 0 } }, options);
const avro = (schema, references) => ({ type: SchemaType.AVRO, schema: JSON.stringify(schema), references });
const json = (schema, references) => ({ type: SchemaType.JSON, schema: JSON.stringify(schema), references });
const registry = connect();
const subject = name => ({ subject: `${prefix}${name}` });
const refused = status => error => error.status === status;
let first, second;

await step('Avro: a schema is registered, and again with the same id', async () => {
    first = await registry.register(avro(placed), subject('placed'));
    assert.ok(first.id > 0);
    assert.deepEqual(await connect().register(avro(placed), subject('placed')), first);
});
await step('Avro: what one encodes another decodes', async () => {
    const bytes = await registry.encode(first.id, order);
    assert.equal(bytes.readInt32BE(1), first.id);
    assert.deepEqual(plain(await connect().decode(bytes)), order);
});
await step('Avro: a compatible version is registered; ids are found by version, latest and schema', async () => {
    second = await registry.register(avro(widened), subject('placed'));
    assert.notEqual(second.id, first.id);
    const other = connect(), name = `${prefix}placed`;
    assert.equal(await other.getRegistryId(name, 1), first.id);
    assert.equal(await other.getRegistryId(name, 'latest'), second.id);
    assert.equal(await other.getLatestSchemaId(name), second.id);
    assert.equal(await other.getRegistryIdBySchema(name, avro(placed)), first.id);
    await assert.rejects(other.getRegistryIdBySchema(name, avro(customer)), /ConfluentSchemaRegistryError/);
});
await step('Avro: an incompatible version is refused, and the reason arrives', async () => {
    await assert.rejects(connect().register(avro(breaking), subject('placed')),
        error => error.status === 409 && /READER_FIELD_MISSING_DEFAULT_VALUE/.test(error.message));
});
await step('levels: what the registry has must be what the program wants', async () => {
    await registry.register(avro(placed), { ...subject('full'), compatibility: COMPATIBILITY.FULL });
    await assert.rejects(registry.register(avro(placed), subject('full')), /ConfluentSchemaRegistryCompatibilityError/);
    await registry.register(avro(breaking), { ...subject('none'), compatibility: COMPATIBILITY.NONE });
    await registry.register(avro(placed), { ...subject('none'), compatibility: COMPATIBILITY.NONE });
});
await step('Avro: a schema that refers to another', async () => {
    await registry.register(avro(customer), subject('customer'));
    const { id } = await registry.register(avro(sale, [{ name: 'com.example.Customer', subject: `${prefix}customer`, version: 1 }]), subject('sale'));
    const value = { customer: { name: 'Ada' }, total: 5 };
    assert.deepEqual(plain(await connect().decode(await connect().encode(id, value))), value);
});
await step('JSON Schema: registered, encoded, decoded, checked', async () => {
    const { id } = await registry.register(json(paid), subject('paid'));
    const bytes = await connect().encode(id, { total: 5 });
    assert.deepEqual(await connect().decode(bytes), { total: 5 });
    await assert.rejects(connect().encode(id, { total: 'five' }));
    assert.notEqual((await registry.register(json(paidBy), subject('paid'))).id, id);
    await assert.rejects(registry.register(json(paidBreaking), subject('paid')), refused(409));
});
await step('JSON Schema: a schema that refers to another', async () => {
    await registry.register(json(address), subject('address'));
    const { id } = await registry.register(json(person, [{ name: 'address.json', subject: `${prefix}address`, version: 1 }]), subject('person'));
    assert.deepEqual(await connect().decode(await connect().encode(id, { home: { city: 'Bonn' } })), { home: { city: 'Bonn' } });
    await assert.rejects(connect().encode(id, { home: {} }));
});
await step('a subject may have a slash, blanks and letters of all the world', async () => {
    const { id } = await registry.register(avro(placed), subject('a/b c%2F größer'));
    assert.equal(await connect().getLatestSchemaId(`${prefix}a/b c%2F größer`), id);
});
await step('errors: an unknown id, an unknown subject, a token that is none', async () => {
    await assert.rejects(connect().getSchema(2000000000), refused(404));
    await assert.rejects(connect().getLatestSchemaId(`${prefix}nowhere`), refused(404));
    await assert.rejects(connect('bad').getLatestSchemaId(`${prefix}placed`), error => error.unauthorized);
});
