/* Dead letters: found, understood, repaired, sent again and done; many of them by a job; and what an editor saves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { patchOf } from "../../dashboard/src/letters/patch.js";
import { axe, call, login, open, until, url, visit } from "./rig.mjs";

const changes = (before, after) => JSON.parse(patchOf(before, after)?.patch ?? "null");

test("a repair is a patch of what was changed, in the spelling in which it was typed", () => {
    assert.equal(patchOf('{"a":"12,50","n":90071992547409931234}', '{\n  "a": 12.50,\n  "n": 90071992547409931234\n}').patch,
        '[{"op":"test","path":"/a","value":"12,50"},\n{"op":"replace","path":"/a","value":12.50}]');
    assert.equal(patchOf('{"a":1,"b":[2,{"c":3}]}', '{ "b": [ 2, { "c": 3 } ], "a": 1 }'), null);
    assert.deepEqual(changes('{"a/b":{"~":1},"z":0}', '{"a/b":{"~":2},"y":null}'), [
        { op: "test", path: "", value: { "a/b": { "~": 1 }, z: 0 } }, { op: "replace", path: "/a~1b/~0", value: 2 },
        { op: "remove", path: "/z" }, { op: "add", path: "/y", value: null }]);
    assert.deepEqual(changes("[1,2,3,4]", "[1,5,4]"), [{ op: "test", path: "", value: [1, 2, 3, 4] },
        { op: "replace", path: "/1", value: 5 }, { op: "remove", path: "/2" }]);
    assert.deepEqual(changes('{"l":[1,2]}', '{"l":[1,9,8,2]}').slice(1), [
        { op: "add", path: "/l/1", value: 9 }, { op: "add", path: "/l/2", value: 8 }]);
    assert.deepEqual(changes('{"a":1,"a":2}', '{"a":1,"a":3}').slice(1), [{ op: "replace", path: "", value: { a: 3 } }]);
    const many = (by) => JSON.stringify(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, i + by])));
    assert.equal(patchOf(many(0), many(1)).changes, 1, "more operations than a patch may have are one");
});

const group = (stream, act) => `/v1/streams/${stream}/groups/billing${act ? `/${act}` : ""}`;

async function receive(stream, max = 1) {
    return (await call("POST", group(stream, "receive"), { max, wait: "10s", consumer: "billing-2" })).body.deliveries;
}

async function finish(stream, act, deliveries, error) {
    const ids = deliveries.map((one) => one.delivery_id);
    const { body } = await call("POST", group(stream, act), { delivery_ids: ids, ...(error ? { error } : {}) });
    assert.deepEqual(body, { done: ids, stale: [] });
}

const BYTES = '{ "total":"59,80",  "id":12345678901234567890, "rows":[1.10, 2] }';
const ERROR = { type: "DecimalError", message: "'59,80' is no decimal", stack: "at total()\nat bill()", context: { line: 7 } };

/* As bytes: what JSON.parse would lose is what is tested. */
async function raw(path, more = {}) {
    const headers = { Authorization: `Bearer ${process.env.WEIR_TOKEN}`, "Content-Type": "application/json" };
    return (await fetch(url() + path, { headers, ...more })).text();
}

test("a worker fails, its letter is repaired, redriven and done", async () => {
    const total = { anyOf: [{ type: "number", minimum: 0 }, { type: "string" }] };
    const schema = JSON.stringify({ type: "object", properties: { total } });
    await call("POST", "/registry/subjects/shop-OrderPlaced/versions", { schemaType: "JSON", schema });
    await call("PUT", "/v1/streams/shop", { schema_validation: "enforce" });
    const backoff = { initial: "1ms", factor: 1, max: "1ms", jitter: 0 };
    await call("PUT", group("shop"), { start: "earliest", max_retries: 1, backoff });
    await raw("/v1/streams/shop/events", { method: "POST", body: `{"type":"OrderPlaced","subject":"o-1","data":${BYTES}}` });
    const page = await open({ expected: [/422/, /404.*_audit/] });      /* a bad repair is tried; an act is not recorded yet */
    await login(page, { route: "/letters/shop" });
    await page.getByText("No letter is parked here.").waitFor();
    for (let attempt = 1; attempt <= 2; attempt++) {
        await finish("shop", "nack", await receive("shop"), ERROR);
    }

    await page.getByRole("link", { name: /DecimalError/ }).click();       /* it came by itself */
    await page.getByRole("link", { name: /OrderPlaced/ }).waitFor();
    await page.keyboard.press("j");
    await page.locator("tr.selected a:focus").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "OrderPlaced o-1" }).waitFor();
    await page.getByText("12345678901234567890").waitFor();
    const history = page.getByRole("region", { name: "History" });
    await history.getByText("Attempt 2 failed").waitFor();
    await axe(page, "letter");

    await page.keyboard.press("e");
    const text = page.getByLabel("Data of the event");
    await text.fill(`${(await text.inputValue()).slice(0, -1)},}`);
    await page.getByText(/^Line \d+, column \d+/).waitFor();
    const save = page.getByRole("button", { name: "Save the repair", exact: true });
    assert.ok(await save.isDisabled());
    await page.getByRole("button", { name: "Undo all" }).click();
    await text.fill((await text.inputValue()).replace('"59,80"', "-59.80"));
    await page.getByText("schema-violation").waitFor();
    await page.getByText("/total", { exact: true }).first().waitFor();
    assert.ok(await save.isDisabled());
    await text.fill((await text.inputValue()).replace("-59.80", "59.80"));
    await page.getByText("it conforms to its schema").waitFor();
    await page.getByRole("region", { name: /compared/ }).getByText('"total": 59.80').waitFor();
    await axe(page, "letter-editor");
    await save.click();

    await page.getByRole("heading", { level: 2, name: "What the repair changed" }).waitFor();
    const path = `/v1/streams/shop/dlq/${decodeURIComponent(page.url().split("/").at(-1)).replace(/\?.*/, "")}`;
    const kept = await raw(path);
    assert.ok(kept.includes(BYTES.replace('"59,80"', "59.80")) && kept.includes(BYTES), kept);
    await history.getByText("Repaired").waitFor();

    const redrive = async (reason) => {
        await page.keyboard.press("r");
        await page.getByLabel("Reason").fill(reason);
        await page.keyboard.press("Enter");
        await page.getByText("Sent back to billing.").waitFor();
        return receive("shop");
    };
    await finish("shop", "reject", await redrive("try it"), { type: "StillClosed", message: "the shop is closed" });
    await page.getByText("Dead again after a redrive.").waitFor();
    await page.getByRole("region", { name: "Why it died" }).getByText("StillClosed").waitFor();
    const [again] = await redrive("total was a text");
    assert.equal(again.event.data.total, 59.8);
    await finish("shop", "ack", [again]);
    await page.getByText("Done: billing acknowledged it after 2 redrives.").waitFor();
    await history.getByText("total was a text").waitFor();
    await history.getByText("Acknowledged").waitFor();
    assert.ok(await page.getByRole("button", { name: "Redrive", exact: true }).isDisabled());
    await page.context().close();
});

