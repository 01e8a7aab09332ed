/* Times of the API to the microsecond: Date knows milliseconds alone. */

export function micros(text) {
    const fraction = /\.([0-9]{1,6})/.exec(text)?.[1] ?? "";

    return Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(fraction.padEnd(6, "0"));
}

export function fromMicros(us) {
    const whole = Math.floor(us / 1e6);

    return `${new Date(whole * 1000).toISOString().slice(0, 19)}.${String(us - whole * 1e6).padStart(6, "0")}Z`;
}
