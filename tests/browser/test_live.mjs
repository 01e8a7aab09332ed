/* kit/live.js against a gateway that is killed, restarted and drained: nothing is missed and nothing comes twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { call, control, open, until, url } from "./rig.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { build } = await import(here("../../dashboard/node_modules/esbuild/lib/main.js")).then((found) => found.default ?? found);
const bundle = (await build({ entryPoints: [here("probe.jsx")], bundle: true, write: false, format: "iife", jsx: "automatic",
    jsxImportSource: "preact", nodePaths: [here("../../dashboard/node_modules")] })).outputFiles[0].text;

/* The browser says on its console when a connection is refused: here that is what is tested. */
async function probe(token = process.env.WEIR_TOKEN) {
    const page = await open({ expected: [/Failed to load resource/, /ERR_CONNECTION/, /ERR_INCOMPLETE/, /ERR_EMPTY/] });
    await page.route("**/ui/app.js", (route) => route.fulfill({ body: bundle, contentType: "text/javascript; charset=utf-8" }));
    page.made = 0;                                     // tickets
    page.on("request", (request) => {
        page.made += request.url().endsWith("/v1/tickets") ? 1 : 0;
    });
    await page.goto(`${url()}/ui`);
    await page.evaluate((one) => window.probe.begin(one), token);
    return page;
}

const show = (page, ...users) => page.evaluate((all) => window.probe.show(all), users);
const heard = (page, name) => page.evaluate((one) => window.probe.heard[one], name);
const tail = (name, stream, more = {}) => ({ name, path: `/v1/streams/${stream}/events`, query: { after: "latest" }, ...more });
const upTo = (n, from = 0) => Array.from({ length: n }, (_, i) => i + from);

/* Event n, until it is recorded: its id makes a repeat harmless. */
async function publish(stream, n) {
    await until(
        () =>
            call(
                "POST",
                `/v1/streams/${stream}/events`,
                { type: "Counted", id: `n-${n}`, data: { n } },
                { expect: [200, 201] },
            ).then(
                () => true,
                (error) => {
                    assert.ok(!(error instanceof assert.AssertionError), error);
                    return false;
                },
            ),
        `publishing ${n}`,
    );
}

test("killed, started, drained and started again: every event comes once, in order", async () => {
    await call("PUT", "/v1/streams/counted", {});
    const page = await probe();
    await show(page, tail("a", "counted"));
    await until(async () => (await heard(page, "a"))?.upToDate === 1);
    let next = 0;
    const some = async (n) => {
        for (const end = next + n; next < end; next++) {
            await publish("counted", next);
        }
    };
    await some(20);
    for (const kill of [true, false]) {
        const writing = some(15);
        await control("restart", { kill });
        await writing;
        await until(async () => (await heard(page, "a")).events.length >= next, "the page has caught up");
    }
    const all = await heard(page, "a");
    assert.deepEqual(all.events, upTo(next));
    assert.ok(all.states.includes("reconnecting"));
    assert.equal(all.states.at(-1), "live");
    assert.deepEqual(all.gaps, []);
});

test("the newest user has the one connection; the one before gets it back and goes on where it was", async () => {
    await call("PUT", "/v1/streams/one", {});
    await call("PUT", "/v1/streams/two", {});
    const page = await probe();
    await show(page, tail("one", "one"));
    await until(async () => (await heard(page, "one"))?.upToDate);
    await publish("one", 0);
    await until(async () => (await heard(page, "one")).events.length === 1);
    await show(page, tail("one", "one"), tail("two", "two"));
    await until(async () => (await heard(page, "two"))?.upToDate);
    await publish("one", 1);
    await publish("two", 0);
    await until(async () => (await heard(page, "two")).events.length === 1);
    assert.deepEqual((await heard(page, "one")).events, [0]);
    assert.equal((await heard(page, "one")).states.at(-1), "off");
    await show(page, tail("one", "one"));
    await until(async () => (await heard(page, "one")).events.length === 2);
    await show(page, tail("one", "one", { paused: true }));
    await until(async () => (await heard(page, "one")).states.at(-1) === "off");
    await publish("one", 2);
    await show(page, tail("one", "one"));
    await until(async () => (await heard(page, "one")).events.length === 3);
    assert.deepEqual((await heard(page, "one")).events, upTo(3));
});

/* As the browser says it when another tab is looked at. */
const look = (page, away) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}, away);

