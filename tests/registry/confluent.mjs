// @confluentinc/schemaregistry against a running registry.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { address, breaking, customer, order, paid, paidBreaking, paidBy, person, placed, plain, prefix, sale, step, token, url, widened } from './steps.mjs';

// By its parts: the whole would load the libraries of three clouds, for the encryption of fields.
const require = createRequire(import.meta.url), part = name => require(`@confluentinc/schemaregistry/dist/${name}`);
const { Compatibility, SchemaRegistryClient } = part('schemaregistry-client');
const { SerdeType } = part('serde/serde'), { AvroDeserializer, AvroSerializer } = part('serde/avro');
const { JsonDeserializer, JsonSerializer } = part('serde/json');

const connect = (password = token) => new SchemaRegistryClient({ baseURLs: [url], maxRetries: 0,
    basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo: `weir:${password}` } });
const bearer = () => new SchemaRegistryClient({ baseURLs: [url], maxRetries: 0, bearerAuthCredentials:
    { credentialsSource: 'STATIC_TOKEN', token, logicalCluster: 'lsrc-1', identityPoolId: 'pool-1' } });
const avro = (schema, references) => ({ schemaType: 'AVRO', schema: JSON.stringify(schema), ...(references && { references }) });
const json = (schema, references) => ({ schemaType: 'JSON', schema: JSON.stringify(schema), ...(references && { references }) });
const client = connect(), name = `${prefix}placed`;
const refused = (status, code) => error => error.status === status && error.errorCode === code;
let first, second;

