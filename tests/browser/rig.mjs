/* What the browser tests stand on: a headless Chromium, watched. A request that leaves the gateway, an error on the console or a breach
 * of the Content-Security-Policy fails the test. tests/api/test_dashboard.py starts the gateway and this, and answers what a browser
 * cannot do by itself: control("token", {scope}), control("restart"), … (see there). */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = fileURLToPath(new URL("../../docs/dashboard/", import.meta.url));
const WAIT = Number(process.env.WEIR_WAIT ?? 15000);
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const LOOKS = [
    { name: "light", colorScheme: "light", viewport: { width: 1280, height: 800 } },
    { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
    { name: "phone", colorScheme: "light", viewport: { width: 390, height: 844 } },
    { name: "phone-dark", colorScheme: "dark", viewport: { width: 390, height: 844 } },
];

export const SOME = [LOOKS[0], LOOKS[3]];

export async function control(act, more = {}) {
    const answer = await fetch(`${process.env.WEIR_CONTROL}/${act}`, { method: "POST", body: JSON.stringify(more) });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body;
}

export const url = () => process.env.WEIR_URL;

/* A call as another client: {status, body}. A status that was not expected fails. */
export async function call(
    method,
    path,
    body,
    { expect = [200, 201, 202, 204], token = process.env.WEIR_TOKEN, headers = {} } = {},
) {
    const answer = await fetch(url() + path, {
        method,
        body: body === undefined ? undefined : JSON.stringify(body),
        headers: {
            Authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
            ...headers,
        },
    });
    const text = await answer.text();
    assert.ok([expect].flat().includes(answer.status), `${method} ${path}: ${answer.status} ${text}`);
    return { status: answer.status, body: text ? JSON.parse(text) : null };
}

/* Until fn() is true, or what it returns is not null. */
export async function until(fn, what = fn.toString(), ms = WAIT) {
    const end = Date.now() + ms;
    for (;;) {
        const got = await fn();
        if (got) {
            return got;
        }
        assert.ok(Date.now() < end, `never happened: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

let browser = null;
const breaches = [];

before(async () => {
    browser = await chromium.launch({ executablePath: process.env.WEIR_CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb"] });
});
after(async () => {
    await browser?.close();
    assert.deepEqual(breaches, [], "the pages kept to their origin, and said nothing on the console");
});

/* A browser of its own: its memory, its connections. expected: patterns of what the console may say (the browser reports each failed
 * request there). */
export async function open({ look = LOOKS[0], expected = [] } = {}) {
    const context = await browser.newContext({
        colorScheme: look.colorScheme,
        viewport: look.viewport,
        locale: "en-GB",
        timezoneId: "UTC",
        permissions: [],
        reducedMotion: "reduce",
    });
    context.setDefaultTimeout(WAIT);
    const origin = new URL(url()).origin;
    await context.route(
        (target) => target.origin !== origin && !["data:", "blob:", "about:"].includes(target.protocol),
        (route) => {
            breaches.push(`left the origin: ${route.request().url()}`);
            return route.abort();
        },
    );
    const page = await context.newPage();
    page.expected = [...expected];
    const say = (text) => page.expected.some((pattern) => pattern.test(text)) || breaches.push(text);
    page.on(
        "console",
        (message) => ["error", "warning"].includes(message.type()) && say(`console: ${message.text()} ${message.location().url}`),
    );
    page.on("pageerror", (error) => say(`error: ${error.stack}`));
    await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
    return page;
}

/* Opens the dashboard at a route ("/streams/orders?tab=live") and logs in, with a token of these scopes (everything, if none are given). */
export async function login(page, { route = "/", scope, token } = {}) {
    const used = token ?? (scope ? (await control("token", { scope })).token : process.env.WEIR_TOKEN);
    await page.goto(`${url()}/ui#${route}`);
    await page.getByLabel("Token").fill(used);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.locator("#navigation").waitFor({ state: "attached" });
    return used;
}

/* To another page of the same tab, without a load, which would forget the token. */
export async function visit(page, route) {
    await page.evaluate((to) => {
        location.hash = to;
    }, `#${route}`);
}

async function look(page, one) {
    await page.emulateMedia({ colorScheme: one.colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize(one.viewport);
    await page.waitForFunction(
        (dark) => document.documentElement.dataset.theme === (dark ? "dark" : "light"),
        one.colorScheme === "dark",
    );
}

/* axe-core over the page as it is, light and dark, desktop and phone; a picture of each if WEIR_SHOTS=1. By the debugger's way in, as the
 * page's own policy lets no foreign script in. looks: SOME is enough for a dialog over a page that is looked at elsewhere. */
export async function axe(page, name, looks = LOOKS) {
    for (const one of looks) {
        await look(page, one);
        const found = await page.evaluate(
            `${AXE};axe.run(document, { runOnly: ${JSON.stringify(RULES)}, resultTypes: ["violations"] })`,
        );
        const said = found.violations.flatMap(({ id, help, nodes }) =>
            nodes.map((node) => `${id}: ${help}: ${node.target} ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`),
        );
        assert.deepEqual(said, [], `axe: ${name}, ${one.name}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wide <= 0, `${name}, ${one.name}: the page is ${wide} px too wide`);
        if (looks === LOOKS) {
            await shot(page, `${name}-${one.name}`);
        }
    }
    await look(page, LOOKS[0]);
}

/* docs/dashboard/<name>.png, only when asked for, so that tests leave the tree as it is. */
export async function shot(page, name) {
    const folder = process.env.WEIR_SHOTS_TO ?? SHOTS;
    if (process.env.WEIR_SHOTS === "1" && !name.endsWith("phone-dark")) {
        mkdirSync(folder, { recursive: true });
        await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
    }
}
