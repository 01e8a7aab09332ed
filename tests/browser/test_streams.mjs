/* Streams: created, published to, looked at while events come, found again by a link. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addEvents, isFull, makeKept, release, ROWS_MAX } from "../../dashboard/src/streams/kept.js";
import { keyOf, related, treeOf } from "../../dashboard/src/streams/tree.js";
import { axe, call, control, login, open, until, visit } from "./rig.mjs";

const BIG = "12345678901234567890.50";          /* more digits than a number of JavaScript has */
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const rowOf = (page, text) => page.getByRole("table", { name: "Events, newest first" }).getByRole("row")
    .filter({ hasText: text });
const publish = (stream, events) => call("POST", `/v1/streams/${stream}/events`, events);
const order = (n) => ({ type: n % 2 ? "OrderPaid" : "OrderPlaced", subject: `order-${n}`, correlationid: `checkout-${n}`,
    data: { customer: `c-${n}`, items: [{ sku: "MUG-BLUE", quantity: 1 + n % 3, price: "29.90" }], note: n === 11 ? "needle"
        : "at the door" } });
const seen = (page, n) => page.getByText(`kept of ${n} seen`).waitFor();

test("a stream is created, an event published, and both are seen at once", async () => {
    const page = await open({ expected: [/404/, /ERR_FAILED/] });
    await login(page, { route: "/streams" });
    await heading(page, "Streams");
    await page.getByText("No streams yet").waitFor();
    await page.getByRole("button", { name: "Create a stream" }).first().click();
    const form = page.getByRole("dialog");
    await form.getByLabel("Name").fill("Orders");
    await form.getByText("Lower-case letters").waitFor();
    assert.ok(await form.getByRole("button", { name: "Create", exact: true }).isDisabled());
    await form.getByLabel("Name").fill("orders.eu");
    await form.getByLabel("Partitions").fill("2");
    await form.getByRole("button", { name: "Create", exact: true }).click();
    await heading(page, "orders.eu");
    assert.equal((await call("GET", "/v1/streams/orders.eu")).body.partitions, 2);

    await page.getByRole("tab", { name: "Live tail" }).click();
    await page.getByText("Waiting for events").waitFor();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await form.getByLabel("Type", { exact: true }).fill("OrderPlaced");
    await form.getByLabel("Subject").fill("order 7/1 é%");
    await form.getByLabel("Data").fill(`{"total": ${BIG}}`);
    await page.route("**/v1/streams/orders.eu/events", async (route) => {     /* recorded, but the answer is lost */
        await route.fetch();
        await route.abort();
    }, { times: 1 });
    await form.getByRole("button", { name: "Publish", exact: true }).click();
    await form.getByText("The gateway cannot be reached").waitFor();
    await form.getByRole("button", { name: "Publish", exact: true }).click();
    await form.getByText("Recorded").waitFor();
    await axe(page, "streams-publish");
    await form.getByRole("button", { name: "Publish again", exact: true }).dblclick();
    await form.getByRole("button", { name: "Close" }).last().click();
    await rowOf(page, BIG).nth(1).waitFor();

    const { body } = await publish("orders.eu", { type: "OrderPaid", subject: "order-2", data: { from: "outside" } });
    await rowOf(page, "outside").waitFor();
    assert.match(await rowOf(page, "outside").innerText(), new RegExp(`${body.partition}:${body.offset}`));
    await seen(page, 3);

    await visit(page, "/streams");
    await page.getByRole("button", { name: "Create a stream" }).click();
    await form.getByLabel("Name").fill("orders.eu");
    await form.getByRole("button", { name: "Create", exact: true }).click();
    await form.getByText("orders.eu exists already").waitFor();
    assert.equal((await call("GET", "/v1/streams/orders.eu")).body.partitions, 2, "it was not replaced");
    await page.close();
});

