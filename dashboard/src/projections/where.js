/* Whether a state fits the conditions of a list, judged as the gateway does: for states that change while the list is shown. */
import { at, members } from "../kit/json.js";

const PATTERN = /^((?:\/[^=]*)?)=(.*)$/s;

export const isCondition = (text) => PATTERN.test(text);

/* The text of what a JSON Pointer leads to, or undefined. */
export function pointed(text, pointer) {
    const names = pointer.split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
    const step = (value, name) => at(value, isIndex(value, name) ? Number(name) : name);
    return names.reduce((value, name) => (value === undefined ? undefined : step(value, name)), text);
}

const isIndex = (value, name) => value.trimStart()[0] === "[" && /^(0|[1-9]\d*)$/.test(name);

/* 5, 5.0 and 50e-1 are the same number, of any length. */
function number(text) {
    const [, sign, whole, part = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
    const digits = (whole + part).replace(/^0+/, ""), kept = digits.replace(/0+$/, "");
    return kept ? `${sign}${kept}e${BigInt(power) - BigInt(part.length) + BigInt(digits.length - kept.length)}` : "0";
}

/* One text for each value: equal values have equal texts. */
function canonical(text) {
    const trimmed = text.trim();
    if (trimmed[0] === "{") {
        const found = new Map(members(trimmed).map(([name, value]) => [name, `${JSON.stringify(name)}:${canonical(value)}`]));
        return `{${[...found.values()].sort().join()}}`;
    }
    if (trimmed[0] === "[") {
        return `[${members(trimmed).map(([, value]) => canonical(value)).join()}]`;
    }
    return /^[-\d]/.test(trimmed) ? number(trimmed) : JSON.stringify(JSON.parse(trimmed));
}

function isJson(text) {
    try {
        JSON.parse(text);
        return true;
    } catch {
        return false;
    }
}

/* `value` stands for the string of its characters and, if it is JSON, for that too. */
function equals(found, value) {
    if (found === undefined) {
        return false;
    }
    const one = canonical(found);
    return one === JSON.stringify(value) || (isJson(value) && one === canonical(value));
}

export const fits = (state, where) => where.every((one) => {
    const [, pointer, value] = PATTERN.exec(one) ?? [];
    return pointer !== undefined && equals(pointed(state, pointer), value);
});
