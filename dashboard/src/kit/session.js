/* Who acts: the token, in this tab's memory alone, and what it says about itself. */
import { computed, signal } from "@preact/signals";

export const token = signal(null);         // null: nobody; "": the client certificate that the browser presents
export const refused = signal(null);       // the Problem of a call that was answered 401: the token must be renewed

function decode(text) {
    const parts = text.split(".");
    if (parts.length !== 3) {
        return null;
    }
    try {
        const bytes = Uint8Array.from(atob(parts[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
        const claims = JSON.parse(new TextDecoder().decode(bytes));
        return claims && typeof claims === "object" && !Array.isArray(claims) ? claims : null;
    } catch {
        return null;
    }
}

/* null when the token cannot be read here: then the API alone decides. */
export const claims = computed(() => (token.value ? decode(token.value) : null));
export const subject = computed(() => claims.value?.sub ?? (token.value === "" ? "client certificate" : "opaque token"));
export const expires = computed(() => (typeof claims.value?.exp === "number" ? claims.value.exp * 1000 : null));

export function begin(text) {
    refused.value = null;
    token.value = text;
}

export function forget() {
    refused.value = null;
    token.value = null;
}

export function authorization() {
    return token.value ? { Authorization: `Bearer ${token.value}` } : {};
}
