/* A live tail of 1,000 events a second in a real browser, for as long as is asked: frames and memory are measured in the page. Begun by
 * dashboard.py, which kills the gateway on the way. Figures go to the file that WEIR_FIGURES names. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { login, open, until } from "../browser/rig.mjs";

const SECONDS = Number(process.env.WEIR_SECONDS), PER_SECOND = 1000, BATCH = 50;
const WARM_MS = 8000, SAMPLE_MS = 10000;
const STREAM = "flood", EVENTS = `${process.env.WEIR_URL}/v1/streams/${STREAM}/events`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Each event once, in order, whatever happens to the gateway: a batch is sent again under its ids until it is recorded. */
class Publisher {
    constructor() {
        Object.assign(this, { sent: 0, stopped: false, began: performance.now(), slowest: 0 });
        this.ended = this.run();
    }

    async run() {
        while (!this.stopped) {
            const due = (performance.now() - this.began) * PER_SECOND / 1000;
            if (this.sent + BATCH > due) {
                await pause(5);
                continue;
            }
            await this.publish(Array.from({ length: BATCH }, (_, i) => this.event(this.sent + i)));
            this.sent += BATCH;
        }
    }

    event(n) {
        return { id: `e-${n}`, source: "/soak", type: n % 3 ? "OrderPlaced" : "OrderPaid", subject: `order-${n % 5000}`,
            data: { n, customer: `c-${n % 97}`, note: "leave at the door ".repeat(12) } };
    }

    async publish(events) {
        for (;;) {
            try {
                const answer = await fetch(EVENTS, { method: "POST", body: JSON.stringify(events),
                    headers: { Authorization: `Bearer ${process.env.WEIR_TOKEN}`, "Content-Type": "application/json" } });
                await answer.arrayBuffer();
                if (answer.ok) {
                    return;
                }
                assert.ok(answer.status === 503 || answer.status === 429, `publish: ${answer.status}`);
            } catch (error) {
                assert.ok(error instanceof TypeError, error);
            }
            await pause(50);
        }
    }
}

/* Gaps between frames, in the page; collecting garbage for a measurement does not count. */
function watchFrames() {
    const watch = window.watch = { gaps: [], off: true };
    let last = null;
    const frame = (now) => {
        if (!watch.off && last !== null) {
            watch.gaps.push(now - last);
        }
        last = watch.off ? null : now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}

async function measure(page, cdp) {
    await page.evaluate(() => {
        window.watch.off = true;
    });
    await cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await cdp.send("Performance.getMetrics");
    const found = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
    await page.evaluate(() => {
        window.watch.off = false;
    });
    return { heap: found.JSHeapUsedSize, nodes: found.Nodes, listeners: found.JSEventListeners };
}

/* How long the page takes to do as it is told, in the midst of the flood. */
async function click(page, name, then) {
    const began = performance.now();
    await page.getByRole("button", { name }).click();
    await page.getByRole("button", { name: then }).waitFor();
    return performance.now() - began;
}

test("a live tail of 1,000 events a second", { timeout: (SECONDS + 240) * 1000 }, async () => {
    const page = await open({ expected: [/ERR_/, /Failed to load resource/] });
    await page.addInitScript(watchFrames);
    await login(page, { route: `/streams/${STREAM}?tab=live&from=earliest` });
    await page.getByText("Waiting for events").waitFor();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable");
    const publisher = new Publisher();

    await pause(WARM_MS);
    const samples = [await measure(page, cdp)];
    const clicks = [];
    for (const end = performance.now() + SECONDS * 1000; performance.now() < end;) {
        await pause(Math.min(SAMPLE_MS, Math.max(0, end - performance.now())));
        clicks.push(await click(page, "Pause", /^Resume/));
        clicks.push(await click(page, /^Resume/, "Pause"));
        samples.push(await measure(page, cdp));
    }
    const gaps = await page.evaluate(() => window.watch.gaps);
    const seconds = (performance.now() - publisher.began) / 1000;
    publisher.stopped = true;
    await publisher.ended;
    const wanted = `2,000 kept of ${new Intl.NumberFormat("en").format(publisher.sent)} seen`;
    const state = page.locator(".tail-state");
    await until(async () => (await state.innerText()).includes(wanted), wanted, 30000).catch(() => undefined);
    writeFileSync(process.env.WEIR_FIGURES, JSON.stringify({
        samples, clicks, gaps: gaps.sort((a, b) => a - b), sent: publisher.sent, seconds, wanted, shown: await state.innerText(),
        rows: await page.getByRole("row").count(),
    }));
});