test("many letters are counted, redriven and discarded by jobs that show how far they are", async () => {
    const COUNT = 300;
    await call("PUT", "/v1/streams/depot", {});
    await call("PUT", group("depot"), { start: "earliest", ordering: "none" });
    await call("POST", "/v1/streams/depot/events", Array.from({ length: COUNT }, (_, i) => (
        { type: i % 3 ? "BoxMoved" : "BoxLost", subject: `box-${i}`, data: { i } })));
    await finish("depot", "reject", await receive("depot", COUNT), ERROR);
    const page = await open({ expected: [/404.*_audit/] });
    await login(page, { route: "/letters" });
    await page.getByRole("row", { name: /depot/ }).first().waitFor();
    await axe(page, "letters");

    await visit(page, "/letters/depot?type=BoxMoved");
    await page.getByRole("button", { name: "Redrive many…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("200 letters match.").waitFor();
    await dialog.getByLabel("Limit").fill("150");
    await dialog.getByText("150 letters match.").waitFor();
    await dialog.getByLabel("Letters a second").fill("60");
    await axe(page, "letters-bulk");
    await dialog.getByRole("button", { name: "Redrive 150 letters", exact: true }).click();
    const bar = dialog.getByRole("progressbar");
    const part = async () => Number(await bar.getAttribute("aria-valuenow"));
    const seen = await until(async () => { const n = await part(); return n > 0 && n; }, "the bar moves");
    assert.ok(seen < 150, `${seen}: seen on its way`);
    await dialog.getByText("150 of 150 redriven").waitFor();
    await dialog.getByText("done", { exact: true }).waitFor();
    assert.equal((await receive("depot", COUNT)).length, 150);
    await dialog.getByRole("button", { name: "Done" }).click();

    await visit(page, "/letters/depot");
    await page.getByRole("button", { name: "Discard many…" }).click();
    await dialog.getByText("150 letters match.").waitFor();
    const discard = dialog.getByRole("button", { name: "Discard 150 letters", exact: true });
    assert.ok(await discard.isDisabled());
    await dialog.getByLabel("Letters a second").fill("1");
    await dialog.getByLabel("Type depot to confirm").fill("depot");
    await discard.click();
    await dialog.getByRole("link", { name: "Open the job" }).click();
    await page.getByRole("heading", { level: 1, name: "Discard of depot" }).waitFor();
    await page.getByRole("button", { name: "Cancel the job", exact: true }).click();
    await page.getByText("cancelled", { exact: true }).waitFor();
    await axe(page, "job");
    await visit(page, "/jobs");
    await page.getByRole("row", { name: /redrive.*150 of 150/ }).waitFor();
    await axe(page, "jobs");
    await visit(page, "/letters/depot?tab=letters&state=all&type=BoxLost");
    await page.getByRole("link", { name: "BoxLost box-0" }).waitFor();
    await axe(page, "letters-list");
    await page.context().close();
});

test("only letters of streams that the token may see are shown", async () => {
    const page = await open();
    await call("PUT", "/v1/streams/secret", {});
    await call("PUT", group("secret"), { start: "earliest" });
    await call("POST", "/v1/streams/secret/events", { type: "Hidden", data: 1 });
    await finish("secret", "reject", await receive("secret"), ERROR);
    await call("PUT", "/v1/streams/open", {});
    await call("PUT", group("open"), { start: "earliest" });
    await call("POST", "/v1/streams/open/events", { type: "Shown", data: 1 });
    await finish("open", "reject", await receive("open"), ERROR);
    await login(page, { route: "/letters", scope: "dlq:open subscribe:*" });
    await page.getByRole("row", { name: /Shown/ }).waitFor();
    assert.equal(await page.getByRole("row", { name: /Hidden/ }).count(), 0);
    await page.context().close();
});
