/* Sagas in a browser: defined, drawn, followed while services answer, approved, signalled, undone, paused and retried. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { crossings, joined, layersOf, layout } from "../../dashboard/src/sagas/layout.js";
import { rowsOf, scaleOf } from "../../dashboard/src/sagas/spans.js";
import { definitionText, placeOf } from "../../dashboard/src/sagas/text.js";
import { axe, call, login, open, shot, until, visit } from "./rig.mjs";

const LONG = "12345678901234567890";           // JSON.parse would lose its last digits
const calls = [];                              // "POST /reserve <body>", as they came
let service, at, away = true;

before(async () => {
    service = createServer(async (request, response) => {
        let body = "";
        for await (const piece of request) {
            body += piece;
        }
        calls.push(`${request.method} ${request.url} ${body}`);
        const status = request.url === "/refuse" ? 422 : request.url === "/carrier" && away ? 503 : 200;
        response.writeHead(status, { "Content-Type": "application/json" });
        response.end(status === 200 ? `{"id":${LONG}}` : '{"why":"out of stock"}');
    });
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    at = `http://127.0.0.1:${service.address().port}`;
});
after(() => service.close());

const http = (path, method = "POST") => ({ http: { method, url: at + path, body: { saga: "{{saga.id}}" } } });
const step = (name, more) => ({ name, action: http(`/${name}`), compensation: http(`/${name}`, "DELETE"),
    retry: { max_attempts: 1 }, ...more });
const node = (page, name, word) => page.getByRole("link", { name: new RegExp(`^${name} ${word}`) });
const state = (page, word) => page.locator(".facts").first().getByText(word, { exact: true });
const waits = (name, how, more) => ({ name, [how]: {}, timeout: "1h", ...more });
const heading = (page, name) => page.getByRole("heading", { name, exact: true });
const one = (saga, id) => call("GET", `/v1/sagas/${saga}/instances/${id}`);

/* The instance's page asks every 4 s: without that, only what it hears live can bring it on. */
function withoutPolls() {
    const later = window.setTimeout;
    window.setTimeout = (fn, ms, ...rest) => (ms === 4000 ? 0 : later(fn, ms, ...rest));
}

test("a saga is defined in the editor, drawn, and followed to its end with a signal and an approval", async () => {
    const page = await open({ expected: [/422/] });
    await page.addInitScript(withoutPolls);
    await login(page, { route: "/sagas" });
    await page.getByText("There are no sagas").waitFor();
    await page.getByRole("link", { name: "Define a saga" }).first().click();
    await page.getByLabel("Name").fill("orders");
    const definition = { timeout: "3d", steps: [step("reserve"),
        waits("pay", "signal", { after: ["reserv"] }), waits("check", "approval", { after: ["reserve"] }),
        step("ship", { after: ["pay", "check"], pivot: true, compensation: null }), waits("close", "signal")] };
    const editor = page.getByLabel("Steps and settings");
    await editor.fill(JSON.stringify(definition, null, 2));
    await page.getByRole("button", { name: "Define", exact: true }).click();
    await page.getByRole("button", { name: /^Line \d+$/ }).click();
    assert.match(await editor.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd)), /reserv"/);
    definition.steps[1].after = ["reserve"];
    await editor.fill(JSON.stringify(definition, null, 2));
    await page.getByRole("listitem").filter({ hasText: /^pay\s*waits/ }).waitFor();
    assert.equal(await page.getByText("There is no step reserv").count(), 0);
    await page.evaluate(() => scrollTo(0, 0));
    await axe(page, "saga-editor");
    await page.getByRole("button", { name: "Define", exact: true }).click();
    await heading(page, "orders").waitFor();

    await page.getByRole("button", { name: "Start an instance…", exact: true }).click();
    await page.getByLabel("Id").fill("o%1");
    await page.getByLabel("Input").fill(`{"total": ${LONG}}`);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await heading(page, "o%1").waitFor();
    await node(page, "reserve", "succeeded").waitFor();
    await state(page, "live").waitFor();
    await page.getByLabel("Input as JSON").getByText(LONG).waitFor();

    await node(page, "reserve", "succeeded").focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Result").getByText(LONG).waitFor();
    await node(page, "pay", "waiting").click();
    await page.getByLabel("Result").fill(`{"paid": ${LONG}}`);
    await page.getByRole("button", { name: "Send signal", exact: true }).click();
    await node(page, "pay", "succeeded").waitFor();
    await node(page, "check", "needs approval").click();
    await page.getByLabel("Comment").fill("looks good");
    await page.getByRole("button", { name: "Approve", exact: true }).click();
    await node(page, "ship", "succeeded.*the pivot").waitFor();
    await call("POST", "/v1/sagas/orders/instances/o%251/signal/close", {});
    await state(page, "completed").waitFor();
    await page.getByText("Completed", { exact: true }).waitFor();
    const ended = (await one("orders", "o%251")).body;
    assert.equal(ended.steps[2].result.comment, "looks good");
    assert.ok(calls.some((text) => text.startsWith("POST /ship")));
    await page.context().close();
});

