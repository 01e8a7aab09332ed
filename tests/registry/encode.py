"""Events as the serializers of confluent-kafka write them: a line of JSON each, {"type", "data_base64"}. Schemas are registered."""
import base64
import json
import os
import random

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

URL, TOKEN, PREFIX = (os.environ[f"REGISTRY_{name}"] for name in ("URL", "TOKEN", "PREFIX"))
RNG = random.Random(int(os.environ["ENCODE_SEED"]))
NODE = {"type": "record", "name": "Node", "namespace": "com.example", "fields": [
    {"name": "flag", "type": "boolean"}, {"name": "number", "type": "int"}, {"name": "large", "type": "long"},
    {"name": "single", "type": "float"}, {"name": "exact", "type": "double"}, {"name": "raw", "type": "bytes"},
    {"name": "text", "type": "string"}, {"name": "nothing", "type": "null"},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B", "C"]}},
    {"name": "digest", "type": {"type": "fixed", "name": "Digest", "size": 7}},
    {"name": "either", "type": ["null", "string", "long"]},
    {"name": "list", "type": {"type": "array", "items": "long"}},
    {"name": "map", "type": {"type": "map", "values": "string"}},
    {"name": "nodes", "type": {"type": "array", "items": "com.example.Node"}}]}
PAID = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Paid", "type": "object", "required": ["total"],
        "properties": {"total": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}}}


def text():
    return "".join(chr(RNG.choice((RNG.randrange(32, 127), RNG.randrange(0xa0, 0xd800), RNG.randrange(0x10000, 0x10ffff))))
                   for _ in range(RNG.randrange(20)))


def node(depth):
    return {"flag": RNG.random() < 0.5, "number": RNG.randrange(-2**31, 2**31), "large": RNG.randrange(-2**63, 2**63),
            "single": 1.5, "exact": RNG.random(), "raw": RNG.randbytes(RNG.randrange(300)), "text": text(), "nothing": None,
            "kind": RNG.choice("ABC"), "digest": RNG.randbytes(7), "either": RNG.choice([None, text(), RNG.randrange(-100, 100)]),
            "list": [RNG.randrange(-2**40, 2**40) for _ in range(RNG.randrange(5))],
            "map": {text(): text() for _ in range(RNG.randrange(4))},
            "nodes": [node(depth - 1) for _ in range(RNG.randrange(3))] if depth else []}


def main():
    client = SchemaRegistryClient({"url": URL, "basic.auth.user.info": f"weir:{TOKEN}", "max.retries": 0})
    named = {"subject.name.strategy": lambda context, _: PREFIX + context.topic}
    kinds = {"node": (AvroSerializer(client, json.dumps(NODE), conf=named), lambda: node(RNG.randrange(4))),
             "paid": (JSONSerializer(json.dumps(PAID), client, conf=named),
                      lambda: {"total": RNG.random(), "tags": [text() for _ in range(RNG.randrange(3))]})}
    for kind, (serializer, value) in kinds.items():
        for _ in range(int(os.environ["ENCODE_EACH"])):
            data = serializer(value(), SerializationContext(kind, MessageField.VALUE))
            print(json.dumps({"type": kind, "data_base64": base64.b64encode(data).decode()}))


main()
