#!/usr/bin/env python3
"""Orders go through five services: they are fulfilled, out of stock, without a label, and held up by services that are away.

    run.py [orders that the warehouse is away for]
"""
import json
import os
import re
import sys
import time

from service import publish, weir
from services import Inventory, Notification, Order, Shipping, Warehouse

SAGA = "/v1/sagas/order-fulfilment"
RUN = f"{int(time.time()):x}"       # ids of this run
STOCK = {"lamp": 1000, "desk": 1000}
placed = {}


def define(urls):
    """The definition, with the services' addresses of this run."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "saga.json"), encoding="utf-8") as f:
        text = re.sub(r"http://(\w+)\.example", lambda match: urls[match[1]], f.read())
    for stream in ("orders", "warehouse", "notifications"):
        weir("PUT", f"/v1/streams/fulfilment.{stream}", {})
    return weir("PUT", SAGA, json.loads(text))


def place(name, sku="lamp", country="Iceland"):
    order = f"{RUN}-{name}"
    placed[order] = {"customer": f"{name}@example.com", "total": 40, "items": [{"sku": sku, "quantity": 2}],
                     "address": {"country": country}}
    publish("fulfilment.orders", "OrderPlaced", order, placed[order], order)
    return order


def wait_until(what, holds, seconds=60):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"It did not come to this: {what}")
        time.sleep(0.05)


def wait_for(order, *states, seconds=60):
    """Also a saga is only begun some moments after its event."""
    until = time.monotonic() + seconds
    while True:
        instance = weir("GET", f"{SAGA}/instances/{order}", expect=(200, 404))
        if instance.get("state") in states:
            return instance
        if time.monotonic() > until:
            raise SystemExit(f"{order} is not {' or '.join(states)}: {json.dumps(instance, indent=1)}")
        time.sleep(0.05)


def check(what, holds):
    if not holds:
        raise SystemExit(f"It does not hold: {what}")


def main(many):
    inventory, shipping, order = Inventory(STOCK), Shipping(), Order()
    define({"inventory": inventory.start(), "shipping": shipping.start(), "order": order.start()})
    warehouse, mail = Warehouse(), Notification()
    warehouse.start()
    mail.start()

    good = place("good")
    wait_for(good, "completed")
    check("a fulfilled order is completed", order.orders[good]["state"] == "completed" and shipping.labels[good])
    print(f"1. {good}: fulfilled, {order.orders[good]['tracking']}")

    rare = place("rare", sku="unicorn")
    wait_for(rare, "compensated")
    check("an order out of stock is cancelled and refunded", order.orders[rare]["state"] == "cancelled")
    print(f"2. {rare}: out of stock, cancelled, {order.money_out} refunded")

    far = place("far", country="Atlantis")
    wait_for(far, "compensated")
    check("without a label an order is put off, its items are back",
          order.orders[far]["state"] == "pending retry" and warehouse.parcels[far] == "back on the shelf" and
          far not in inventory.reserved and order.money_out == 40)
    print(f"3. {far}: no label, items back on the shelf, pending retry")

    shipping.down = True
    slow = place("slow")
    wait_until("shipping was called", lambda: shipping.turned_away)
    shipping.down = False
    attempts = next(step["attempts"] for step in wait_for(slow, "completed")["steps"] if step["name"] == "ship")
    check("a call that failed was made again", attempts > 1)
    print(f"4. {slow}: shipping was away, fulfilled at attempt {attempts}")

    warehouse.stop()
    late = [place(f"late-{n}", sku="desk") for n in range(many)]
    for name in late:
        wait_for(name, "waiting")
    warehouse.start()
    for name in late:
        wait_for(name, "completed")
    print(f"5. {len(late)} orders waited while the warehouse was away: all are fulfilled")

    shipped = [good, slow, *late]
    wait_until("all customers heard", lambda: len(mail.sent) >= len(placed))
    check("each customer hears once", all(mail.heard(name) == ["OrderShipped"] for name in shipped) and
          mail.heard(rare) == ["OrderCancelled"] and mail.heard(far) == ["OrderDelayed"])
    check("money in equals money out", order.money_in == 40 * len(placed) and order.money_out == 40)
    check("stock is what was shipped", sum(STOCK.values()) - sum(inventory.stock.values()) == 2 * len(shipped))
    print(f"The books agree: {len(placed)} orders, {len(shipped)} shipped, {order.money_in - order.money_out} taken")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
