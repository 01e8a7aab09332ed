/* Logging in, what a token may not do, the gateway restarted under the open page, and what all pages have in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SOME, axe, call, control, login, open, until, url, visit } from "./rig.mjs";

const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true });
const fresh = async (t, options) => {
    const page = await open(options);
    t.after(() => page.context().close());
    return page;
};
const pages = (page) => page.getByRole("navigation", { name: "Pages" }).getByRole("link");

test("a token is refused with the reason, and accepted; a shared link opens its page after it", async (t) => {
    const page = await fresh(t, { expected: [/401/] });
    await page.goto(`${url()}/ui#/api?q=redrive`);
    await axe(page, "login");
    await page.getByLabel("Token").fill("not.a.token");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "401" }).waitFor();
    assert.equal(await page.locator("#navigation").count(), 0);
    await page.getByLabel("Token").fill(` Bearer ${process.env.WEIR_TOKEN}\n`);
    await page.keyboard.press("Enter");
    await heading(page, "API").waitFor();
    await page.getByText("/v1/streams/{stream}/dlq/redrive").waitFor();
    assert.equal(await page.getByText("/v1/sagas").count(), 0);
    await axe(page, "api");
    await visit(page, "/nowhere");
    await page.getByText("This link leads nowhere.").waitFor();
    await axe(page, "nowhere", SOME);
});

test("every page of the navigation opens, by keyboard too; the shortcuts are listed; forgetting the token ends it", async (t) => {
    const page = await fresh(t);
    await login(page);
    await heading(page, "Overview").waitFor();
    const keys = {
        Streams: "s",
        Groups: "g",
        "Dead letters": "d",
        Schemas: "c",
        Projections: "p",
        Sagas: "a",
        API: "i",
        Overview: "o",
    };
    assert.deepEqual((await pages(page).allTextContents()).sort(), Object.keys(keys).sort());
    for (const [name, key] of Object.entries(keys)) {
        await page.keyboard.press("g");
        await page.keyboard.press(key);
        await page.locator("#navigation a[aria-current=page]", { hasText: name }).waitFor();
        await page.waitForFunction(
            (word) => document.querySelector("h1")?.textContent.toLowerCase().includes(word),
            name.toLowerCase(),
        );
        await page.waitForFunction(() => document.title === `${document.querySelector("h1").textContent} · Weir`);
    }
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await help.getByText("Go to Dead letters").waitFor();
    await axe(page, "shortcuts", SOME);
    await page.keyboard.press("Escape");
    await help.waitFor({ state: "detached" });
    await page.getByRole("button", { name: /^tester/ }).click();
    await page.getByRole("dialog", { name: "Your token" }).getByText("admin:*").waitFor();
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByLabel("Token").waitFor();
});

test("what the token may not do is not shown, and not asked for", async (t) => {
    const page = await fresh(t);
    const asked = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await call("PUT", "/v1/streams/orders.eu", {});
    await call("PUT", "/v1/streams/salaries", {});
    await login(page, { scope: "subscribe:orders.* projection:none" });
    await heading(page, "Overview").waitFor();
    await page.getByText("1 streams").waitFor();
    assert.deepEqual(await pages(page).allTextContents(), ["Overview", "Streams", "Groups", "Projections", "API"]);
    await visit(page, "/sagas");
    await page.getByText("The token does not allow this page.").waitFor();
    assert.ok(!asked.includes("/metrics") && !asked.includes("/v1/sagas"), asked.join());
});

test("a token that ends is renewed in its place; the page stays", async (t) => {
    const page = await fresh(t, { expected: [/401/] });
    await login(page, { route: "/api?q=projection", token: (await control("token", { ttl: 100, sub: "leaver" })).token });
    await page.getByText(/The token ends in/).waitFor();
    const early = page.getByRole("dialog", { name: "A new token" });
    await page.getByRole("button", { name: "Enter a new one" }).click();
    await early.getByLabel("Token").fill("not.a.token");
    await page.keyboard.press("Enter");
    await early.getByRole("alert").filter({ hasText: "401" }).waitFor();      // that one; the one in use is as good as before
    await page.keyboard.press("Escape");
    await early.waitFor({ state: "detached" });
    const search = page.getByLabel("Search calls");
    await search.fill("projection rebuild");
    await control("revoke", { sub: "leaver" });
    await visit(page, "/?back=1");
    const dialog = page.getByRole("dialog", { name: "The token is not accepted any more" });
    await dialog.waitFor();
    await axe(page, "renew", SOME);
    await page.keyboard.press("Escape");
    await dialog.getByLabel("Token").fill((await control("token", { sub: "somebody new" })).token);
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await heading(page, "Overview").waitFor();
    await page.getByRole("button", { name: /^somebody new/ }).waitFor();
});

/* A dead letter of its own: its event is what the overview shows live. */
async function kill(stream, n) {
    await call("POST", `/v1/streams/${stream}/events`, { type: "OrderPlaced", id: `${stream}-${n}`, data: { n } });
    const { body } = await call("POST", `/v1/streams/${stream}/groups/billing/receive`, { max: 1, wait: "5s" });
    await call("POST", `/v1/streams/${stream}/groups/billing/reject`, {
        delivery_ids: body.deliveries.map((one) => one.delivery_id),
        error: { type: "CardDeclined", message: "The card was declined." },
    });
}

test("two browsers see what happens; the gateway is killed and started under them, and they miss nothing", async (t) => {
    await call("PUT", "/v1/streams/orders", {});
    await call("PUT", "/v1/streams/orders/groups/billing", { start: "earliest" });
    const expected = [/Failed to load resource/, /ERR_/];
    const both = await Promise.all([fresh(t, { expected }), fresh(t, { expected })]);
    for (const page of both) {
        await login(page);
        await page.locator(".top .live").getByText("Live").waitFor();
    }
    const seen = (page) => page.getByRole("list", { name: /^Dead letters and sagas/ }).getByRole("listitem").count();
    const all = (n) =>
        until(async () => (await Promise.all(both.map(seen))).every((count) => count === n), `both see ${n} letters`);
    await kill("orders", 0);
    await all(1);
    await control("stop");
    await both[0].getByText("The gateway cannot be reached.").waitFor();
    await both[0].locator(".top .live").getByText("Reconnecting").waitFor();
    await control("start");
    await kill("orders", 1);
    await kill("orders", 2);
    await all(3);
    await both[1].getByRole("link", { name: /3 dead letters: billing on orders/ }).waitFor();
    await both[0].getByText("The gateway cannot be reached.").waitFor({ state: "detached" });
    await axe(both[0], "overview");
});

test("where one call fails and others are answered, they do not ask each other on and on", async (t) => {
    const page = await fresh(t, { expected: [/Failed to load resource/] });
    let asked = 0;
    page.on("request", (request) => {
        asked += /\/(metrics|v1\/streams)(\?|$)/.test(request.url()) ? 1 : 0;
    });
    await page.route("**/metrics", (route) => route.abort());
    await login(page);
    await page.getByText("The gateway cannot be reached.").first().waitFor();
    for (let i = 0; i < 40; i++) {                 // as long as these round trips take, a storm would have made as many
        await page.evaluate(() => fetch("healthz"));
    }
    assert.ok(asked < 15, `${asked} calls`);
});