test("the tail is held, searched and filtered, and goes on where it was when the gateway is killed", async () => {
    await call("PUT", "/v1/streams/busy", { partitions: 3 });
    await publish("busy", Array.from({ length: 40 }, (_, n) => order(n)));
    const page = await open({ expected: [/ERR_/, /Failed to load resource/] });
    await login(page, { route: "/streams/busy?tab=live" });
    await seen(page, 40);
    await rowOf(page, "order-39").getByRole("button").click();
    await page.getByRole("complementary", { name: /^Event / }).getByText("MUG-BLUE").waitFor();
    await axe(page, "streams-live");
    await page.getByRole("button", { name: "Close the event" }).click();

    await page.getByRole("button", { name: "Pause" }).click();
    await publish("busy", [{ type: "OrderPaid", data: { late: 1 } }, { type: "OrderPlaced", data: { late: 2 } }]);
    const resume = page.getByRole("button", { name: "Resume (2 waiting)" });
    await resume.waitFor();
    assert.equal(await rowOf(page, "late").count(), 0);
    await resume.click();
    await until(async () => await rowOf(page, "late").count() === 2);

    await page.setViewportSize({ width: 1280, height: 600 });
    const list = page.locator(".windowed-box");
    await list.evaluate((box) => box.scrollTo(0, 300));
    await page.getByRole("button", { name: "Resume" }).waitFor();
    assert.equal(await list.evaluate((box) => box.scrollTop), 300, "who scrolls stays where he is");
    await page.getByRole("button", { name: "Resume" }).click();
    await until(async () => await list.evaluate((box) => box.scrollTop) === 0);

    await page.getByRole("heading", { level: 1 }).click();
    for (let n = 0; n < 20; n++) {
        await page.keyboard.press("j");
    }
    const shown = page.locator(".tail-row.selected");
    await page.getByRole("complementary", { name: /^Event / }).waitFor();
    await until(async () => {
        const [row, box] = [await shown.boundingBox(), await list.boundingBox()];
        return row && row.y >= box.y && row.y + row.height <= box.y + box.height + 1;
    }, "the row that the keyboard is at can be seen");
    await page.keyboard.press("Escape");
    assert.equal(await shown.count(), 0);
    await page.keyboard.press("p");

    await page.getByLabel("Search here").fill("needle");
    await until(async () => await page.getByRole("row").count() === 2, "a heading and the one row");
    assert.equal(await page.locator("mark").innerText(), "needle");
    await page.getByLabel("Search here").fill("");

    await control("restart", { kill: true });
    await publish("busy", [{ type: "OrderPaid", data: { after: "the kill" } }]);
    await rowOf(page, "the kill").waitFor();
    await seen(page, 43);

    await page.getByLabel("Type", { exact: true }).fill("*Placed");
    await page.keyboard.press("Enter");
    await page.getByText("kept of 21 seen").waitFor();
    assert.equal(await rowOf(page, "OrderPaid").count(), 0);
    await publish("busy", [{ type: "OrderPaid", data: {} }, { type: "OrderPlaced", data: { fits: true } }]);
    await rowOf(page, "fits").waitFor();
    await seen(page, 22);
    assert.match(page.url(), /type=.*Placed/);
    await page.close();
});

test("an event is found again by its link alone, exact to the digit, with what led to it", async () => {
    await call("PUT", "/v1/streams/shop", { partitions: 2 });
    await call("PUT", "/v1/streams/money", {});
    for (let n = 0; n < 3; n++) {
        await publish("shop", Array.from({ length: 700 }, (_, i) => ({ type: "Noise", subject: `n-${n}-${i}`, data: {} })));
    }
    const text = `{"type":"OrderPlaced","subject":"o-1","correlationid":"case-1","data":{"id":${BIG}}}`;
    const placed = (await call("POST", "/v1/streams/shop/events", JSON.parse(text))).body;
    const exact = await fetch(`${process.env.WEIR_URL}/v1/streams/shop/events`, {
        method: "POST", body: text.replace("Placed", "Exact"),
        headers: { Authorization: `Bearer ${process.env.WEIR_TOKEN}`, "Content-Type": "application/json" },
    }).then((answer) => answer.json());
    const paid = (await publish("money", { type: "Paid", correlationid: "case-1", causationid: placed.id, data: {} })).body;
    await publish("shop", { type: "Shipped", subject: "o-1", causationid: paid.id, data: {} });
    await publish("shop", Array.from({ length: 700 }, (_, i) => ({ type: "Noise", subject: `m-${i}`, data: {} })));

    const page = await open();
    await login(page, { route: `/streams/shop/events/${exact.partition}/${exact.offset}` });
    await heading(page, "OrderExact");
    await page.getByRole("region", { name: "Data of the event" }).filter({ hasText: `"id": ${BIG}` }).waitFor();
    const chain = page.getByRole("list", { name: "Correlation chain" });
    await until(async () => (await chain.getByRole("listitem").count()) === 4);
    assert.deepEqual(await chain.locator("li li a").allInnerTexts(), ["Paid", "Shipped"], "effects are below their causes");
    await page.getByText(/Looked at .* events of all streams/).waitFor();
    await axe(page, "streams-event");
    await chain.getByRole("link", { name: "Shipped" }).click();
    await heading(page, "Shipped");
    await page.getByRole("link", { name: "next →" }).click();
    await heading(page, "Noise");

    await call("PUT", "/v1/streams/shop/groups/billing", { start: "earliest" });
    await visit(page, "/streams/shop");
    await page.getByRole("link", { name: "billing" }).waitFor();
    await page.getByText("None is parked").waitFor();
    await page.getByRole("img", { name: /published now 0/ }).waitFor();
    await axe(page, "stream");

    await visit(page, "/streams/shop?tab=live&from=earliest");
    const next = page.getByRole("button", { name: /^(Show the next|Resume)/ });
    await next.waitFor();
    assert.match(await page.locator(".tail-state").innerText(), /paused/, "history comes piece by piece");
    await until(async () => {
        await next.click({ timeout: 100 }).catch(() => undefined);
        return (await page.locator(".tail-state").innerText()).includes("2,000 kept of 2,803 seen");
    });

    await visit(page, `/streams/shop/events/${exact.partition}/999999`);
    await page.getByText("Offset 999,999 is not there yet").waitFor();
});

