"""`verify` finds exactly what somebody has changed behind the projection's back, and nothing else, while events keep coming.
And: events that cannot be folded become one dead letter each, whatever dies; all others are folded once.

    projections_verify.py [drift letters] [--seed N]
"""
import argparse
import os
import sys
import time

import groups_rig
import projections_once
import projections_rig as shops
import rig
from rig import harness

SPOILED = """
    update weir.projection_states s set state = replace(state, '"events":', '"events":1')
      from weir.projections p
     where p.name = '{name}' and s.projection_id = p.projection_id and s.build = p.build and s.key = any('{{{keys}}}') returning 1"""
VANISHED = """
    delete from weir.projection_states s using weir.projections p
     where p.name = '{name}' and s.projection_id = p.projection_id and s.build = p.build and s.key = '{key}' returning 1"""
INVENTED = """
    insert into weir.projection_states (projection_id, build, key, state, version, part, last_part, last_offset)
    select projection_id, build, 'nobody', '{{"events":1}}', 1, 0, 0, 1 from weir.projections where name = '{name}' returning 1"""


def verify(place, name, seconds=300):
    """What was found: at once, or by its job."""
    found, deadline = shops.ask(place, "POST", shops.path(name, "verify")), time.monotonic() + seconds * harness.SLOW
    while found["state"] != "done":
        assert found["state"] in ("queued", "running") and time.monotonic() < deadline, found
        time.sleep(0.1)
        found = shops.ask(place, "GET", f"/v1/jobs/{found['id']}")
    return found


def drift(gateways, _seed=0, events=100_000, customers=5000, spoiled=7):
    """(violations, figures)"""
    places, stream, name, regions = gateways.places, shops.named("drift"), shops.named("drift"), shops.named("regions")
    shops.fill(places[0], stream, events, customers)
    for one, definition in ((name, shops.BY_CUSTOMER), (regions, shops.BY_REGION)):
        shops.define(places[0], one, [stream], definition)
    wrong = [text for one in (name, regions) if (text := shops.until_settled(places, one, 300))]
    began = time.monotonic()
    first = [verify(places[0], one) for one in (name, regions)]
    took = time.monotonic() - began
    wrong += [f"{result} of what nobody has touched" for result, keys in zip(first, (customers, shops.REGIONS))
              if (result["checked"], result["drift"], result["order_dependent"]) != (keys, [], [])]
    keys = sorted(f"c{n * (customers // spoiled)}" for n in range(spoiled))
    for sql, n in ((SPOILED.format(name=name, keys=",".join(keys)), spoiled), (VANISHED.format(name=name, key="c1"), 1),
                   (INVENTED.format(name=name), 1)):
        assert len(harness.psql(gateways.any, sql)) >= n, sql
    shop = shops.Shop(places, stream, events // 50, 2, customers // 100, 50, first=events)     # goes on selling meanwhile, to a few
    with groups_rig.working([shop]):
        second = verify(places[-1], name)
    found, wanted = sorted(item["key"] for item in second["drift"]), sorted({*keys, "c1", "nobody"})
    if found != wanted:
        wrong.append(f"drift of {found}, should be of {wanted}")
    build = shops.rebuild(places[0], name)
    left = shops.until_settled(places, name, 300, build)
    third = verify(places[0], name)
    wrong += [left] * bool(left) + [f"{third} after a rebuild"] * bool(third["drift"])
    return wrong + shop.violations, {"keys, spoiled": f"{customers}, {len(wanted)}", "two that were right": f"{took:.1f} s",
                                     "found": " ".join(found)}


# --- events that cannot be folded -----------------------------------------------------------------------------------------------
BAD = 97                       # each so manieth sale has an amount that is no number
SQL_WITHOUT_BAD = shops.SQL_BY_CUSTOMER.replace("where stream", "where json_typeof(data->'amount') = 'number' and stream")


class BadShop(shops.Shop):
    """Some of its sales cannot be folded."""

    def body(self, numbers):
        texts = [shops.sale(n, self.customers) for n in numbers]
        bad = [text.replace('"amount":', '"amount":"x","was":') if n % BAD == 0 else text for n, text in zip(numbers, texts)]
        return f"[{','.join(bad)}]".encode()


def letters(gateways, seed, total=50_000, kills=6, seconds=12, customers=1000, pause=(0.5, 2.0), frozen=projections_once.FROZEN):
    """(violations, figures)"""
    chaos, places = projections_once.Chaos(gateways, seed, frozen), gateways.places
    stream, name = shops.named("letters"), shops.named("letters")
    rig.create(places[0], stream, shops.PARTITIONS)
    shops.define(places[0], name, [stream], shops.BY_CUSTOMER, on_error="dlq")
    shop = BadShop(places, stream, total, seconds, customers)
    with groups_rig.working([shop]):
        while (chaos.kills < kills or shop.is_alive()) and not shop.violations:
            time.sleep(chaos.random.uniform(*pause))
            chaos.strike()
    left = shops.until_settled(places, name, 120)
    wrong = shop.violations + [left] * bool(left)
    wrong += shops.differences("beside the letters", shops.states(places[-1], name),
                               shops.recomputed(gateways.any, SQL_WITHOUT_BAD, [stream]))
    found = sorted(harness.psql(gateways.any, f"""
        select partition, "offset", reason from weir.dead_letters join weir.streams s using (stream_id)
         where s.name = '{stream}' and not s.deleted and group_name = 'projection:{name}'"""))
    wanted = sorted(harness.psql(gateways.any, f"""
        select partition, "offset", 'fold-failed' from weir.log where stream = '{stream}' and json_typeof(data->'amount') <> 'number'"""))
    if found != wanted or len(wanted) != (total + BAD - 1) // BAD:
        wrong.append(f"{len(found)} letters of {len(wanted)} events: {sorted(set(found) ^ set(wanted))[:10]}")
    return wrong, {"events": shop.published, "letters": len(found), "what happened": chaos}


PROOFS = {"drift": drift, "letters": letters}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("names", nargs="*", default=list(PROOFS))
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.exit(max(rig.show(name, *groups_rig.prove(PROOFS[name], args.seed)) for name in args.names))


if __name__ == "__main__":
    main()
