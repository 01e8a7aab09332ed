/* Logging in, what a token may not do, and what all pages have in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, login, open, visit } from "./rig.mjs";

test("a token is refused with the reason, and accepted", async () => {
    const page = await open({ expected: [/401/] });
    await page.goto(`${process.env.WEIR_URL}/ui`);
    await axe(page, "login");
    await page.getByLabel("Token").fill("not.a.token");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "401" }).waitFor();
    assert.equal(await page.locator("#navigation").count(), 0);
    await login(page);
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    for (const name of ["Streams", "Groups", "Dead letters", "Schemas", "Projections", "Sagas", "API"]) {
        await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
        await page.getByRole("heading", { level: 1, name }).waitFor();
    }
    await visit(page, "/nowhere");
    await page.getByText("This link leads nowhere.").waitFor();
    await axe(page, "nowhere");
});
