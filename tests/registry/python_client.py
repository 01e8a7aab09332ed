"""confluent-kafka's client of a schema registry against a running one. Run by the Python of deps/registry-venv."""
import contextlib
import json
import os

from confluent_kafka.schema_registry import Metadata, MetadataProperties, Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

URL, TOKEN, PREFIX = (os.environ[f"REGISTRY_{name}"] for name in ("URL", "TOKEN", "PREFIX"))
PLACED = {"type": "record", "name": "OrderPlaced", "namespace": "com.example",
          "fields": [{"name": "order", "type": "string"}, {"name": "total", "type": "double"}]}
WIDENED = {**PLACED, "fields": [*PLACED["fields"], {"name": "note", "type": ["null", "string"], "default": None}]}
BREAKING = {**PLACED, "fields": [*PLACED["fields"], {"name": "currency", "type": "string"}]}
ORDER = {"order": "o-1 größer", "total": 19.9}
CUSTOMER = {"type": "record", "name": "Customer", "namespace": "com.example", "fields": [{"name": "name", "type": "string"}]}
SALE = {"type": "record", "name": "Sale", "namespace": "com.example",
        "fields": [{"name": "customer", "type": "com.example.Customer"}, {"name": "total", "type": "double"}]}
DRAFT = "http://json-schema.org/draft-07/schema#"
PAID = {"$schema": DRAFT, "title": "Paid", "type": "object", "required": ["total"], "properties": {"total": {"type": "number"}},
        "additionalProperties": False}
