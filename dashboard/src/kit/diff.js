/* The shortest list of lines that went and came (E. Myers, "An O(ND) Difference Algorithm", 1986), with the equal ends cut off first. */

const MOST_STEPS = 500;                        // differences after which the middle is shown as replaced whole

/* -> [{kind: "same"|"removed"|"added", text}] */
export function diffLines(before, after) {
    let head = 0, tail = 0;
    while (head < before.length && head < after.length && before[head] === after[head]) {
        head++;
    }
    while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) {
        tail++;
    }
    const same = (list) => list.map((text) => ({ kind: "same", text }));
    return [...same(before.slice(0, head)),
        ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
        ...same(before.slice(before.length - tail))];
}

function middle(a, b) {
    const trace = [], reach = new Map([[1, 0]]), most = Math.min(a.length + b.length, MOST_STEPS);
    for (let d = 0; d <= most; d++) {
        trace.push(new Map(reach));
        for (let k = -d; k <= d; k += 2) {
            const down = k === -d || (k !== d && reach.get(k - 1) < reach.get(k + 1));
            let x = down ? reach.get(k + 1) : reach.get(k - 1) + 1;
            while (x < a.length && x - k < b.length && a[x] === b[x - k]) {
                x++;
            }
            reach.set(k, x);
            if (x >= a.length && x - k >= b.length) {
                return walk(a, b, trace);
            }
        }
    }
    return [...a.map((text) => ({ kind: "removed", text })), ...b.map((text) => ({ kind: "added", text }))];
}

function walk(a, b, trace) {
    const steps = [];
    let x = a.length, y = b.length;
    for (let d = trace.length - 1; d >= 0; d--) {
        const reach = trace[d], k = x - y;
        const down = k === -d || (k !== d && reach.get(k - 1) < reach.get(k + 1));
        const fromK = down ? k + 1 : k - 1, fromX = reach.get(fromK), fromY = fromX - fromK;
        while (x > fromX && y > fromY && x > 0 && y > 0) {
            steps.push({ kind: "same", text: a[--x] });
            y--;
        }
        if (d > 0) {
            steps.push(down ? { kind: "added", text: b[--y] } : { kind: "removed", text: a[--x] });
        }
    }
    return steps.reverse();
}

const AROUND = 3;

/* Rows for a table of two sides: what was removed stands beside what was added; long equal runs are cut. */
export function rowsOf(steps) {
    const rows = [];
    let beforeLine = 0, afterLine = 0;
    for (let i = 0; i < steps.length;) {
        if (steps[i].kind === "same") {
            let end = i;
            while (end < steps.length && steps[end].kind === "same") {
                end++;
            }
            const [lead, trail] = [i ? AROUND : 0, end < steps.length ? AROUND : 0], cut = end - i > lead + trail + 2;
            for (let n = i; n < end; n++) {
                beforeLine++;
                afterLine++;
                if (cut && n === i + lead) {
                    rows.push({ kind: "cut", count: end - i - lead - trail });
                }
                if (!cut || n < i + lead || n >= end - trail) {
                    rows.push({ kind: "same", beforeLine, afterLine, before: steps[n].text, after: steps[n].text });
                }
            }
            i = end;
        } else {
            const removed = [], added = [];
            for (; i < steps.length && steps[i].kind !== "same"; i++) {
                (steps[i].kind === "removed" ? removed : added).push(steps[i].text);
            }
            for (let n = 0; n < Math.max(removed.length, added.length); n++) {
                rows.push({
                    kind: "changed",
                    before: removed[n],
                    after: added[n],
                    beforeLine: n < removed.length ? ++beforeLine : undefined,
                    afterLine: n < added.length ? ++afterLine : undefined,
                });
            }
        }
    }
    return rows;
}