test("a step that is refused is undone, and so is one whose approval is rejected", async () => {
    await call("PUT", "/v1/sagas/refused", { steps: [step("book"), step("refuse")] });
    await call("PUT", "/v1/sagas/fulfilment", { steps: [step("book"), step("pack", { after: ["book"] }),
        waits("check", "approval", { after: ["book"], timeout: "1d" }), waits("label", "signal", { after: ["book"] }),
        step("ship", { after: ["pack", "check", "label"], pivot: true, compensation: null })], timeout: "3d" });
    await call("POST", "/v1/sagas/refused/instances", { id: "r-1" });
    await call("POST", "/v1/sagas/fulfilment/instances", { id: "order-7001", input: { items: ["desk", "lamp"], total: 59.8 } });
    const page = await open();
    await login(page, { route: "/sagas/refused/instances/r-1" });
    await state(page, "compensated").waitFor();
    await node(page, "book", "undone").waitFor();
    await page.getByText("The step refuse failed. 422").first().waitFor();
    await page.getByLabel("What came").getByText("out of stock").waitFor();
    assert.ok(calls.some((text) => text.startsWith("DELETE /book")));
    await visit(page, "/sagas/fulfilment/instances/order-7001");
    await node(page, "check", "needs approval").waitFor();
    await node(page, "pack", "succeeded").waitFor();
    await state(page, "live").waitFor();
    await axe(page, "saga-instance");
    await page.getByLabel("Comment").fill("too dear");
    await page.getByRole("button", { name: "Reject", exact: true }).click();
    await page.getByRole("dialog").getByText("the last first: pack, book").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Reject", exact: true }).click();
    await state(page, "compensated").waitFor();
    await node(page, "book", "undone").waitFor();
    await page.getByText("“too dear”").first().waitFor();
    await page.context().close();
});