test("a page shows what the token may do; deleting asks for the name", async () => {
    await call("PUT", "/v1/streams/reports", { description: "Nightly figures" });
    const page = await open({ expected: [/404/] });
    await login(page, { route: "/streams/reports", scope: "subscribe:reports" });
    await page.getByRole("tab", { name: "Live tail" }).waitFor();
    assert.equal(await page.getByRole("button", { name: /Publish|Settings|Delete/ }).count(), 0);

    const other = await open({ expected: [/404/] });
    await login(other, { route: "/streams" });
    await other.getByRole("link", { name: "reports" }).waitFor();
    await axe(other, "streams");
    await other.getByLabel("Search streams").fill("nightly");
    await until(async () => await other.getByRole("row").count() === 2);
    await other.getByRole("link", { name: "reports" }).click();
    const dialog = other.getByRole("dialog");
    await other.getByRole("button", { name: "Settings", exact: true }).click();
    await dialog.getByLabel("Description").fill("Figures of each night");
    await call("PATCH", "/v1/streams/reports", { retention: "9d" },
        { headers: { "Content-Type": "application/merge-patch+json" } });
    await other.getByText("9d").waitFor();
    await dialog.getByRole("button", { name: "Save", exact: true }).click();
    await other.getByText("Figures of each night").waitFor();
    assert.equal((await call("GET", "/v1/streams/reports")).body.retention, "9d", "what somebody else set is not put back");
    await other.getByRole("button", { name: "Delete", exact: true }).click();
    assert.ok(await dialog.getByRole("button", { name: "Delete the stream" }).isDisabled());
    await dialog.getByLabel("Type reports to confirm").fill("reports");
    await dialog.getByRole("button", { name: "Delete the stream" }).click();
    await heading(other, "Streams");
    await call("GET", "/v1/streams/reports", undefined, { expect: 404 });
    await page.getByText("There is no stream reports").waitFor();
});

test("all streams are sorted, not only those that are shown", async () => {
    const { body } = await call("GET", "/v1/streams");
    const page = await open();
    await page.route("**/v1/streams?*", (route) => route.fulfill({ json: { items: Array.from({ length: 250 }, (_, n) => (
        { ...body.items[0], name: `s-${1000 + n}`, events: n })), next: null } }));
    await login(page, { route: "/streams" });
    await page.getByText("200 of 250").waitFor();
    await page.getByRole("button", { name: "Events" }).click();
    assert.match(await page.getByRole("row").nth(1).innerText(), /^s-1249\s/);
    assert.equal(await page.getByRole("row").count(), 201);
    await page.close();
});

test("rings and unknown causes do not break the chain's tree; what is kept stays bounded", async () => {
    const event = (id, causationid, more) => ({ key: id, stream: "s", partition: 0, offset: id, id, causationid,
        recordedtime: `0${id}`, ...more });
    const known = new Map([event("1", "9", { correlationid: "c" }), event("2", "1"), event("3", "2"), event("4", undefined,
        { correlationid: "c" }),
        event("5", "6"), event("6", "5"), event("7", "7"), event("8")].map((one) => [keyOf(one), one]));
    const found = (id) => related(known, event(id)).events.map((one) => one.id);
    assert.deepEqual(found("3"), ["1", "2", "3", "4"]);
    assert.deepEqual(found("5"), ["5", "6"]);
    assert.deepEqual(found("8"), ["8"]);
    const [first, second] = treeOf(related(known, event("2")).events);
    assert.equal(first.lost, "9");
    assert.deepEqual([first.children[0].event.id, first.children[0].children[0].event.id, second.event.id], ["2", "3", "4"]);
    assert.deepEqual(treeOf([known.get("s/0/5"), known.get("s/0/6")]).map((node) => [node.event.id, node.children.length]),
        [["5", 0], ["6", 0]]);
    assert.deepEqual(treeOf([known.get("s/0/7")]).map((node) => node.children), [[]]);

    const kept = makeKept(false);
    const batch = (n, size = 10) => Array.from({ length: n }, () => ({ event: {}, text: "x".repeat(size), cursor: "c" }));
    addEvents(kept, batch(ROWS_MAX + 5), true);
    assert.equal(kept.shown.length, ROWS_MAX);
    assert.equal(kept.shown[0].seq, 6, "the oldest leave");
    addEvents(kept, batch(3, 20 << 20), true);
    assert.equal(kept.shown.length, 1, "large ones are few");
    kept.held = true;
    addEvents(kept, batch(7), true);
    assert.deepEqual([kept.shown.length, kept.waiting.length, isFull(kept)], [1, 7, false]);
    addEvents(kept, batch(ROWS_MAX), true);
    assert.ok(isFull(kept));
    release(kept);
    assert.deepEqual([kept.shown.length, kept.waiting.length, kept.held], [ROWS_MAX, 0, false]);
});