await step('register: an id, the same for the same, and for the same elsewhere', async () => {
    first = await client.register(name, avro(placed));
    assert.ok(first > 0);
    assert.equal(await connect().register(name, avro(placed)), first);
    assert.equal(await connect().register(`${prefix}elsewhere`, avro(placed)), first);
    assert.equal(await connect().getId(name, avro(placed)), first);
    assert.equal((await bearer().getBySubjectAndId(name, first)).schemaType ?? 'AVRO', 'AVRO');
});
await step('versions: all, latest, by number, by schema', async () => {
    second = await client.register(name, avro(widened));
    const other = connect();
    assert.deepEqual(await other.getAllVersions(name), [1, 2]);
    const latest = await other.getLatestSchemaMetadata(name);
    assert.deepEqual([latest.subject, latest.version, latest.id], [name, 2, second]);
    assert.deepEqual(JSON.parse(latest.schema), widened);
    assert.equal((await other.getSchemaMetadata(name, 1)).id, first);
    assert.equal(await other.getVersion(name, avro(placed)), 1);
    assert.ok((await other.getAllSubjects()).includes(name));
});
await step('compatibility: asked for, and a version that breaks is refused', async () => {
    assert.equal(await client.testSubjectCompatibility(name, avro(widened)), true);
    assert.equal(await client.testSubjectCompatibility(name, avro(breaking)), false);
    assert.equal(await client.testCompatibility(name, 1, avro(breaking)), false);
    assert.equal(await client.testSubjectCompatibility(`${prefix}unknown`, avro(breaking)), true);
    await assert.rejects(client.register(name, avro(breaking)), refused(409, 40901));
    await assert.rejects(client.register(name, { schemaType: 'AVRO', schema: '{"type":"nonsense"}' }), refused(422, 42201));
});
await step('levels: global by default, of a subject when set', async () => {
    assert.equal(await client.getDefaultCompatibility(), 'BACKWARD');
    await assert.rejects(client.getCompatibility(name), refused(404, 40408));
    assert.equal(await client.updateCompatibility(name, Compatibility.FULL), 'FULL');
    assert.equal(await client.getCompatibility(name), 'FULL');
    assert.equal((await client.getConfig(name)).compatibilityLevel, 'FULL');
    assert.equal((await client.updateConfig(name, { compatibility: Compatibility.NONE })).compatibility, 'NONE');
    await client.register(name, avro(breaking));
});
await step('Avro: registered by the serializer, decoded by another client', async () => {
    const topic = `${prefix}avro-auto`;
    await client.register(`${topic}-value`, avro(placed));
    const latest = new AvroSerializer(connect(), SerdeType.VALUE, { autoRegisterSchemas: false, useLatestVersion: true });
    const bytes = await latest.serialize(topic, order);
    assert.equal(bytes.readInt32BE(1), first);
    assert.deepEqual(plain(await new AvroDeserializer(connect(), SerdeType.VALUE, {}).deserialize(topic, bytes)), order);
});
await step('Avro: with references', async () => {
    const topic = `${prefix}sale`;
    await client.register(`${prefix}customer`, avro(customer));
    await client.register(`${topic}-value`, avro(sale, [{ name: 'com.example.Customer', subject: `${prefix}customer`, version: 1 }]));
    const serializer = new AvroSerializer(connect(), SerdeType.VALUE, { autoRegisterSchemas: false, useLatestVersion: true });
    const value = { customer: { name: 'Ada' }, total: 5 };
    const bytes = await serializer.serialize(topic, value);
    assert.deepEqual(plain(await new AvroDeserializer(connect(), SerdeType.VALUE, {}).deserialize(topic, bytes)), value);
});
await step('JSON Schema: latest version, checked on both sides, references', async () => {
    const topic = `${prefix}person`, conf = { autoRegisterSchemas: false, useLatestVersion: true, validate: true };
    await client.register(`${prefix}address`, json(address));
    await client.register(`${topic}-value`, json(person, [{ name: 'address.json', subject: `${prefix}address`, version: 1 }]));
    const serializer = new JsonSerializer(connect(), SerdeType.VALUE, conf);
    const bytes = await serializer.serialize(topic, { home: { city: 'Bonn' } });
    assert.deepEqual(await new JsonDeserializer(connect(), SerdeType.VALUE, { validate: true }).deserialize(topic, bytes), { home: { city: 'Bonn' } });
    await assert.rejects(serializer.serialize(topic, { home: {} }), /Invalid message/);
});
await step('JSON Schema: registered by the serializer; a breaking version is refused', async () => {
    const topic = `${prefix}paid`;
    await client.register(`${topic}-value`, json(paid));
    await client.register(`${topic}-value`, json(paidBy));
    await assert.rejects(client.register(`${topic}-value`, json(paidBreaking)), refused(409, 40901));
    const auto = new JsonSerializer(connect(), SerdeType.VALUE, { autoRegisterSchemas: true, validate: true });
    const bytes = await auto.serialize(`${prefix}auto`, { total: 5, by: 'card' });
    assert.deepEqual(await new JsonDeserializer(connect(), SerdeType.VALUE, {}).deserialize(`${prefix}auto`, bytes), { total: 5, by: 'card' });
    assert.deepEqual(await client.getAllVersions(`${prefix}auto-value`), [1]);
});
await step('deletes: softly, then for good; registered again it is a new version with its old id', async () => {
    assert.equal(await client.deleteSubjectVersion(name, 2), 2);
    assert.deepEqual(await connect().getAllVersions(name), [1, 3]);
    assert.equal((await connect().getSchemaMetadata(name, 2, true)).id, second);
    await assert.rejects(connect().getSchemaMetadata(name, 2), refused(404, 40402));
    assert.equal(await connect().register(name, avro(widened)), second);
    assert.deepEqual(await connect().getAllVersions(name), [1, 3, 4]);
    assert.deepEqual(await client.deleteSubject(`${prefix}elsewhere`), [1]);
    assert.deepEqual(await client.deleteSubject(`${prefix}elsewhere`, true), [1]);
    await assert.rejects(connect().getLatestSchemaMetadata(`${prefix}elsewhere`), refused(404, 40401));
});
await step('errors: unknown subject, version, id, and a token that is none', async () => {
    await assert.rejects(connect().getLatestSchemaMetadata(`${prefix}nowhere`), refused(404, 40401));
    await assert.rejects(connect().getSchemaMetadata(name, 99), refused(404, 40402));
    await assert.rejects(connect().getBySubjectAndId(name, 2000000000), refused(404, 40403));
    await assert.rejects(connect('bad').getAllSubjects(), error => error.status === 401 && error.errorCode > 0);
});
