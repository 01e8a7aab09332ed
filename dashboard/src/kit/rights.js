/* What the token may do, judged from its claims as the gateway judges them, so that nothing is offered that would be refused.
 * The gateway has the last word: rights that cannot be read here count as given. */
import { computed } from "@preact/signals";
import { claims } from "./session.js";

/* [{action, pattern}], or null when they are not known. */
export const rights = computed(() => (claims.value ? [...ofScope(claims.value.scope), ...ofDetails(claims.value)] : null));

function ofScope(scope) {
    return String(scope ?? "").split(" ").flatMap((entry) => {
        const at = entry.indexOf(":");
        return at > 0 && at < entry.length - 1 ? [{ action: entry.slice(0, at), pattern: entry.slice(at + 1) }] : [];
    });
}

function ofDetails({ authorization_details: details }) {
    return (Array.isArray(details) ? details : []).filter((one) => one?.type === "weir").flatMap((one) =>
        (one.actions ?? []).flatMap((action) => (one.streams ?? []).map((pattern) => ({ action, pattern }))));
}

/* `*` is any run of characters, everything else stands for itself. */
export function matches(pattern, name) {
    const pieces = pattern.split("*");
    if (pieces.length === 1) {
        return pattern === name;
    }
    const last = pieces.pop();
    let at = pieces[0].length;
    if (!name.startsWith(pieces[0])) {
        return false;
    }
    for (const piece of pieces.slice(1)) {
        const found = name.indexOf(piece, at);
        if (found < 0) {
            return false;
        }
        at = found + piece.length;
    }
    return name.length >= at + last.length && name.endsWith(last);
}

export function may(action, name) {
    return !rights.value || rights.value.some((right) =>
        (right.action === action || right.action === "admin") && matches(right.pattern, name));
}

/* On some name at least: decides whether a page is shown at all. "any": the token is enough. */
export function mayAny(action) {
    return action === "any" || !rights.value || rights.value.some((right) => right.action === action || right.action === "admin");
}

/* What belongs to no name: metrics, targets, the registry's global settings. */
export function mayAll() {
    return !rights.value || rights.value.some((right) => right.action === "admin" && /^\*+$/.test(right.pattern));
}
