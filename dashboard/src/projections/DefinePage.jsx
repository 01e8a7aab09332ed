import { useEffect, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check, pretty } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { Link, go, useRoute } from "../kit/route.js";
import { token } from "../kit/session.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { CRUMBS, NAME, definitionOf, foldedAnew, starter, to } from "./model.js";
import "./projections.css";

const POLL_MS = 5000, TYPED_MS = 300;

/* A new one. ?name= and ?stream= fill in the form. */
export function DefineProjectionPage() {
    const { query } = useRoute();
    const [name, setName] = useState(query.name ?? "");
    const [text, setText] = useState(() => starter(query.stream ?? "orders"));
    const taken = useTaken(name);
    const wrong = name && !NAME.test(name) ? "Lower-case letters, digits, . _ and -, up to 120 of them" : undefined;
    return (
        <Page title="Define a projection" crumbs={CRUMBS}>
            <Card class="define">
                <Field label="Name" error={wrong} hint="As in /v1/projections/orders-by-day">
                    <input value={name} required autocomplete="off" spellcheck={false}
                        onInput={(event) => setName(event.currentTarget.value)} />
                </Field>
                {taken && (
                    <p class="note tone-warn">
                        There is a projection of this name. <Link to={to(name, "edit")}>Edit that one</Link>, or choose another.
                    </p>
                )}
                <Editor {...{ name, text, setText }} label="Define it"
                    why={!NAME.test(name) ? "It needs a name" : taken ? "The name is taken" : undefined} />
            </Card>
        </Page>
    );
}

/* A PUT replaces what there is: so it is looked for first, when nobody has typed for a moment. */
function useTaken(name) {
    const [typed, setTyped] = useState(name);
    useEffect(() => {
        const timer = setTimeout(() => setTyped(name), TYPED_MS);
        return () => clearTimeout(timer);
    }, [name]);
    const { data } = usePoll(async (signal) => {
        if (!NAME.test(typed) || !may("projection", typed)) {
            return "";
        }
        try {
            return (await api.get(api.path`/v1/projections/${typed}`, { signal })).body.name;
        } catch (error) {
            if (error.status === 404) {
                return "";
            }
            throw error;
        }
    }, 0, [typed]);
    return Boolean(name) && data === name;
}

const drafts = new Map();                      // name -> {text, start}: what was not saved, while the token stays
token.subscribe((now) => now === null && drafts.clear());

/* One that there is. What somebody else saves meanwhile is told, and not overwritten unseen. */
export function EditProjectionPage() {
    const { params } = useRoute();
    const name = params.projection;
    const [start, setStart] = useState(null);  // {name, text} that was opened
    const [text, setText] = useState("");
    const { data, error, loading, stale, reload } = usePoll(
        (signal) => api.get(api.path`/v1/projections/${name}`, { signal }), POLL_MS, [name]);
    const begin = (draft) => {
        setStart(draft.start);
        setText(draft.text);
    };
    const now = data && pretty(definitionOf(data.text));
    const open = () => {
        drafts.delete(name);
        begin({ text: now, start: { name, text: now } });
    };
    useEffect(() => {
        if (data && start?.name !== data.body.name) {
            if (drafts.has(name)) {
                begin(drafts.get(name));
            } else {
                open();
            }
        }
    }, [data]);
    const write = (typed) => {
        drafts.set(name, { text: typed, start });
        setText(typed);
    };
    const crumbs = [...CRUMBS, { title: name, to: to(name) }];
    if (error?.status === 404) {
        return (
            <Page title={`Edit ${name}`} crumbs={CRUMBS}>
                <Empty title={`There is no projection ${name}`}
                    action={<Link class="button" to="/projections/~new" query={{ name }}>Define it</Link>} />
            </Page>
        );
    }
    return (
        <Page title={`Edit ${name}`} crumbs={crumbs}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {start?.name === name && (
                <Card class="define">
                    {now && now !== start.text && (
                        <p class="note tone-warn">
                            Somebody has changed it since you opened it.
                            <button type="button" onClick={open}>Load that, and lose your changes</button>
                        </p>
                    )}
                    <Editor {...{ name, text }} setText={write} before={start.text} label="Save" onSaved={() => drafts.delete(name)}
                        why={text === start.text ? "Nothing has changed" : undefined} />
                </Card>
            )}
        </Page>
    );
}

function Editor({ name, text, setText, before, label, why, onSaved }) {
    const broken = check(text);
    const docs = <a href="docs#/projections/putProjection" target="_blank" rel="noopener">What may stand here</a>;
    const hint = <>streams, key and on decide what is folded; all else has a default. {docs} (in a new tab)</>;
    const anew = before && !broken ? foldedAnew(before, text) : [];
    return (
        <>
            <JsonEditor label="Definition" rows={18} value={text} onChange={setText}
                hint={hint} />
            {anew.length > 0 && (
                <p class="note tone-info">
                    {anew.join(", ")} {anew.length > 1 ? "differ" : "differs"}: all states are built anew, beside the old ones,
                    which are read until then.
                </p>
            )}
            {before && !broken && text !== before && <Diff before={before} after={text} labels={["Now", "Yours"]} />}
            <p><Action label={label} tone="primary" disabledWhy={why ?? (broken ? "The definition is not JSON yet" : undefined)}
                call={{ method: "PUT", path: api.path`/v1/projections/${name}`, body: text }}
                said={`${name} was saved`} onDone={() => {
                    onSaved?.();
                    go(to(name));
                }} /></p>
        </>
    );
}
