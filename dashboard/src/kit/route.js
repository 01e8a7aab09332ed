/* Where the tab is: #/streams/orders?tab=live. Names in the path are percent-encoded; the query is what can be shared. */
import { computed, signal } from "@preact/signals";
import { jsx } from "preact/jsx-runtime";
import { queryOf } from "./api.js";

const hash = signal(location.hash);
addEventListener("hashchange", () => {
    hash.value = location.hash;
});

function split(text) {
    const [path, query = ""] = text.replace(/^#/, "").split(/\?(.*)/s);
    return { path: path || "/", query: new URLSearchParams(query) };
}

const here = computed(() => {
    const { path, query } = split(hash.value);
    const values = {};
    for (const name of new Set(query.keys())) {
        const all = query.getAll(name);
        values[name] = all.length > 1 ? all : all[0];
    }
    return { path, query: values };
});

/* {stream: "orders"} if `path` fits the pattern "/streams/:stream", else null. */
export function fits(pattern, path) {
    const wanted = pattern.split("/"), got = path.split("/");
    const params = {};
    const fit = wanted.length === got.length && wanted.every((piece, i) => {
        if (!piece.startsWith(":")) {
            return piece === got[i];
        }
        try {
            params[piece.slice(1)] = decodeURIComponent(got[i]);
            return got[i] !== "";
        } catch {
            return false;
        }
    });
    return fit ? params : null;
}

export const current = { get value() { return here.value; } };
export const params = signal({});              // of the page that is shown; set by the shell

export function useRoute() {
    return { ...here.value, params: params.value };
}

export const hrefOf = (to, query) => `#${to}${queryOf(query)}`;

export function go(to, { query, replace = false } = {}) {
    const href = hrefOf(to, query);
    if (href === location.hash) {
        return;
    }
    if (replace) {
        history.replaceState(null, "", href);
    } else {
        history.pushState(null, "", href);
    }
    hash.value = href;
}

export function Link({ to, query, children, ...rest }) {
    return jsx("a", { ...rest, href: hrefOf(to, query), children });
}

/* Like useState, kept in the URL so that a link shows the same. The initial value is left out of it. */
export function useQueryState(name, initial = "") {
    const value = here.value.query[name] ?? initial;
    const set = (next) => {
        const { path, query } = split(location.hash);
        const values = Object.fromEntries([...new Set(query.keys())].map((key) => [key, query.getAll(key)]));
        go(path, { query: { ...values, [name]: next === initial ? undefined : next }, replace: true });
    };
    return [value, set];
}
