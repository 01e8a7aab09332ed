import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./kit/api.js";
import { begin, claims, expires, forget, refused, subject } from "./kit/session.js";
import { now, relative } from "./kit/time.js";
import { Copy } from "./parts/Copy.jsx";
import { Dialog } from "./parts/Dialog.jsx";
import { Fault } from "./parts/Fault.jsx";
import { Field } from "./parts/Field.jsx";

const HOW = "weir token --scope 'admin:*' --ttl 8h";

/* What people paste: with Bearer before it, with line breaks of a terminal in it. */
const cleaned = (text) => text.replace(/\s+/g, "").replace(/^(Authorization:)?Bearer/i, "");

/* The gateway judges the token by a call that every token may make. */
async function enter(text) {
    if (text && !/^[\x21-\x7e]+$/.test(text)) {
        throw new Error("A token has only plain letters, digits and signs. Something else was pasted.");
    }
    await get("/v1/streams", { query: { limit: 1 }, headers: text ? { Authorization: `Bearer ${text}` } : {} });
    begin(text);
}

function TokenForm({ button }) {
    const [text, setText] = useState("");
    const [state, setState] = useState({ busy: false, error: null });
    const input = useRef(null);
    useEffect(() => input.current.focus(), []);
    const submit = async (event, candidate = cleaned(text)) => {
        event.preventDefault();
        if (state.busy || (!candidate && event.type === "submit")) {
            return;
        }
        setState({ busy: true, error: null });
        try {
            await enter(candidate);
        } catch (error) {
            setState({ busy: false, error });
            input.current?.focus();
        }
    };
    return (
        <form onSubmit={submit} class="token-form">
            <Field label="Token" hint="It stays in this tab's memory and is gone when the tab is closed or loaded again.">
                <input
                    ref={input}
                    class="secret"
                    type="text"
                    value={text}
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck={false}
                    placeholder="eyJhbGciOi…"
                    onInput={(event) => setText(event.currentTarget.value)}
                />
            </Field>
            <Fault error={state.error} />
            <p class="buttons">
                <button type="submit" class="primary" disabled={!text.trim() || state.busy} aria-busy={state.busy}>
                    {button}
                </button>
                {location.protocol === "https:" && (
                    <button type="button" onClick={(event) => submit(event, "")}>
                        Use this browser's certificate
                    </button>
                )}
            </p>
        </form>
    );
}

export function Login() {
    useEffect(() => {
        document.title = "Log in · Weir";
    }, []);
    return (
        <main class="login" id="main">
            <h1>Log in to Weir</h1>
            <p>
                Paste a token. The dashboard does what it allows, by the same <a href="docs">API</a> that everybody has.
            </p>
            <TokenForm button="Log in" />
            <details>
                <summary>Where do I get a token?</summary>
                <p>
                    <code>weir dev</code> prints one when it starts. Another one, on the machine of the gateway and with its
                    configuration:
                </p>
                <p class="command">
                    <code>{HOW}</code> <Copy text={HOW} label="Copy command" small />
                </p>
                <p>
                    In production your identity provider issues it: a JSON Web Token whose <code>scope</code> names what you may
                    do, such as <code>subscribe:orders.* dlq:orders.*</code>. Pages show only what it allows.
                </p>
            </details>
        </main>
    );
}

const SOON = 120000;

/* A warning ahead of the end, and a dialog at the end; the page stays as it is under both. */
export function Expiry() {
    const [asked, setAsked] = useState(false);
    const left = expires.value === null ? Infinity : expires.value - now.value;
    const over = Boolean(refused.value);
    useEffect(() => setAsked(false), [claims.value]);
    if (!over && !asked) {
        return left < SOON && (
            <div class="banner tone-warn" role="status">
                {left > 0 ? `The token ends ${relative(expires.value, now.value)}.` : "The token has ended."}
                <button type="button" onClick={() => setAsked(true)}>Enter a new one</button>
            </div>
        );
    }
    return (
        <Dialog title={over ? "The token is not accepted any more" : "A new token"} must={over} onClose={() => setAsked(false)}>
            <Fault error={refused.value} />
            <p>Paste a new token for <b>{subject.value}</b>; the page goes on where it is.</p>
            <TokenForm button="Go on" />
            {over && <p><button type="button" class="quiet" onClick={forget}>Forget the token and leave</button></p>}
        </Dialog>
    );
}
