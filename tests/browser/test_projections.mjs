/* Projections: defined, seen to change live, changed for the worse and mended, rebuilt beside what is read, verified, deleted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, NONE, changed, order, paged } from "../../dashboard/src/projections/states.js";
import { fits } from "../../dashboard/src/projections/where.js";
import { axe, call, control, login, open, until, visit } from "./rig.mjs";

const BIG = "9007199254740993.10";              /* more digits than a number of JavaScript has */
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const tab = (page, name) => page.getByRole("tab", { name, exact: true }).click();
const publish = (...events) => call("POST", "/v1/streams/sales/events", events);
const event = (type, subject, data = {}) => ({ type, subject, data });
const figure = (page, label) => page.locator(".figure").filter({ hasText: label });

const TOTALS = { streams: ["sales"], key: "subject", on: { Placed: [{ count: "/orders" }] } };

/* Rows of the list of states, by their key. */
const state = (page, key) => page.getByRole("table", { name: "States of orders" }).getByRole("row").filter({ hasText: key });

async function define(page) {
    const editor = page.getByLabel("Definition"), save = page.getByRole("button", { name: "Define it", exact: true });
    await page.getByRole("link", { name: "Define a projection" }).click();
    await heading(page, "Define a projection");
    assert.ok(await save.isDisabled(), "it has no name yet");
    await page.getByLabel("Name", { exact: true }).fill("orders");
    await editor.fill('{"streams": ["sales"], "key": "subject", "on": {');
    await page.getByText("It ends too early.").waitFor();
    assert.ok(await save.isDisabled(), "it is no JSON yet");
    await editor.fill('{"streams": ["sales"], "key": "subject", "on": {"*": [{"count": 5}]}}');
    await save.click();
    await page.getByRole("alert").filter({ hasText: "/on/*/0/count" }).waitFor();
    await axe(page, "projections-define");
    await editor.fill(`{"streams": ["sales"], "key": "subject", "indexes": ["/status"], "initial": {"limit": ${BIG}},
        "on": {"*": [{"count": "/events"}], "Paid": [{"set": {"/status": "paid"}}], "Gone": [{"delete": true}]}}`);
    await save.click();
    await heading(page, "orders");
}

test("a projection is defined, with what is wrong beside the form, and its states are seen as they change", async () => {
    await call("PUT", "/v1/streams/sales", {});
    const page = await open({ expected: [/404/, /422/, /ERR_/] });
    await login(page, { route: "/projections" });
    await page.getByText("There is no projection yet").waitFor();
    await define(page);

    await tab(page, "States");
    await page.getByText("There are no states yet").waitFor();
    await publish(event("Placed", "s/2 é%"), event("Placed", "s-1"), event("Placed", "s-3"), event("Placed", ".."));
    await state(page, "s-1").filter({ hasText: BIG }).waitFor();
    assert.deepEqual(
        await page.locator("tbody .row-link").allInnerTexts(),
        ["..", "s-1", "s-3", "s/2 é%"],
        "in the order of the keys",
    );
    await publish(event("Paid", "s-3"));
    await state(page, "s-3").filter({ hasText: "paid" }).waitFor();
    assert.match(await state(page, "s-3").innerText(), /\b2\b/);

    await page.getByLabel("Where").fill("/status=paid");
    await page.keyboard.press("Enter");
    await until(async () => await page.locator("tbody tr").count() === 1, "one state fits");
    await publish(event("Paid", "s/2 é%"));      // one that comes to fit appears, one that is deleted goes
    await state(page, "s/2 é%").waitFor();
    await publish(event("Gone", "s-3"));
    await state(page, "s-3").waitFor({ state: "detached" });
    assert.match(page.url(), /where=%2Fstatus%3Dpaid/, "it can be shared");

    await state(page, "s/2 é%").getByRole("link").click();
    const one = page.getByRole("region", { name: "s/2 é%", exact: true });
    await one.getByText(BIG).waitFor();
    await control("restart");                    // and goes on when the gateway is back
    await publish(event("Paid", "s/2 é%"));
    await one.getByText("Version 3: events").waitFor();
    await state(page, "s/2 é%").filter({ hasText: "3" }).waitFor();
    await one.getByText("What changed last").click();
    await axe(page, "projections-states");
    await visit(page, "/projections/orders?tab=states&key=..");     // no name that a path can hold
    await page.getByRole("region", { name: "..", exact: true }).getByText("Version 1: events").waitFor();
    await state(page, "s-1").waitFor();
    await page.locator("h1").focus();
    await page.keyboard.press("j");
    await page.getByRole("region", { name: "s-1", exact: true }).waitFor();
    await page.getByRole("button", { name: "Close the state" }).focus();
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Pause changes" }).waitFor();
    assert.equal(await page.getByRole("region", { name: "s-1", exact: true }).count(), 0, "the button was pressed");
    await page.close();
});

