/* Consumer groups: what needs attention, a group's life from its creation to its end, and why nothing comes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, call, login, open, until, visit } from "./rig.mjs";

const events = (n, subject) =>
    Array.from({ length: n }, (_, i) => ({ type: "OrderPlaced", subject: subject ?? `order-${i}`, data: { total: i } }));

async function received(group, max) {
    const { body } = await call("POST", `${group}/receive`, { max, consumer: "test" });
    return body.deliveries.map((one) => one.delivery_id);
}

const nack = (group, ids, act = "nack") =>
    call("POST", `${group}/${act}`, { delivery_ids: ids, error: { type: "CardDeclined", message: "no" } });
const figure = (page, label) =>
    page.locator(".figure", { has: page.getByText(label, { exact: true }) }).locator(".figure-value");

test("a group is created, watched, paused, changed, moved and deleted", async () => {
    const page = await open();
    const group = "/v1/streams/orders/groups/billing";
    await call("PUT", "/v1/streams/orders", { partitions: 2 });
    await call("POST", "/v1/streams/orders/events", events(6));
    await login(page, { route: "/groups" });
    await page.getByText("There is no consumer group yet").waitFor();
    await page.getByRole("button", { name: "New group…" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Stream").fill("orders");
    await dialog.getByLabel("Name", { exact: true }).fill("Billing");
    await dialog.getByText("A name begins with").waitFor();
    assert.ok(await dialog.getByRole("button", { name: "Create group", exact: true }).isDisabled());
    await dialog.getByLabel("Name", { exact: true }).fill("billing");
    await dialog.getByLabel("Earliest").check();
    await dialog.getByText("Settings: order").click();
    await dialog.getByLabel("First backoff").fill("1h");
    await dialog.getByLabel("Longest backoff").fill("1h");
    await dialog.getByRole("button", { name: "Create group", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "billing" }).waitFor();
    await page.getByText("The next receive gets some.").waitFor();
    assert.match(await page.locator(".curl pre").innerText(), /"\$WEIR_URL\/v1\/streams\/orders\/groups\/billing\/receive"/);
    assert.equal((await call("GET", group)).body.backoff.initial, "1h");

    const ids = await received(group, 4);
    await nack(group, ids.slice(0, 2));
    await nack(group, ids.slice(2, 3), "reject");
    await until(async () => (await figure(page, "Retrying").innerText()) === "2");
    assert.equal(await figure(page, "In flight").innerText(), "1");
    assert.equal(await figure(page, "Lag").innerText(), "5 events");
    await page.getByRole("link", { name: /Dead letters\s*1/ }).waitFor();
    assert.equal(await page.getByRole("region", { name: "Partitions of the group" }).getByRole("row").count(), 3);

    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("heading", { name: "The group is paused" }).waitFor();
    await page.route(`**${group}`, async (route) => {       /* what the page shows is old */
        const response = await route.fetch();
        await call("PUT", group, { paused: true, max_in_flight: 77, backoff: { initial: "1h", max: "1h" } });
        await route.fulfill({ response });
    }, { times: 1 });
    await page.waitForResponse((answer) => answer.url().endsWith(group));
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByText("Nothing was done: somebody changed it meanwhile").waitFor();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
    assert.equal((await call("GET", group)).body.max_in_flight, 77, "what somebody else set is not put back");
    await axe(page, "group");

    await page.getByRole("button", { name: "Edit…" }).click();
    await dialog.getByLabel("Retries", { exact: true }).fill("seven");
    await dialog.getByText("A number from 0 to 1000").waitFor();
    await dialog.getByLabel("Retries", { exact: true }).fill("7");
    await dialog.getByLabel("Types").fill("Order*\nPaid");
    await dialog.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("7, then a dead letter").waitFor();
    const { body: changed } = await call("GET", group);
    assert.deepEqual(
        [changed.max_retries, changed.types, changed.backoff.initial, changed.paused],
        [7, ["Order*", "Paid"], "1h", false],
    );

    await page.getByRole("button", { name: "Seek…" }).click();
    await dialog.getByText("acks of these will be stale").waitFor();
    await dialog.getByLabel("Latest").check();
    await dialog.getByText("What is not done is skipped: 5 events.").waitFor();
    await dialog.getByRole("button", { name: "Move the group", exact: true }).click();
    await until(async () => (await figure(page, "Lag").innerText()) === "0 events");
    await page.getByRole("heading", { name: "There is nothing new" }).waitFor();

    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await dialog.getByLabel("Type billing to confirm").fill("billing");
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("There is no consumer group yet").waitFor();
    await call("GET", group, undefined, { expect: 404 });
});

test("what needs attention is first, and blocked keys are explained", async () => {
    const page = await open();
    await call("PUT", "/v1/streams/attention");
    await call("POST", "/v1/streams/attention/events", events(3, "one-key"));
    for (const name of ["a-fine", "b-stopped", "c-dying"]) {
        await call("PUT", `/v1/streams/attention/groups/${name}`, {
            start: name === "a-fine" ? "latest" : "earliest",
            backoff: { initial: "1h", max: "1h" },
        });
    }
    const [stopped, dying] = ["/v1/streams/attention/groups/b-stopped", "/v1/streams/attention/groups/c-dying"];
    await nack(dying, await received(dying, 1), "reject");
    await nack(stopped, await received(stopped, 1));
    await login(page, { route: "/groups?stream=attention" });
    const rows = page.getByRole("region", { name: "Consumer groups" }).getByRole("row");
    await rows.nth(1).getByText("1 dead letter").waitFor();
    await rows.nth(2).getByText("Retrying", { exact: true }).waitFor();
    await rows.nth(3).getByText("Up to date").waitFor();
    await axe(page, "groups");
    await page.getByLabel("Search groups and streams").fill("c-dy");
    await until(async () => (await rows.count()) === 2);
    await visit(page, "/groups/attention/b-stopped");
    await page.getByRole("heading", { name: "Keys are blocked" }).waitFor();
    const blocker = page.getByRole("region", { name: "Events that block keys" }).getByRole("row").nth(1);
    assert.match(await blocker.innerText(), /partition 0, offset 1\s+waits for its retry\s+in (\d+m|1h.*)\s+1\s+2/);
    await page.getByRole("heading", { name: "Retries wait for their backoff" }).waitFor();
});

test("who may only look finds no acts, and sees the groups of its streams alone", async () => {
    const page = await open();
    await call("PUT", "/v1/streams/seen");
    await call("PUT", "/v1/streams/hidden");
    await call("PUT", "/v1/streams/seen/groups/mine");
    await call("PUT", "/v1/streams/hidden/groups/theirs");
    await call("POST", "/v1/streams/seen/events", events(2));
    await login(page, { route: "/groups", scope: "subscribe:seen" });
    const rows = page.getByRole("region", { name: "Consumer groups" }).getByRole("row");
    await rows.nth(1).getByText("Events wait").waitFor();
    assert.match(await rows.nth(1).innerText(), /mine\s+seen\s+Events wait\s+2/);
    assert.equal(await rows.count(), 2);
    assert.equal(await page.getByRole("button", { name: "New group…" }).count(), 0);
    await rows.nth(1).getByRole("link", { name: "mine" }).click();
    await page.getByText("The next receive gets some.").waitFor();
    for (const name of ["Pause", "Seek…", "Edit…", "Delete"]) {
        assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
    }
    assert.equal(await page.getByRole("link", { name: /Dead letters/ }).count(), 0);
});