PAID_BREAKING = {**PAID, "required": ["total", "by"], "properties": {**PAID["properties"], "by": {"type": "string"}}}
ADDRESS = {"$schema": DRAFT, "$id": "address.json", "type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
PERSON = {"$schema": DRAFT, "title": "Person", "type": "object", "properties": {"home": {"$ref": "address.json"}}}


def connect(password=TOKEN):
    return SchemaRegistryClient({"url": URL, "basic.auth.user.info": f"weir:{password}", "max.retries": 0})


def bearer():
    return SchemaRegistryClient({"url": URL, "bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": TOKEN,
                                 "bearer.auth.logical.cluster": "lsrc-1", "bearer.auth.identity.pool.id": "pool-1"})


def schema(of, kind="AVRO", *references):
    return Schema(json.dumps(of), kind, [SchemaReference(name, PREFIX + subject, 1) for name, subject in references])


@contextlib.contextmanager
def refused(status, code):
    try:
        yield
    except SchemaRegistryError as error:
        assert (error.http_status_code, error.error_code) == (status, code), error
    else:
        raise AssertionError(f"it was not refused with {code}")


def value(topic):
    return SerializationContext(PREFIX + topic, MessageField.VALUE)


def test_schemas_are_registered_looked_up_and_found_by_id():
    client, name = connect(), PREFIX + "placed"
    first = client.register_schema(name, schema(PLACED))
    assert connect().register_schema(name, schema(PLACED)) == first
    normal = connect().register_schema(PREFIX + "normal", schema(PLACED), normalize_schemas=True)
    assert connect().register_schema(PREFIX + "normal", schema(dict(reversed(PLACED.items()))), normalize_schemas=True) == normal
    assert connect().register_schema(PREFIX + "elsewhere", schema(PLACED)) == first
    second = client.register_schema(name, schema(WIDENED))
    other = bearer()
    assert json.loads(other.get_schema(first).schema_str) == PLACED
    found = other.lookup_schema(name, schema(WIDENED))
    assert (found.schema_id, found.version, found.subject) == (second, 2, name)
    assert {PREFIX + "elsewhere", name} <= set(other.get_subjects())
    assert other.get_versions(name) == [1, 2]
    assert other.get_latest_version(name).schema_id == second
    assert other.get_version(name, 1).schema_id == first
    for method, arguments, wanted in (("get_subjects_by_schema_id", (first,), lambda got: {name, PREFIX + "elsewhere"} <= set(got)),
                                      ("get_schema_versions", (second,), lambda got: [(v.subject, v.version) for v in got] == [(name, 2)]),
                                      ("get_schema_types", (), lambda got: {"AVRO", "JSON"} <= set(got)),
                                      ("get_referenced_by", (name, 1), lambda got: got == [])):
        got = getattr(other, method)(*arguments)
        assert wanted(got), (method, got)


def test_levels_are_kept_and_what_breaks_is_refused():
    client, name = connect(), PREFIX + "levels"
    client.register_schema(name, schema(PLACED))
    assert client.get_compatibility() == "BACKWARD"
    with refused(404, 40408):
        client.get_compatibility(name)
    assert client.test_compatibility(name, schema(WIDENED)) and not client.test_compatibility(name, schema(BREAKING))
    assert not client.test_compatibility(name, schema(BREAKING), 1)
    with refused(409, 40901):
        client.register_schema(name, schema(BREAKING))
    with refused(422, 42201):
        client.register_schema(name, Schema('{"type":"nonsense"}', "AVRO"))
    client.set_compatibility(name, "none")
    assert client.get_compatibility(name) == "NONE"
    client.register_schema(name, schema(BREAKING))
    with refused(422, 42203):
        client.set_compatibility(name, "sideways")


def test_avro_is_registered_by_the_serializer_and_decoded_elsewhere():
    bytes_ = AvroSerializer(connect(), json.dumps(PLACED))(ORDER, value("avro"))
    assert AvroDeserializer(connect())(bytes_, value("avro")) == ORDER
    latest = AvroSerializer(connect(), conf={"auto.register.schemas": False, "use.latest.version": True})
    assert latest(ORDER, value("avro")) == bytes_


def test_avro_with_references():
    client = connect()
    client.register_schema(PREFIX + "customer", schema(CUSTOMER))
    sale = schema(SALE, "AVRO", ("com.example.Customer", "customer"))
    given = {"customer": {"name": "Ada"}, "total": 5.0}
    bytes_ = AvroSerializer(client, sale)(given, value("sale"))
    assert AvroDeserializer(connect())(bytes_, value("sale")) == given
    assert connect().get_referenced_by(PREFIX + "customer", 1) == [connect().get_latest_version(PREFIX + "sale-value").schema_id]
    with refused(422, 42206):
        client.delete_subject(PREFIX + "customer")


def test_json_schema_is_registered_checked_and_decoded():
    client = connect()
    serializer = JSONSerializer(json.dumps(PAID), client)
    bytes_ = serializer({"total": 5}, value("paid"))
    assert JSONDeserializer(None, schema_registry_client=connect())(bytes_, value("paid")) == {"total": 5}
    try:
        serializer({"total": "five"}, value("paid"))
    except SerializationError:
        pass
    else:
        raise AssertionError("a text is no number")
    with refused(409, 40901):
        client.register_schema(PREFIX + "paid-value", schema(PAID_BREAKING, "JSON"))


def test_json_schema_with_references():
    client = connect()
    client.register_schema(PREFIX + "address", schema(ADDRESS, "JSON"))
    person = schema(PERSON, "JSON", ("address.json", "address"))
    bytes_ = JSONSerializer(person, client)({"home": {"city": "Bonn"}}, value("person"))
    got = JSONDeserializer(None, schema_registry_client=connect())(bytes_, value("person"))
    assert got == {"home": {"city": "Bonn"}}


def test_deletes_are_soft_first_and_ids_stay():
    client, name = connect(), PREFIX + "deleted"
    ids = [client.register_schema(name, schema(one)) for one in (PLACED, WIDENED)]
    assert client.delete_version(name, 1) == 1
    assert connect().get_versions(name) == [2] and connect().get_versions(name, deleted=True) == [1, 2]
    assert connect().register_schema(name, schema(PLACED)) == ids[0]
    assert connect().get_latest_version(name).version == 3
    assert connect().delete_subject(name) == [2, 3]
    assert name not in connect().get_subjects() and name in connect().get_subjects(deleted=True)
    assert connect().delete_subject(name, permanent=True) == [1, 2, 3]
    with refused(404, 40401):
        connect().get_versions(name)


def test_versions_are_found_by_metadata_and_lists_are_filtered():
    client, name = connect(), PREFIX + "metadata"
    for version, of in enumerate((PLACED, WIDENED), 1):
        properties = Metadata(None, MetadataProperties({"owner": "sales", "stage": f"s{version}"}), None)
        client.register_schema(name, Schema(json.dumps(of), "AVRO", [], properties))
    assert client.get_latest_with_metadata(name, {"owner": "sales"}).version == 2
    found = client.get_latest_with_metadata(name, {"stage": "s1", "owner": "sales"})
    assert (found.version, found.schema.metadata.properties.properties) == (1, {"owner": "sales", "stage": "s1"})
    with refused(404, 40403):
        client.get_latest_with_metadata(name, {"owner": "nobody"})
    assert json.loads(client.get_schema(found.schema_id, name).schema_str) == PLACED
    assert client.get_subjects_by_schema_id(found.schema_id, name) == [name]
    client.delete_version(name, 1)
    assert client.get_versions(name, deleted_only=True) == [1]
    assert client.get_subjects(subject_prefix=name) == [name] and client.get_subjects(name, deleted_only=True) == []
    client.delete_subject(name)
    assert client.get_subjects(name, deleted_only=True) == [name] and client.get_subjects(name) == []


def test_errors_have_their_codes():
    client = connect()
    client.register_schema(PREFIX + "errors", schema(PLACED))
    for code, call in ((40401, lambda: client.get_latest_version(PREFIX + "nowhere")), (40402, lambda: client.get_version(PREFIX + "errors", 99)),
                       (40403, lambda: client.get_schema(2000000000)), (40403, lambda: client.lookup_schema(PREFIX + "errors", schema(CUSTOMER)))):
        with refused(int(str(code)[:3]), code):
            call()
    try:
        connect("bad").get_subjects()
    except SchemaRegistryError as error:
        assert error.http_status_code == 401 and error.error_code > 0, error
    else:
        raise AssertionError("a token that is none was let in")


for sentence, does in list(globals().items()):
    if sentence.startswith("test_"):
        does()
        print(f"ok - {sentence[5:].replace('_', ' ')}")
