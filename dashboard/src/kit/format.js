/* Numbers for people. Missing ones are a dash. */
const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const known = (n) => n !== null && n !== undefined && n !== "" && Number.isFinite(Number(n));

/* 12,345; beyond a million 12.3M. Digits in text (offsets) stay whole and exact. */
export function count(n) {
    if (!known(n)) {
        return "–";
    }
    if (typeof n === "string" && /^\d+$/.test(n)) {
        return GROUPED.format(BigInt(n));
    }
    return Math.abs(n) >= 1e6 ? scaled(Number(n), 1000, ["", "k", "M", "G", "T"]) : GROUPED.format(Number(n));
}

/* many("event", 2): "2 events" */
export const many = (word, n) => `${count(n)} ${word}${Number(n) === 1 ? "" : "s"}`;

export function bytes(n) {
    return known(n) ? scaled(Number(n), 1024, [" B", " KiB", " MiB", " GiB", " TiB"]) : "–";
}

/* a second */
export function rate(n) {
    if (!known(n)) {
        return "–";
    }
    return `${n >= 100 || n === 0 ? count(Math.round(n)) : Number(Number(n).toPrecision(2))}/s`;
}

function scaled(n, base, units) {
    let unit = 0;
    while (Math.abs(n) >= base && unit < units.length - 1) {
        n /= base;
        unit++;
    }
    return `${unit === 0 || Math.abs(n) >= 100 ? Math.round(n) : Number(n.toFixed(1))}${units[unit]}`;
}

/* UUIDs and hashes: the first eight characters tell them apart in a list; their title shows the whole. */
export function shortId(s) {
    return /^[0-9a-f-]{17,}$/i.test(s ?? "") ? `${s.slice(0, 8)}…` : (s ?? "–");
}
