import { useEffect, useRef, useState } from "preact/hooks";
import { curlOf, get, send } from "../kit/api.js";
import { copyText } from "./Copy.jsx";
import { Dialog } from "./Dialog.jsx";
import { Fault } from "./Fault.jsx";
import { Field } from "./Field.jsx";
import { Menu } from "./Menu.jsx";
import { toast } from "./Toasts.jsx";

/* A button that makes a call, shows beside it what went wrong, and tells the same call as curl.
 * call: {method, path, query?, body?, type?, headers?}, or a function that returns it (or null: not now).
 * confirm: {title, text, phrase?, label?}: asks first; phrase: what must be typed. tone: "primary", "danger".
 * unless: an async test that forbids the call when it is true, and says so itself. onProblem(problem): hears what is shown beside it too.
 * children: fields in the dialog of confirm. said: a toast when it is done.
 * keyed: it goes out under an Idempotency-Key, so that pressing again after an answer that was lost does nothing twice. */
export function Action({ label, call, tone, confirm, onDone, onProblem, disabledWhy, children, said, unless, keyed }) {
    const [asking, setAsking] = useState(false);
    const act = useAct(call, (answer) => {
        setAsking(false);
        if (said) {
            toast(said);
        }
        onDone?.(answer);
    }, { unless, onProblem, keyed });
    const copy = async () => {
        const made = callOf(call);
        try {
            await copyText(curlOf(made));
            toast("Copied as curl");
        } catch (error) {
            toast(error.message, "bad");
        }
    };
    const open = () => {
        act.clear();
        setAsking(true);
    };
    const items = [{ title: "Copy as curl", act: copy, disabledWhy: callOf(call) ? undefined : "Fill in the form first" }];
    return (
        <span class="action">
            <span class="action-buttons">
                <button type="button" class={tone} disabled={Boolean(disabledWhy) || act.busy} title={disabledWhy}
                    aria-busy={act.busy} onClick={once(confirm ? open : act.run)}>{label}</button>
                <Menu label={`More about ${label}`} items={items} class={tone} />
            </span>
            {!asking && <Fault error={act.error} />}
            {asking && <Confirm {...{ confirm, label, tone, act, copy }} onClose={() => setAsking(false)}>{children}</Confirm>}
        </span>
    );
}

/* The second click of a double click is not meant: by then the first may be done, and the button another one. */
const once = (act) => (event) => event.detail > 1 || act(event);

const callOf = (call) => (typeof call === "function" ? call() : call);

/* For acts that put a thing whole, as it is shown: they are not done over what somebody else has put meanwhile. told(thing): what
 * differs then. -> `unless` of an Action. */
export const movedOn = (path, shown, told, reload) => async () => {
    const { body } = await get(path);
    const moved = told(body) !== told(shown);
    if (moved) {
        toast("Nothing was done: somebody changed it meanwhile. Look at what it is now.", "warn");
        reload();
    }
    return moved;
};

/* {run, busy, error, clear}: one call at a time, and none after its button is gone. */
export function useAct(call, onDone, { unless, onProblem, keyed } = {}) {
    const tried = useRef({});                  // what was sent last, and under which key
    const [state, setState] = useState({ busy: false, error: null });
    const here = useRef(true);
    useEffect(() => () => {
        here.current = false;
    }, []);
    const run = async () => {
        const made = callOf(call);
        if (!made || state.busy) {
            return;
        }
        setState({ busy: true, error: null });
        try {
            const answer = await unless?.() ? null : await send(keyed ? underKey(made, tried) : made);
            tried.current = {};
            if (here.current) {
                setState({ busy: false, error: null });
                if (answer) {
                    onDone?.(answer);
                }
            }
        } catch (error) {
            if (here.current) {
                setState({ busy: false, error });
                onProblem?.(error);
            }
        }
    };
    return { ...state, run, clear: () => setState({ busy: false, error: null }) };
}

/* The same call has the same key until it is done; another one has another. */
function underKey(made, tried) {
    const text = JSON.stringify(made);
    if (tried.current.text !== text) {
        tried.current = { text, key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
    }
    return { ...made, headers: { "Idempotency-Key": tried.current.key, ...made.headers } };
}

function Confirm({ confirm, label, tone, act, copy, onClose, children }) {
    const [typed, setTyped] = useState("");
    const ready = !confirm.phrase || typed === confirm.phrase;
    const submit = (event) => {
        event.preventDefault();
        if (ready) {
            act.run();
        }
    };
    return (
        <Dialog title={confirm.title} onClose={onClose}>
            <form onSubmit={submit}>
                {confirm.text && <p>{confirm.text}</p>}
                {children}
                {confirm.phrase && (
                    <Field label={`Type ${confirm.phrase} to confirm`}>
                        <input
                            data-first
                            value={typed}
                            autocomplete="off"
                            spellcheck={false}
                            onInput={(event) => setTyped(event.currentTarget.value)}
                        />
                    </Field>
                )}
                <Fault error={act.error} />
                <footer class="dialog-foot">
                    <button type="button" class="quiet" onClick={copy}>
                        Copy as curl
                    </button>
                    <button type="button" onClick={onClose}>
                        Cancel
                    </button>
                    <button type="submit" class={tone ?? "primary"} disabled={!ready || act.busy} aria-busy={act.busy}>
                        {confirm.label ?? label}
                    </button>
                </footer>
            </form>
        </Dialog>
    );
}