test("a rebuild shows how far it is and where it stops, while the old states are read", async () => {
    await publish(
        event("Placed", "r-1", { total: 1.1 }),
        event("Placed", "r-1", { total: "a lot" }),
        event("Placed", "r-1", { total: 2.2 }),
    );
    await call("PUT", "/v1/projections/totals", TOTALS);
    await until(async () => (await call("GET", "/v1/projections/totals")).body.lag.events === 0);
    const { partitions } = (await call("GET", "/v1/projections/totals")).body;
    const page = await open();
    await login(page, { route: "/projections/totals" });
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    await heading(page, "Edit totals");
    const editor = page.getByLabel("Definition"), text = await editor.inputValue();
    await editor.fill(text.replace('"count": "/orders"', '"increment": {"/total": {"from": "/data/total", "default": 0}}'));
    await page.getByText("on differs: all states are built anew").waitFor();
    await axe(page, "projections-edit");
    await visit(page, "/projections/totals");    // what was not saved is still there, and that somebody else was quicker is told
    await call("PUT", "/v1/projections/totals", { ...TOTALS, description: "of somebody else" });
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    await page.getByText("on differs: all states are built anew").waitFor();
    await page.getByText("Somebody has changed it").waitFor();
    await page.getByRole("button", { name: "Save", exact: true }).click();

    await page.getByRole("heading", { name: "Its rebuild has stopped" }).waitFor();
    const bar = page.getByRole("progressbar", { name: "Rebuild, build 2" });
    const [done, total] = [await bar.getAttribute("aria-valuenow"), await bar.getAttribute("aria-valuemax")].map(Number);
    assert.equal(total, Number(partitions[0].head));
    assert.equal(done, total - 2, "up to the event that it cannot fold");
    await page.getByText("Build 1 is read meanwhile").waitFor();
    assert.equal((await call("GET", "/v1/projections/totals/state/r-1")).body.state.orders, 3);
    await axe(page, "projections-rebuild");
    await page.getByRole("button", { name: "Skip this event", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Skip it" }).click();
    await bar.waitFor({ state: "detached" });
    await figure(page, "Build that is read").filter({ hasText: "2" }).waitFor();
    assert.equal((await call("GET", "/v1/projections/totals/state/r-1")).body.state.total, 3.3);

    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByText("Paused: nothing is folded").waitFor();
    await page.getByRole("button", { name: "Rebuild", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Rebuild it" }).click();
    await page.getByRole("progressbar", { name: "Rebuild, build 3" }).waitFor();
    await visit(page, "/projections");
    await page.getByRole("progressbar", { name: "Rebuild of totals" }).waitFor();
    await axe(page, "projections");
    await page.getByRole("link", { name: "totals" }).click();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await figure(page, "Build that is read").filter({ hasText: "3" }).waitFor();
    await page.close();
});

test("a verification finds nothing, and then what was tampered with, until the projection is deleted", async () => {
    const page = await open({ expected: [/404/] });
    await call("PUT", "/v1/projections/checked", { streams: ["sales"], key: "subject", on: { Placed: [{ count: "/orders" }] } });
    await call("GET", "/v1/projections/checked/state/r-1?at_least=latest&wait=30s");
    await login(page, { route: "/projections/checked?tab=verify" });
    await page.getByText("It was never verified").waitFor();
    const verify = page.getByRole("button", { name: "Verify now", exact: true });
    await verify.click();
    await page.getByText("No drift").waitFor();
    await control("sql", {
        text: `update weir.projection_states s set state = '{"orders":9007199254740993}' from weir.projections p
        where s.projection_id = p.projection_id and p.name = 'checked' and s.key = 'r-1'`,
    });
    await verify.click();
    const drift = page.getByRole("table", { name: "Keys that drifted" });
    await drift.getByRole("row").filter({ hasText: "r-1" }).getByRole("button", { name: "Compare" }).click();
    await page.getByRole("dialog").getByText('"orders": 9007199254740993').waitFor();
    await page.keyboard.press("Escape");
    await axe(page, "projections-verify");

    await page.getByRole("button", { name: "Delete", exact: true }).click();
    const sure = page.getByRole("dialog").getByRole("button", { name: "Delete the projection" });
    assert.ok(await sure.isDisabled(), "its name must be typed");
    await page.getByLabel("Type checked to confirm").fill("checked");
    await sure.click();
    await heading(page, "Projections");
    await call("GET", "/v1/projections/checked", undefined, { expect: 404 });
    await page.close();
});

test("states are judged and placed as the gateway does it", () => {
    const judged = (where, ...states) => states.map((one) => fits(one, [where]));
    assert.deepEqual(judged("/n=5", '{"n":5}', '{"n":5.0}', '{"n":"5"}', '{"n":50e-1}', '{"n":6}', "{}"), [
        true,
        true,
        true,
        true,
        false,
        false,
    ]);
    assert.deepEqual(judged('/n="5"', '{"n":5}', '{"n":"5"}'), [false, true]);
    assert.deepEqual(judged("/n=9007199254740993", '{"n":9007199254740992}', '{"n":9007199254740993}'), [false, true]);
    assert.deepEqual(judged("/a~1b/0=x=y", '{"a/b":["x=y"]}', '{"a/b":{"0":"x=y"}}', '{"a/b":[]}'), [true, true, false]);
    assert.deepEqual(judged('/o={"b":1,"a":[true,null]}', '{"o":{"a":[true,null],"b":1.0}}', '{"o":{"a":[true],"b":1}}'), [
        true,
        false,
    ]);
    assert.deepEqual(
        ["\u{1F600}", "\uFF5E", "b", "ab", "a"].sort(order),
        ["a", "ab", "b", "\uFF5E", "\u{1F600}"],
        "by bytes, not by UTF-16",
    );

    const row = (key, version, value) => `{"key":${JSON.stringify(key)},"state":${value},"version":${version}}`;
    const page = (next, ...rows) => ({
        body: { items: rows.map(JSON.parse), next, position: "p" },
        text: `{"items":[${rows.join()}]}`,
    });
    const batch = (...rows) => rows.map((text) => ({ event: JSON.parse(text), text }));
    const keys = (list) => list.rows.map((one) => `${one.key}${one.version}`).join(" ");
    const first = paged(NONE, page("m", row("a", 1, "{}"), row("m", 1, "{}")));
    const more = changed(first, batch(row("b", 1, "{}"), row("z", 1, "{}"), row("m", 2, '{"n":1.50}'), row("a", 0, "null")), []);
    assert.equal(keys(more), "b1 m2");
    assert.deepEqual([more.below, more.rows[1].text, more.rows[1].before.text], [1, '{"n":1.50}', "{}"]);
    assert.equal(
        keys(paged(more, page(null, row("m", 1, "{}"), row("z", 3, "{}")))),
        "b1 m2 z3",
        "a page does not undo what is newer",
    );
    const many = changed(
        { ...first, next: null },
        batch(...Array.from({ length: MOST + 5 }, (_, n) => row(`k${1000 + n}`, 1, "{}"))),
        [],
    );
    assert.deepEqual([many.rows.length, many.next], [MOST, many.rows.at(-1).key]);
    assert.equal(
        changed({ ...many, rows: [...many.rows, ...first.rows] }, [], []).rows.length,
        MOST + 2,
        "what was asked for stays",
    );
});
