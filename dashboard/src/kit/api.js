/* The one way to the gateway. Answers are {status, body, headers, text}: `text` is the JSON as it was sent, digit by digit, for
 * what is shown or edited (kit/json.js takes values out of it); failures are thrown as Problem. */
import { signal as stored } from "@preact/signals";
import { authorization, refused, token } from "./session.js";
import { heard } from "./time.js";

export const reachable = stored(true);         // did the last call get an answer

/* The page is PREFIX/ui, the API is beside it: a proxy may have added a prefix. */
export const origin = new URL(".", document.baseURI);

export class Problem extends Error {
    constructor(status, body, requestId) {
        super(body.detail ?? body.title);
        Object.assign(this, { name: "Problem", status, code: body.code, title: body.title, detail: body.detail,
            errors: body.errors, retryAfter: body.retry_after, requestId, body });
    }
}

export function unreachable(error) {
    return new Problem(0, { code: "unreachable", title: "The gateway cannot be reached", detail: error?.message });
}

/* api.path`/v1/streams/${name}/events`: what is put in is one segment, whatever it contains. */
export function path(literals, ...names) {
    return literals.reduce((text, literal, i) => text + encodeURIComponent(names[i - 1]) + literal);
}

/* Members that are undefined, null or "" are left out; an array repeats its name. */
export function queryOf(query) {
    const pairs = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
        for (const one of Array.isArray(value) ? value : [value]) {
            if (one !== undefined && one !== null && one !== "") {
                pairs.append(name, one);
            }
        }
    }
    const text = pairs.toString();
    return text ? `?${text}` : "";
}

export function urlOf(target, query) {
    return new URL(target.replace(/^\//, "") + queryOf(query), origin).href;
}

/* A string is sent as it is, anything else as JSON. */
export function textOf(body) {
    return body === undefined || typeof body === "string" ? body : JSON.stringify(body);
}

function parsed(text, headers) {
    return /[/+]json\b/.test(headers.get("Content-Type") ?? "") && text ? JSON.parse(text) : null;
}

function problemOf(response, text) {
    const requestId = response.headers.get("X-Request-Id");
    let body = null;
    try {
        body = parsed(text, response.headers) ?? null;
    } catch { /* a proxy's page, cut off */ }
    return new Problem(response.status, body?.title || body?.message ? { title: body.message, ...body } :
        { title: `The answer was ${response.status}`, detail: response.statusText }, requestId);
}

const LONGEST = 30000;

/* What only asks ends after LONGEST: on a connection that died unseen it would hang, and the page
 * would go on showing what was. */
function bounded(signal) {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(new Error(`No answer within ${LONGEST / 1000} s`)), LONGEST);
    const left = () => end.abort(signal.reason);
    if (signal?.aborted) {
        left();
    }
    signal?.addEventListener("abort", left);
    return {
        signal: end.signal,
        done: () => {
            clearTimeout(timer);
            signal?.removeEventListener("abort", left);
        },
    };
}

export async function send({ method, path: target, query, body, type, headers, signal }) {
    const used = token.value;
    const text = textOf(body);
    const bound = method === "GET" ? bounded(signal) : { signal, done: () => {} };
    let response, answer;
    try {
        response = await fetch(urlOf(target, query), {
            method, body: text, signal: bound.signal, cache: "no-store", credentials: "same-origin", redirect: "error",
            headers: { Accept: "application/json", ...(text === undefined ? {} : { "Content-Type": type ?? "application/json" }),
                ...authorization(), ...headers },
        });
        answer = await response.text();
        reachable.value = true;
        heard(response.headers.get("Date"));
    } catch (error) {
        if (error.name === "AbortError") {
            throw error;
        }
        reachable.value = false;
        throw unreachable(error);
    } finally {
        bound.done();
    }
    if (!response.ok) {
        const problem = problemOf(response, answer);
        if (response.status === 401 && used === token.value && used !== null && !headers?.Authorization) {
            refused.value = problem;
        }
        throw problem;
    }
    return { status: response.status, body: parsed(answer, response.headers), headers: response.headers, text: answer };
}

export const get = (target, options) => send({ method: "GET", path: target, ...options });
export const post = (target, body, options) => send({ method: "POST", path: target, body, ...options });
export const put = (target, body, options) => send({ method: "PUT", path: target, body, ...options });
export const patch = (target, body, options) => send({ method: "PATCH", path: target, body, ...options });
export const del = (target, options) => send({ method: "DELETE", path: target, ...options });

/* Every page of a list, at most `most` items: {items, more}. */
export async function all(target, { query, signal, most = 5000 } = {}) {
    const items = [];
    let after;
    do {
        const { body } = await get(target, { query: { limit: 1000, ...query, after }, signal });
        items.push(...body.items);
        after = body.next;
    } while (after && items.length < most);
    return { items, more: Boolean(after) };
}

/* JSON may hold a raw DEL, which a terminal obeys: as an escape it is the same JSON. */
const calm = (text) => text.replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/* The call as a command for a POSIX shell, with $WEIR_URL and $WEIR_TOKEN in place of what is nobody's business. */
export function curlOf({ method = "GET", path: target, query, body, type, headers }) {
    const text = textOf(body);
    const parts = ["curl --fail-with-body -sS"];
    if (method !== "GET") {
        parts.push(`-X ${method}`);
    }
    parts.push(`"$WEIR_URL${(target + queryOf(query)).replaceAll("!", "%21")}"`, '-H "Authorization: Bearer $WEIR_TOKEN"');
    for (const [name, value] of Object.entries({
        ...(text === undefined ? {} : { "Content-Type": type ?? "application/json" }),
        ...headers,
    })) {
        parts.push(`-H ${quoted(`${name}: ${value}`)}`);
    }
    if (text !== undefined) {
        parts.push(`--data-raw ${quoted(calm(text))}`);
    }
    return parts.join(" \\\n  ");
}

export const api = { get, post, put, patch, del, path, all, send };
