/* Where the steps of a saga stand: layers from above to below, as in Sugiyama's method. Each step is one layer below the last
 * of those that it comes after; lines that pass a layer get a place in it; neighbours are ordered so that few lines cross;
 * then everything moves as near to what it is joined with as its neighbours allow. */

const SWEEPS = 8,
    MOVES = 12;
const LANE = 20; // the width of a line that passes

/* [{name, after: [names]}] from an instance or a definition: names that there are not are left out, the default spelled out. */
export function joined(steps) {
    const names = new Set(steps.map((step) => step.name));
    return steps.map((step, i) => ({
        ...step,
        after: (step.after ?? (i ? [steps[i - 1].name] : [])).filter((name) => names.has(name) && name !== step.name),
    }));
}

/* {name: layer}, or null if steps wait for each other in a circle. */
export function layersOf(steps) {
    const layer = Object.create(null);         // a step may be called "constructor"
    for (let left = steps; left.length;) {
        const next = left.filter((step) => !step.after.every((name) => name in layer));
        if (next.length === left.length) {
            return null;
        }
        const ready = left.filter((step) => !next.includes(step));
        ready.forEach((step) => {
            layer[step.name] = Math.max(-1, ...step.after.map((name) => layer[name])) + 1;
        });
        left = next;
    }
    return layer;
}

/* size: {width, height, gapX, gapY} of a step -> {nodes: [{name, x, y}], edges: [{from, to, path}], width, height}, or null. */
export function layout(steps, size) {
    const layer = layersOf(steps);
    if (!layer) {
        return null;
    }
    const { rows, lines } = placesOf(steps, layer);
    order(rows);
    spread(rows, size);
    const all = rows.flat(),
        left = Math.min(...all.map((one) => one.x - one.width / 2));
    all.forEach((one) => {
        one.x -= left;
    });
    return {
        nodes: all
            .filter((one) => one.name)
            .map(({ name, x, row }) => ({ name, x: x - size.width / 2, y: row * (size.height + size.gapY) })),
        edges: lines.map(({ from, to, via }) => ({ from, to, path: pathOf(via, size) })),
        width: Math.max(...all.map((one) => one.x + one.width / 2)),
        height: rows.length * (size.height + size.gapY) - size.gapY,
    };
}

/* Each layer's places: steps, and lines that pass. `up` and `down` are what a place is joined with. */
function placesOf(steps, layer) {
    const rows = [],
        lines = [],
        place = Object.create(null);
    const put = (row, name) => {
        const one = { name, row, x: 0, up: [], down: [] };
        (rows[row] ??= []).push(one);
        return one;
    };
    steps.forEach((step) => {
        place[step.name] = put(layer[step.name], step.name);
    });
    steps.forEach((step) =>
        step.after.forEach((name) => {
            const via = [place[name]];
            for (let row = layer[name] + 1; row < layer[step.name]; row++) {
                via.push(put(row, null));
            }
            via.push(place[step.name]);
            via.slice(1).forEach((one, i) => {
                via[i].down.push(one);
                one.up.push(via[i]);
            });
            lines.push({ from: name, to: step.name, via });
        }),
    );
    return { rows, lines };
}

const mean = (numbers) => numbers.reduce((sum, n) => sum + n, 0) / numbers.length;

function number(row) {
    row.forEach((one, i) => {
        one.at = i;
    });
}

/* Rows ordered by the mean place of what they are joined with, downwards and upwards in turn; the best order found stays. */
function order(rows) {
    rows.forEach(number);
    let best = rows.map((row) => [...row]),
        fewest = crossings(rows);
    for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
        const side = sweep % 2 ? "down" : "up";
        (sweep % 2 ? [...rows].reverse() : rows).forEach((row) => {
            const wish = new Map(row.map((one) => [one, one[side].length ? mean(one[side].map((to) => to.at)) : one.at]));
            row.sort((a, b) => wish.get(a) - wish.get(b) || a.at - b.at);
            number(row);
        });
        const now = crossings(rows);
        if (now < fewest) {
            fewest = now;
            best = rows.map((row) => [...row]);
        }
    }
    best.forEach((row, i) => {
        rows[i] = row;
        number(row);
    });
}

export function crossings(rows) {
    return rows.reduce((sum, row) => {
        const ends = row.flatMap((one) => one.down.map((to) => [one.at, to.at]));
        return sum + ends.reduce((n, [a, b], i) => n + ends.slice(i + 1).filter(([c, d]) => (a - c) * (b - d) < 0).length, 0);
    }, 0);
}

/* x of the middle of each place. */
function spread(rows, { width, gapX }) {
    rows.forEach((row) => {
        row.forEach((one) => {
            one.width = one.name ? width : LANE;
        });
        settle(
            row,
            row.map(() => 0),
            gapX,
        );
    });
    for (let move = 0; move < MOVES; move++) {
        (move % 2 ? [...rows].reverse() : rows).forEach((row) =>
            settle(
                row,
                row.map((one) => {
                    const near = [...one.up, ...one.down].map((to) => to.x);
                    return near.length ? mean(near) : one.x;
                }),
                gapX,
            ),
        );
    }
}

/* As near to what is wished as the distances allow, by least squares: neighbours that would overlap move as one (pool
 * adjacent violators). */
function settle(row, wish, gap) {
    let from = 0;
    const start = row.map((one, i) => (i ? (from += (row[i - 1].width + one.width) / 2 + gap) : 0));
    const pools = [];
    wish.forEach((x, i) => {
        let pool = { sum: x - start[i], n: 1 };
        while (pools.length && pools.at(-1).sum / pools.at(-1).n > pool.sum / pool.n) {
            const before = pools.pop();
            pool = { sum: before.sum + pool.sum, n: before.n + pool.n };
        }
        pools.push(pool);
    });
    let i = 0;
    pools.forEach((pool) => {
        for (let k = 0; k < pool.n; k++, i++) {
            row[i].x = pool.sum / pool.n + start[i];
        }
    });
}

function pathOf(via, { height, gapY }) {
    const round = (n) => Math.round(n * 10) / 10;
    const top = (one) => one.row * (height + gapY);
    return via.slice(1).reduce((path, one, i) => {
        const before = via[i],
            y1 = top(before) + height,
            y2 = top(one),
            middle = y1 + gapY / 2;
        const start = i ? `L${round(before.x)} ${y1}` : `M${round(before.x)} ${y1}`;
        return `${path}${start}C${round(before.x)} ${middle} ${round(one.x)} ${middle} ${round(one.x)} ${y2}`;
    }, "");
}
