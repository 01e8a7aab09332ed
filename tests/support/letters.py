"""Dead letters made by SQL, so that tests of the queue need no consumer that fails."""
import json
import os
import time
import uuid

import harness


def quote(value):
    """A SQL literal. bytes as bytea; None as null."""
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def uuid7(ms):
    """A UUIDv7 of a time in milliseconds."""
    raw = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


def stream_id(gateway, stream):
    return int(harness.psql(gateway, f"select stream_id from weir.streams where name = {quote(stream)}")[0])


LAST = [0]


def next_ms():
    """The present, but each time a later one: ids ascend as letters are made."""
    LAST[0] = max(LAST[0] + 1, int(time.time() * 1000) - 1_000_000)
    return LAST[0]


def fingerprint(*parts):
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)).hex


def letter(gateway, stream, offset, group="billing", **given):
    """One row of weir.dead_letters; its id. Columns as given, else as an event that failed four times has them."""
    return letters(gateway, stream, [{"offset": offset, "group_name": group, **given}])[0]


def letters(gateway, stream, rows):
    sid, values, ids, names = stream_id(gateway, stream), [], [], None
    for row in rows:
        ms = next_ms()
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms / 1000))}.{ms % 1000:03}000Z"
        kind = row.pop("error_type", "Timeout")
        error = {"type": kind, "message": f"no answer to call {row['offset']}"}
        attempts = [{"attempt": n, "at": at, "consumer": "c-1", "error": error} for n in range(1, 5)]
        one = {"stream_id": sid, "letter_id": uuid7(ms), "group_name": "billing", "partition": 0, "key": 0, "state": 0,
               "reason": "max-retries", "error": json.dumps(error), "error_type": kind, "error_masked": "no answer to call #",
               "fingerprint": fingerprint(row.get("group_name", "billing"), row.get("type", "T"), kind),
               "attempts": ",".join(map(json.dumps, attempts)), "dead_at": at, "updated_at": at, "recorded": at,
               "id": f"e-{row['offset']}", "type": "T", "subject": None, "version": None, "source": None,
               "attributes": f'"time":"{at}"', "data_format": 1, "data": b'{"n": 1}', "original": None, "note": None,
               "poison": False, "redrives": 0, "auto_redrives": 0, **row}
        names = names or sorted(one)
        values.append("(" + ", ".join(quote(one[name]) for name in names) + ")")
        ids.append(one["letter_id"])
    columns = ", ".join(f'"{name}"' for name in names)
    harness.psql(gateway, f"insert into weir.dead_letters ({columns}) values {', '.join(values)}")
    return ids
