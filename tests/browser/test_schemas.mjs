/* Schemas: registered, refused with reasons, compared, tried on stored events, rolled back, deleted; and contracts of consumers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, call, login, open, shot, until, visit } from "./rig.mjs";

const closed = (properties, required = ["total"]) =>
    JSON.stringify({ type: "object", properties, required, additionalProperties: false });
const V1 = closed({ total: { type: "number" } });
const V2 = closed({ total: { type: "number" }, currency: { type: "string" } });
const BREAKS = closed({ total: { type: "string" } });
const register = (subject, schema) =>
    call("POST", `/registry/subjects/${encodeURIComponent(subject)}/versions`, { schema, schemaType: "JSON" });
const versions = async (subject, expect = 200) =>
    (await call("GET", `/registry/subjects/${encodeURIComponent(subject)}/versions`, undefined, { expect })).body;
const exactly = (scope, name) => scope.getByRole("button", { name, exact: true });

async function registerHere(page, schema) {
    await page.getByLabel("Candidate", { exact: true }).fill(schema);
    await exactly(page, "Register").click();
    await exactly(page.getByRole("dialog"), "Register").click();
}

test("a subject's first version, one that is refused with its reasons, and one that is good", async () => {
    const page = await open({ expected: [/409/, /404/] });
    await login(page, { route: "/schemas" });
    await page.getByText("No schema is registered yet").waitFor();
    await page.getByRole("button", { name: "New subject…" }).first().click();
    await page.getByRole("dialog").getByLabel("Subject").fill("orders-Placed/é %");
    await page.getByRole("button", { name: "Write its schema" }).click();
    await page.getByRole("heading", { level: 1, name: "orders-Placed/é %" }).waitFor();
    await registerHere(page, V1);
    await page.getByText("latest", { exact: true }).waitFor();
    assert.deepEqual(await versions("orders-Placed/é %"), [1]);

    await page.getByRole("tab", { name: "Check and register" }).click();
    await page.getByLabel("Candidate", { exact: true }).fill(BREAKS);
    await exactly(page, "Check").click();
    await page.getByText("Not compatible").waitFor();
    await page.getByText("TYPE_CHANGED").waitFor();
    assert.match(await page.getByRole("region", { name: "Counterexample" }).innerText(), /"total": 0/);
    await registerHere(page, BREAKS);
    await page.getByRole("dialog").getByRole("alert").filter({ hasText: "incompatible with an earlier schema" }).waitFor();
    await exactly(page.getByRole("dialog"), "Cancel").click();
    await axe(page, "schema-check");
    await page.getByLabel("Candidate", { exact: true }).fill("{");
    assert.ok(await exactly(page, "Check").isDisabled());
    assert.equal(await page.getByText("Not compatible").count(), 0, "a verdict holds for what was asked alone");

    await registerHere(page, V2);
    await page.getByRole("button", { name: "Version 2 latest" }).waitFor();
    await page.getByRole("tab", { name: "Compare" }).click();
    const diff = page.getByRole("region", { name: "Version 1 and Version 2 compared" });
    assert.match(await diff.locator("td.line.added").first().innerText(), /"currency"|\},/);
    await shot(page, "schema-compare-light");
});

test("old versions: rolled back to, deleted softly and for good", async () => {
    const page = await open({ expected: [/404/, /409/] });
    await register("parcels-Sent", V1);
    await register("parcels-Sent", V2);
    await login(page, { route: "/schemas/parcels-Sent" });
    await page.getByRole("button", { name: "Version 1" }).click();
    await exactly(page, "Roll back to it").click();
    const dialog = page.getByRole("dialog");
    await exactly(dialog, "Roll back").click();
    await dialog.getByRole("alert").filter({ hasText: "409" }).waitFor();
    await dialog.getByLabel("Also if it is not compatible").check();
    await exactly(dialog, "Roll back").click();
    await page.getByRole("button", { name: "Version 3 latest" }).waitFor();
    await exactly(page, "Delete").click();
    await exactly(dialog, "Delete").click();
    await page.getByRole("button", { name: "Version 1 deleted" }).waitFor();
    assert.deepEqual(await versions("parcels-Sent"), [2, 3]);
    await exactly(page, "Delete for good").click();
    await exactly(dialog, "Delete for good").click();
    await page.getByRole("button", { name: "Version 1" }).waitFor({ state: "detached" });

    await page.getByRole("tab", { name: "Settings" }).click();
    await page.getByLabel("Compatibility").selectOption("FULL");
    await exactly(page, "Set level").click();
    await exactly(page, "Use the level of all").waitFor();
    assert.equal((await call("GET", "/registry/config/parcels-Sent")).body.compatibilityLevel, "FULL");
    await exactly(page, "Use the level of all").click();
    await exactly(page, "Use the level of all").waitFor({ state: "detached" });
    await call("GET", "/registry/config/parcels-Sent", undefined, { expect: 404 });
    await exactly(page, "Delete subject").click();
    await dialog.getByLabel("Type parcels-Sent").fill("parcels-Sent");
    await exactly(dialog, "Delete subject").click();
    await exactly(page, "Delete subject for good").waitFor();
    await versions("parcels-Sent", 404);

    await visit(page, "/schemas?search=parcels");
    await page.getByText("No subject fits").waitFor();
    await page.getByLabel("With deleted ones").check();
    await page.getByRole("row", { name: /parcels-Sent.*deleted/ }).waitFor();
});

test("who uses a subject, what stored events say of a candidate, and contracts", async () => {
    const page = await open({ expected: [/409/] });
    await register("shop-Sold", V1);
    await call("POST", "/registry/subjects/receipt/versions", {
        schema: '{"$ref":"sold.json"}',
        schemaType: "JSON",
        references: [{ name: "sold.json", subject: "shop-Sold", version: 1 }],
    });
    await call("PUT", "/v1/streams/shop", { schema_validation: "warn" });
    await call(
        "POST",
        "/v1/streams/shop/events",
        [5, "five", 7].map((total) => ({ type: "Sold", data: { total } })),
    );
    await login(page, { route: "/schemas/shop-Sold?tab=check" });
    await page.getByText("Try it on events that are stored").click();
    await exactly(page, "Try it").click();
    await page.getByText("1 refused").waitFor();
    await page.getByRole("region", { name: "What the dry run says" }).getByText("/total").waitFor();

    await page.getByRole("tab", { name: "Used by" }).click();
    await page.getByRole("row", { name: "shop Sold warn" }).waitFor();
    await page.getByRole("row", { name: "receipt 1 1" }).waitFor();
    await page.getByText("No contract reads this").waitFor();

    await visit(page, "/contracts");
    await page.getByText("There is no contract yet").waitFor();
    await page.getByRole("button", { name: "New contract…" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Consumer").fill("billing");
    await dialog.getByLabel("Subject").fill("shop-Sold");
    await dialog.getByLabel("With the schema of").selectOption("a text of its own");
    await dialog.getByLabel("Schema", { exact: true }).fill('{"type":"object","properties":{"total":{"type":"integer"}}}');
    await exactly(dialog, "Make contract").click();
    await page.getByRole("heading", { level: 1, name: "billing" }).waitFor();
    await exactly(page, "Enforce").click();
    await page.getByRole("alert").filter({ hasText: "409" }).waitFor(); // its latest version breaks it already
    await axe(page, "contract");

    await visit(page, "/contracts");
    await page.getByRole("button", { name: "cannot read it (not enforced)" }).click();
    await dialog.getByText("TYPE_NARROWED").waitFor();
    assert.match(await dialog.getByRole("region", { name: "Counterexample" }).innerText(), /"total": \d+\.\d+/);
    await page.keyboard.press("Escape");
    await axe(page, "contracts");
    await call("PUT", "/registry/contracts/billing", { reads: [{ subject: "shop-Sold", schema: 1 }], enforced: true });
    await visit(page, "/contracts/billing");
    await page.getByText("enforced", { exact: true }).waitFor();
    await exactly(page, "Delete").click();
    await exactly(dialog, "Delete").click();
    await page.getByText("There is no contract yet").waitFor();
});

test("lists show what the token may see, and the level of all to who may set it", async () => {
    const page = await open();
    await register("mine-A", V1);
    await register("theirs-A", V1);
    await register(":.other:mine-B", V1);
    await login(page, { route: "/schemas" });
    await page.getByRole("heading", { name: "For all subjects that say nothing else" }).waitFor();
    await page.getByLabel("Context").selectOption(".other");
    await page.getByRole("row", { name: "mine-B .other JSON 1" }).waitFor();
    assert.equal(await page.getByRole("region", { name: "Subjects" }).getByRole("row").count(), 2);
    await axe(page, "schemas");
    const theirs = await open();
    await login(theirs, { route: "/schemas", scope: "schema:mine-*" });
    await theirs.getByRole("row", { name: "mine-A default JSON 1" }).waitFor();
    await until(async () => (await theirs.getByRole("region", { name: "Subjects" }).getByRole("row").count()) === 2);
    assert.equal(await theirs.getByRole("heading", { name: "For all subjects that say nothing else" }).count(), 0);
    await theirs.getByRole("link", { name: "mine-A" }).click();
    await theirs.getByRole("button", { name: "Version 1 latest" }).waitFor();
    await axe(theirs, "schema");
});
