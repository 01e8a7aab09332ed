/* Times, relative and exact. What takes a time takes RFC 3339 text, milliseconds or a Date. */
import { signal } from "@preact/signals";

/* Ages are told by the gateway's clock: the reader's may be wrong by minutes. */
const UNSURE = 2000;                           // Date has whole seconds, and the answer took its time
let ahead = 0;                                 // ms that the gateway's clock is before ours

export function heard(date) {
    const difference = Date.parse(date) + 500 - Date.now();
    if (Math.abs(difference - ahead) > UNSURE) {
        ahead = Math.abs(difference) > UNSURE ? difference : 0;
    }
}

export const serverNow = () => Date.now() + ahead;
export const now = signal(serverNow());        // each second: for what is young
export const slowNow = signal(serverNow());    // each quarter minute: for what is older
export const exactTimes = signal(false);       // the reader's choice, for all of the page
setInterval(() => {
    if (!document.hidden) {
        now.value = serverNow();
        if (Math.abs(now.value - slowNow.value) >= 15000) {
            slowNow.value = now.value;
        }
    }
}, 1000);

const ms = (t) => (t instanceof Date ? t.getTime() : typeof t === "number" ? t : Date.parse(t));
const UNITS = [["d", 86400000], ["h", 3600000], ["m", 60000], ["s", 1000]];

/* "3m 20s": at most two units; under ten seconds with a fraction. */
export function duration(length) {
    if (!Number.isFinite(length)) {
        return "–";
    }
    const left = Math.abs(length);
    if (left < 1000) {
        return `${Math.round(left)}ms`;
    }
    if (left < 10000) {
        return `${Number((left / 1000).toFixed(1))}s`;
    }
    const first = UNITS.findIndex(([, size]) => left >= size);
    const [unit, size] = UNITS[first], second = UNITS[first + 1];
    const whole = Math.floor(left / size), rest = second ? Math.floor((left % size) / second[1]) : 0;
    return rest && whole < 10 ? `${whole}${unit} ${rest}${second[0]}` : `${whole}${unit}`;
}

/* "4m ago", "in 20s", "now" */
export function relative(t, from = serverNow()) {
    const at = ms(t), age = from - at;
    if (!Number.isFinite(at)) {
        return "–";
    }
    if (Math.abs(age) < 1000) {
        return "now";
    }
    const rounded = Math.abs(age) < 10000 ? Math.round(age / 1000) * 1000 : age;
    return age > 0 ? `${duration(rounded)} ago` : `in ${duration(rounded)}`;
}

const two = (n, digits = 2) => String(n).padStart(digits, "0");

/* The reader's local time with its offset, to the millisecond: 2026-03-02 09:20:00.123 +01:00 */
export function exact(t) {
    const d = new Date(ms(t));
    if (Number.isNaN(d.getTime())) {
        return "–";
    }
    const offset = -d.getTimezoneOffset(), sign = offset < 0 ? "-" : "+", hours = Math.floor(Math.abs(offset) / 60);
    return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:` +
        `${two(d.getSeconds())}.${two(d.getMilliseconds(), 3)} ${sign}${two(hours)}:${two(Math.abs(offset) % 60)}`;
}

/* "30s", "5m", "7d" as the API writes durations -> milliseconds, or NaN. */
export function durationOf(text) {
    const found = /^(\d+)(ms|s|m|h|d)$/.exec(text ?? "");
    return found ? Number(found[1]) * { ms: 1, s: 1000, m: 60000, h: 3600000, d: 86400000 }[found[2]] : NaN;
}