test("what is paused is found, retried one by one and in bulk, skipped and cancelled", async () => {
    away = true;
    await call("PUT", "/v1/sagas/pickup", { on_exhausted: "pause",
        steps: [step("book"), step("carrier"), waits("end", "signal")] });
    for (const id of ["p-1", "p-2", "p-3", "p-4"]) {
        await call("POST", "/v1/sagas/pickup/instances", { id });
    }
    const page = await open();
    await login(page, { route: "/sagas" });
    await page.getByRole("link", { name: "4 paused of pickup" }).click();
    await page.getByRole("link", { name: "p-1" }).click();
    await node(page, "carrier", "failed").waitFor();
    await shot(page, "saga-paused-light");
    await page.getByRole("button", { name: "Skip step…", exact: true }).click();
    await page.getByRole("dialog").getByLabel("Comment").fill("by phone");
    await page.getByRole("dialog").getByRole("button", { name: "Skip step", exact: true }).click();
    await node(page, "end", "waiting").waitFor();
    await node(page, "carrier", "skipped").waitFor();
    assert.equal((await one("pickup", "p-1")).body.steps[1].status, "skipped");
    await page.getByText(/skipped by \w+: “by phone”/).waitFor();

    away = false;
    await visit(page, "/sagas/pickup/instances/p-2");
    await page.getByRole("button", { name: "Retry step", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry step", exact: true }).click();
    await node(page, "carrier", "succeeded").waitFor();
    await page.getByRole("button", { name: "Cancel…", exact: true }).click();
    await page.getByRole("dialog").getByText("the last first: carrier, book").waitFor();
    await page.getByRole("dialog").getByLabel("Reason").fill("no van");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel", exact: true }).last().click();
    await state(page, "compensated").waitFor();

    await visit(page, "/sagas/pickup?state=paused&step=carrier");
    await page.getByRole("link", { name: "p-3" }).waitFor();
    assert.equal(await page.getByRole("link", { name: /^p-/ }).count(), 2);
    await page.getByLabel("Error says").fill("*no such thing*");
    await page.getByText("No instance fits this filter.").waitFor();
    await page.getByLabel("Error says").fill("*503*");
    await page.getByRole("link", { name: "p-4" }).waitFor();
    await axe(page, "saga");
    await page.getByRole("button", { name: "Retry what is paused…", exact: true }).click();
    await page.getByRole("dialog").getByText("p-4").waitFor();
    await page.getByRole("button", { name: "Retry 2" }).click();
    await page.getByRole("dialog").getByText("2 retried").waitFor();
    await until(async () => (await one("pickup", "p-4")).body.state === "waiting");
    await page.context().close();
});

test("definitions, their versions, and the targets; a token sees what it may", async () => {
    await call("PUT", "/v1/sagas/quiet", { steps: [step("book"), waits("end", "signal")] });
    await call("POST", "/v1/sagas/quiet/instances", { id: "q-1" });
    await call("PUT", "/v1/sagas/quiet", { steps: [step("book"), waits("end", "signal"), waits("thank", "signal")] });
    const page = await open();
    await login(page, { route: "/sagas" });
    await page.getByRole("link", { name: "quiet", exact: true }).waitFor();
    await axe(page, "sagas");
    await visit(page, "/sagas/quiet?tab=definition&against=1");
    await page.getByRole("region", { name: "Version 1 and Version 2 compared" }).getByText('"thank"').first().waitFor();
    await node(page, "thank", "waits").click();
    await page.getByLabel("Definition of thank").waitFor();
    await axe(page, "saga-definition");
    await visit(page, "/targets");
    await page.getByRole("row", { name: new RegExp(at) }).getByText(/closed|open/).waitFor();
    await axe(page, "targets");
    await page.context().close();

    const less = await open();
    await login(less, { route: "/sagas", scope: "saga:quiet" });
    await less.getByRole("link", { name: "quiet", exact: true }).waitFor();
    assert.equal(await less.getByRole("link", { name: "orders", exact: true }).count(), 0);
    assert.equal(await less.getByRole("link", { name: "Targets" }).count(), 0);
    await visit(less, "/sagas/quiet/instances/q-1");
    await state(less, "every 4 s").waitFor();
    await call("POST", "/v1/sagas/quiet/instances/q-1/signal/end", {});
    await state(less, "completed").waitFor();
    await less.context().close();
});

test("steps are laid out in layers, without crossings that need not be, and none upon another", () => {
    const size = { width: 100, height: 50, gapX: 10, gapY: 30 };
    const steps = joined([{ name: "a" }, { name: "b", after: ["a"] }, { name: "c", after: ["a"] }, { name: "d", after: ["c"] },
        { name: "e", after: ["b"] }, { name: "f", after: ["a", "d", "e"] }, { name: "g" }]);
    assert.deepEqual({ ...layersOf(steps) }, { a: 0, b: 1, c: 1, d: 2, e: 2, f: 3, g: 4 });
    const drawn = layout(steps, size);
    for (const [i, p] of drawn.nodes.entries()) {
        for (const q of drawn.nodes.slice(i + 1)) {
            assert.ok(p.y !== q.y || Math.abs(p.x - q.x) >= size.width + size.gapX - 0.01, `${p.name} upon ${q.name}`);
        }
        assert.ok(p.x >= 0 && p.x + size.width <= drawn.width + 0.01);
    }
    const x = (name) => drawn.nodes.find((one) => one.name === name).x;
    assert.equal(Math.sign(x("b") - x("c")), Math.sign(x("e") - x("d")), "branches stay on their side");
    const odd = layersOf(joined(["a", "constructor", "toString", "__proto__", "z"].map((name) => ({ name }))));
    assert.deepEqual(Object.values(odd), [0, 1, 2, 3, 4], "names that every object has");
    assert.equal(layout(joined([{ name: "a", after: ["b"] }, { name: "b", after: ["a"] }]), size), null);
    const place = (at, ...down) => ({ at, down: down.map((to) => ({ at: to })) });
    assert.equal(crossings([[place(0, 1), place(1, 0)], []]), 1);
});

test("the history becomes attempts, pauses and waits; definitions keep their digits", () => {
    const time = (s) => new Date(1e12 + s * 1000).toISOString();
    const deed = { kind: "http", status: "succeeded", begun: time(0), ended: time(8), compensation: null };
    const records = [
        { type: "StepAttemptFailed", step: "a", at: time(1), data: { kind: "action", again_at: time(3) } },
        { type: "StepAttemptFailed", step: "a", at: time(4), data: { kind: "action", again_at: time(60) } },
        { type: "StepSucceeded", step: "a", at: time(8), data: { kind: "action" } },
    ];
    const [row] = rowsOf({ created: time(0), steps: [{ name: "a", after: [], ...deed }] }, records, 1e12 + 9000);
    assert.deepEqual(row.spans.map(({ what, from, to, tone }) => [what, (from - 1e12) / 1000, (to - 1e12) / 1000, tone]),
        [["attempt", 0, 1, "warn"], ["pause", 1, 3, "none"], ["attempt", 3, 4, "warn"], ["pause", 4, 8, "none"],
            ["attempt", 8, 8, "good"]]);
    const scale = scaleOf([row], true);
    assert.deepEqual([scale.at(1e12), scale.at(1e12 + 8000)], [0, 1]);

    const text = definitionText(`{"name":"x","version":2,"newest":2,"steps":[{"name":"a","action":{"n":${LONG}}}],` +
        '"description":null,"created":"now"}');
    assert.equal(text, ["{", '  "steps": [', "    {", '      "name": "a",', '      "action": {', `        "n": ${LONG}`,
        "      }", "    }", "  ]", "}"].join("\n"));
    const { from, to, line } = placeOf(text, "/steps/0/action/n");
    assert.deepEqual([text.slice(from, to), line], [LONG, 6]);
});
