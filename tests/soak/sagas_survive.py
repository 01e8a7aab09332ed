"""Ten thousand transfers of four steps, of which one in five fails at the third, against services that delay, fail and drop connections,
while gateways and PostgreSQL are killed with -9 and gateways are frozen for longer than their leases last: each ends completed or
compensated, each action of a compensated one is undone once, and no money is lost or made.

    sagas_survive.py [--total 10000] [--seconds 90] [--kills 25] [--calm] [--seed N]
"""
import argparse
import os
import random
import sys
import time

import groups_rig
import projections_once
import rig
import sagas_rig as sagas

CUSTOMERS, MERCHANTS = 50, 5
FATES = {"unavailable": 0.02, "error": 0.01, "busy": 0.01, "early": 0.01, "accepted": 0.01, "drop": 0.01, "late error": 0.01,
         "late drop": 0.015, "cut": 0.01}
KNOWN = {"unavailable": 0.04, "busy": 0.01, "early": 0.01, "accepted": 0.01}    # nobody is left in doubt
# What becomes of the third step where it fails: known, known, unknown and not booked, unknown and booked.
THIRD = ["reject"] * 14 + ["conflict"] * 4 + ["broken", "half"]
TRIES = 4                      # of the third step
# At the end little else is called than what fails for good, so breakers open; how long they do is not proved here.
SETTINGS = {"WEIR_OUTBOUND_BREAKER_OPEN": "2s"}


def transfer(urls):
    """Money leaves a customer, goods their shelf, the fee is kept, the rest goes to the merchant."""
    bank, shelf, fees, shop = urls
    few = {**sagas.RETRY, "max_attempts": TRIES}
    return {"on_exhausted": "compensate", "steps": [
        sagas.step(bank, "debit", {"from": "{{input.customer}}", "to": "transit", "amount": "{{input.amount}}"}),
        sagas.step(shelf, "reserve", {"from": "shelf", "to": "parcel", "amount": "{{input.count}}", "receipt": "{{steps.debit.result.receipt}}"}),
        sagas.step(fees, "convert", {"from": "transit", "to": "fees", "of": "{{input.amount}}", "amount": "{{input.fee}}",
                                     "as": "{{input.third}}"}, retry=few),
        sagas.step(shop, "credit", {"from": "transit", "to": "{{input.merchant}}", "amount": "{{steps.convert.result.left}}",
                                    "note": "after {{steps.reserve.result.receipt}} of {{saga.id}}"})]}


def inputs(total, seed):
    dice = random.Random(seed)
    for _ in range(total):
        amount = dice.randint(100, 100_000)
        yield {"customer": f"customer-{dice.randrange(CUSTOMERS)}", "merchant": f"merchant-{dice.randrange(MERCHANTS)}", "amount": amount,
               "fee": amount // 50, "count": dice.randint(1, 9), "third": dice.choice(THIRD) if dice.random() < 0.2 else ""}


class Chaos(projections_once.Chaos):
    def strike(self):
        dice = self.random.random() if self.frozen else 1
        if dice < 0.2:
            self.crash()
        elif dice < 0.27:
            self.end_sessions()
        elif dice < 0.4:
            self.freeze()
        else:
            self.kill()


def money(found, started, balances):
    """What the completed ones have moved is all that was moved."""
    wanted = dict.fromkeys(balances, 0) | {"transit": 0}
    for one, state in found.items():
        if state == "completed":
            given = started[one]
            for account, amount in ((given["customer"], -given["amount"]), (given["merchant"], given["amount"] - given["fee"]),
                                    ("fees", given["fee"]), ("shelf", -given["count"]), ("parcel", given["count"])):
                wanted[account] = wanted.get(account, 0) + amount
    return [f"{account} has {balances.get(account, 0)} and should have {amount}" for account, amount in sorted(wanted.items())
            if balances.get(account, 0) != amount]


def told(audit, all_starters, took, chaos, told_by_services):
    return {"seconds": f"{took:.1f}", "what happened": chaos, "starts that were sent again": sum(one.again for one in all_starters),
            "slowest start that was answered": f"{max(one.slowest for one in all_starters):.2f} s",
            "answers of services": " ".join(f"{k}:{v}" for k, v in sorted(told_by_services["statuses"].items())),
            **{name: n for name, n in sorted(audit.figures.items())}}


def run(gateways, seed, total=10_000, seconds=90, kills=25, pause=(1.0, 4.0), delay=(0, 0.1), fates=None, wait=300, frozen=4.5, calm=False):
    """(violations, figures); calm: nothing is killed, and no answer is lost. frozen: seconds; 0: nothing but gateways is struck."""
    chaos, saga, places = Chaos(gateways, seed, frozen), sagas.named("transfer"), gateways.places
    fates = (KNOWN if calm else FATES) if fates is None else fates
    with sagas.Services(4, seed, delay=delay, fates=fates) as services:
        definition = transfer(services.urls)
        sagas.define(places[0], saga, definition)
        all_starters, began = sagas.starters(places, saga, list(inputs(total, seed)), seconds), time.monotonic()
        with groups_rig.working(all_starters):
            while any(one.is_alive() for one in all_starters) or (not calm and chaos.kills + chaos.crashes < kills):
                time.sleep(chaos.random.uniform(*pause))
                if not calm:
                    chaos.strike()
        left = sagas.until_ended(lambda: gateways.any, saga, wait)
        took, books = time.monotonic() - began, services.told()
    wrong = [text for one in all_starters for text in one.violations] + [left] * bool(left)
    wrong += sagas.stuck(places[0], saga) if left else []
    started = {one: given for starter in all_starters for one, given in starter.started.items()}
    found = sagas.states(places[-1], saga)
    audit = sagas.Audit(sagas.Plan(saga, definition), books, calm)
    wrong += audit.all(found) + money(found, started, books["balances"])
    wrong += ends(found, started, calm)
    if set(found) != set(started) or len(started) != total:
        wrong.append(f"{len(started)} of {total} were started, {len(found)} are there")
    return wrong, told(audit, all_starters, took, chaos, books)


def ends(found, started, calm):
    """How each must end by its input. Without calm so many attempts may have been lost that a good one is compensated as well."""
    for one, state in found.items():
        third = started.get(one, {}).get("third")
        if third and state != "compensated":
            yield f"{one}, of which the third step fails, is {state}"
        if third == "" and state != "completed" and calm:
            yield f"{one} is {state}, and nothing failed in it"
    good = [state for one, state in found.items() if started.get(one, {}).get("third") == ""]
    if good.count("completed") < 0.97 * len(good):
        yield f"only {good.count('completed')} of {len(good)} are completed in which nothing fails for good"


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--total", type=int, default=10_000)
    parse.add_argument("--seconds", type=float, default=90)
    parse.add_argument("--kills", type=int, default=25)
    parse.add_argument("--calm", action="store_true")
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    found = sagas.prove(run, args.seed, total=args.total, seconds=args.seconds, kills=args.kills, calm=args.calm, settings=SETTINGS)
    sys.exit(rig.show("transfers", *found))


if __name__ == "__main__":
    main()