test("a ticket is renewed before it ends; a tab that nobody looks at gives its stream back, and misses nothing", async () => {
    await call("PUT", "/v1/streams/renewed", {});
    const page = await probe();
    await page.clock.install();
    await show(page, tail("a", "renewed"));
    await until(async () => (await heard(page, "a"))?.upToDate);
    const before = page.made;
    await publish("renewed", 0);
    await page.clock.fastForward("09:45");
    await until(() => page.made > before);
    await publish("renewed", 1);
    await until(async () => {
        await page.clock.runFor(200);
        return (await heard(page, "a")).events.length === 2;
    });
    await look(page, true);
    await page.clock.fastForward("01:05");
    await until(async () => (await heard(page, "a")).states.at(-1) === "off");
    await publish("renewed", 2);
    await look(page, false);
    await until(async () => {
        await page.clock.runFor(200);
        return (await heard(page, "a")).events.length === 3;
    });
    assert.deepEqual((await heard(page, "a")).events, upTo(3));
});

test("digits are handed over as they were sent; what cannot be read ends with its reason", async () => {
    await call("PUT", "/v1/streams/exact", {});
    const page = await probe();
    await show(page, tail("a", "exact"));
    await until(async () => (await heard(page, "a"))?.upToDate);
    const answer = await fetch(`${url()}/v1/streams/exact/events`, {
        method: "POST",
        body: '{"type":"T","data":{"n":12345678901234567890.10}}',
        headers: { Authorization: `Bearer ${process.env.WEIR_TOKEN}`, "Content-Type": "application/json" },
    });
    assert.equal(answer.status, 201);
    await until(async () => (await heard(page, "a")).last?.includes('"n":12345678901234567890.10'));
    await show(page, tail("a", "exact"), tail("b", "no-such-stream"));
    await until(async () => (await heard(page, "b"))?.error === "unknown-stream");
    assert.equal((await heard(page, "b")).states.at(-1), "off");
    await show(page, tail("a", "exact", { paused: true }));
    await until(async () => (await heard(page, "a")).states.at(-1) === "off");
    const made = page.made;
    await call("DELETE", "/v1/streams/exact");
    await call("PUT", "/v1/streams/exact", {});
    await show(page, tail("a", "exact"));
    await until(async () => (await heard(page, "a")).gaps.includes("cursor-unknown"));
    assert.ok(page.made - made < 5, "no storm of tickets");
});

/* A stream that opens and says bye, as one does that selects too many partitions, or behind a proxy that cuts off. */
test("a stream that ends as soon as it opens is tried ever more seldom", async () => {
    await call("PUT", "/v1/streams/brief", {});
    const page = await probe();
    await page.route("**/v1/streams/brief/events?*", (route) => route.fulfill({ contentType: "text/event-stream",
        body: 'event: bye\ndata: {"reason":"too-many-partitions"}\n\n' }));
    await page.clock.install();
    await show(page, tail("a", "brief"));
    await until(async () => {
        await page.clock.runFor(1000);
        return (await heard(page, "a"))?.waits.length >= 5;
    });
    const [first, , , , fifth] = (await heard(page, "a")).waits;
    assert.ok(first < 1000 && fifth > 5000, `${first} ms, then ${fifth} ms`);
});

test("a renewal that meets a reconnect leaves one stream, not two", async () => {
    await call("PUT", "/v1/streams/met", {});
    const page = await probe();
    await page.evaluate(() => {
        const Made = window.EventSource;
        window.sources = [];
        window.EventSource = function EventSource(...given) {
            const one = new Made(...given);
            window.sources.push(one);
            return one;
        };
    });
    await page.clock.install();
    await show(page, tail("a", "met"));
    await until(async () => (await heard(page, "a"))?.upToDate);
    const tickets = [];
    await page.route("**/v1/tickets", (route) => {
        tickets.push(route);
    });
    await page.clock.fastForward("09:45");
    await until(() => tickets.length === 1);          // the renewal waits for its ticket
    await page.evaluate(() => {                       // the stream breaks, and its ticket has ended
        window.sources.at(-1).dispatchEvent(new MessageEvent("bye", { data: '{"reason":"token-expired"}' }));
    });
    await page.clock.runFor(1000);
    await until(() => tickets.length === 2);
    for (const [i, route] of tickets.entries()) {
        await route.continue();
        await until(() => page.evaluate((n) => window.sources.length === n, i + 2));
    }
    assert.equal(await page.evaluate(() => window.sources.filter((one) => one.readyState !== 2).length), 1);
});
