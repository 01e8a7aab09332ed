"""Order, inventory, warehouse, shipping and notification. Each keeps books that run.py looks into at the end."""
from service import Refused, Service, Worker, publish


class Order(Service):
    """Takes the money, gives it back, knows how far an order is."""
    routes = {
        ("POST", "/orders/([^/]+)"): "accept",
        ("DELETE", "/orders/([^/]+)"): "stop",
        ("PUT", "/orders/([^/]+)/packed"): "packed",
        ("DELETE", "/orders/([^/]+)/packed"): "unpacked",
        ("PUT", "/orders/([^/]+)/completed"): "completed",
    }

    def __init__(self):
        super().__init__()
        self.orders, self.money_in, self.money_out = {}, 0, 0

    def accept(self, order, body, _key):
        self.orders[order] = {**body, "state": "accepted"}
        self.money_in += body["total"]
        return {"payment": f"payment-{order}"}

    def stop(self, order, _body, key):
        """A compensation: it has to accept that the order never came here, or is already put off."""
        known = self.orders.get(order)
        if known and known["state"] == "accepted":
            # first what can fail: the call is made again then, and its event's id is the same
            publish("fulfilment.notifications", "OrderCancelled", order, {"customer": known["customer"], "text": "It is out of stock."}, key)
            known["state"] = "cancelled"
            self.money_out += known["total"]
        return None

    def packed(self, order, body, _key):
        self.orders[order].update(state="packed", weight=body["weight"])

    def unpacked(self, order, _body, key):
        known = self.orders.get(order)
        if known and known["state"] == "packed":
            publish("fulfilment.notifications", "OrderDelayed", order, {"customer": known["customer"], "text": "It is delayed."}, key)
            known["state"] = "pending retry"

    def completed(self, order, body, _key):
        self.orders[order].update(state="completed", tracking=body["tracking"])


class Inventory(Service):
    routes = {("POST", "/reservations/([^/]+)"): "reserve", ("DELETE", "/reservations/([^/]+)"): "release"}

    def __init__(self, stock):
        super().__init__()
        self.stock, self.reserved = dict(stock), {}

    def reserve(self, order, body, _key):
        for item in body["items"]:
            if self.stock.get(item["sku"], 0) < item["quantity"]:
                raise Refused(f"{item['sku']} is out of stock")
        for item in body["items"]:
            self.stock[item["sku"]] -= item["quantity"]
        self.reserved[order] = body["items"]
        return {"reservation": f"reservation-{order}", "locations": [f"shelf-{item['sku']}" for item in body["items"]]}

    def release(self, order, _body, _key):
        for item in self.reserved.pop(order, []):
            self.stock[item["sku"]] += item["quantity"]


class Warehouse(Worker):
    """Hears what it is to do, and tells when it is done, on one stream: while it is away its work waits there."""
    stream, group, types = "fulfilment.warehouse", "packers", ["PackRequested", "UnpackRequested"]

    def __init__(self):
        super().__init__()
        self.parcels = {}

    def work(self, event):
        order = event["subject"]
        if event["type"] == "PackRequested":
            self.parcels[order] = "packed"
            weight = sum(item["quantity"] for item in event["data"]["items"]) * 1.5
            publish("fulfilment.warehouse", "OrderPacked", order, {"weight": weight, "picker": "robot-7"}, event["id"] + "/done")
        else:
            self.parcels[order] = "back on the shelf"
            publish("fulfilment.warehouse", "ItemsReturned", order, {}, event["id"] + "/done")


class Shipping(Service):
    routes = {("POST", "/labels/([^/]+)"): "label", ("DELETE", "/labels/([^/]+)"): "void"}

    def __init__(self):
        super().__init__()
        self.labels = {}

    def label(self, order, body, _key):
        if body["address"]["country"] == "Atlantis":
            raise Refused("no carrier goes to Atlantis")
        self.labels[order] = f"track-{order}"
        return {"tracking": self.labels[order], "carrier": "snail"}

    def void(self, order, _body, _key):
        self.labels.pop(order, None)


class Notification(Worker):
    """The customer hears each thing once, though an event may come twice."""
    stream, group, types = "fulfilment.notifications", "mail", ["OrderShipped", "OrderCancelled", "OrderDelayed"]

    def __init__(self):
        super().__init__()
        self.sent = {}

    def work(self, event):
        self.sent[event["source"], event["id"]] = (event["subject"], event["type"])

    def heard(self, order):
        return [kind for subject, kind in list(self.sent.values()) if subject == order]
