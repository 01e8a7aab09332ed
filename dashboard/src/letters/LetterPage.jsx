import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { at } from "../kit/json.js";
import { useKeys } from "../kit/keys.js";
import { usePoll } from "../kit/poll.js";
import { go, useQueryState, useRoute } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Cause } from "./Cause.jsx";
import { Editor } from "./Editor.jsx";
import { EventCard } from "./EventCard.jsx";
import { Fate } from "./Fate.jsx";
import { listed, neighbours } from "./listed.js";
import { Move } from "./Move.jsx";
import { Timeline } from "./Timeline.jsx";
import "./letters.css";

const EVERY = 5000;
const SOON = 2000;              /* while it is with its group */
const NOT_JSON = "The event's data are not JSON: there is nothing to edit";

/* data, original: the data as they were sent, if they are JSON; other payloads come as text or base64, and cannot be patched. */
function read(answer) {
    const { event, original_event: original } = answer.body;
    const json = "data" in event && /^$|[/+]json\b/.test(event.datacontenttype ?? "");

    return { letter: answer.body, event, data: json ? at(answer.text, "event", "data") : undefined,
        original: json && original ? at(answer.text, "original_event", "data") : undefined };
}

function useLetter(stream, id) {
    const path = pathOf`/v1/streams/${stream}/dlq/${id}`;
    const { data: answer, ...poll } = usePoll((signal) => get(path, { signal }), EVERY, [path]);
    const found = useMemo(() => answer && read(answer), [answer?.text]);
    const state = found?.letter.state;

    useEffect(() => {
        const timer = state === "redriven" ? setInterval(() => document.hidden || poll.reload(), SOON) : null;
        return () => clearInterval(timer);
    }, [state, path]);
    return { path, found, ...poll };
}

function whyNot(letter, what, dirty) {
    if (letter.state !== "parked") {
        return `The letter is ${letter.state}: only a parked one can be ${what}`;
    }
    return dirty ? "Save the repair first, or undo it" : undefined;
}

function useLetterKeys(stream, id, redrive, repair) {
    const { newer, older } = neighbours(stream, id);
    const to = (other) => {
        if (other) {
            listed.at = other;
            go(pathOf`/letters/${stream}/${other}`, { replace: true });
        }
    };

    useKeys("This letter", {
        j: [() => to(older), "Next letter of the list"],
        k: [() => to(newer), "Letter before"],
        e: [repair, "Repair"],
        r: [redrive, "Redrive"],
        u: [() => go(pathOf`/letters/${stream}`, { query: listed.stream === stream ? listed.back : {} }), "Back to the list"],
    });
}

function Actions({ path, found: { letter, data }, reload, edit, dirty, inside }) {
    const why = whyNot(letter, "repaired") ?? (data === undefined ? NOT_JSON : undefined);
    const move = (kind, what) => (
        <Move kind={kind} path={path} letter={letter} disabledWhy={whyNot(letter, what, dirty)} onDone={reload} />
    );

    return (
        <div class="letter-buttons" ref={inside}>
            <button type="button" disabled={Boolean(why)} title={why} onClick={() => edit("1")}>Repair</button>
            <span class="letter-redrive">{move("redrive", "redriven")}</span>
            {move("discard", "discarded")}
        </div>
    );
}

function Data({ data, event }) {
    const other = event.data ?? event.data_base64;

    if (data === undefined && other === undefined) {
        return <p class="muted">The event has no data.</p>;
    }
    return data !== undefined ? <Json text={data} label="Data of the event" /> :
        <pre class="letter-plain" tabIndex={0} role="region" aria-label="Data of the event">{String(other)}</pre>;
}

function Shown({ found: { letter, event, data, original }, path, stream, editor }) {
    return (
        <>
            <Fate letter={letter} stream={stream} />
            {editor}
            {!editor && original !== undefined && (
                <Card title="What the repair changed" class="letter-card">
                    <Diff before={original} after={data} labels={["Original", "Repaired"]} />
                </Card>
            )}
            <div class="letter-grid">
                <div><Cause letter={letter} /><Timeline letter={letter} path={path} /></div>
                <div>
                    {!editor && <Card title="Data"><Data data={data} event={event} /></Card>}
                    <EventCard event={event} stream={stream} letter={letter} />
                </div>
            </div>
        </>
    );
}

export function LetterPage() {
    const { params: { stream, id }, query } = useRoute();
    const { path, found, error, loading, stale, reload } = useLetter(stream, id);
    const [editing, edit] = useQueryState("edit");
    const [dirty, setDirty] = useState(false);
    const buttons = useRef(null);
    const button = () => buttons.current?.querySelector(".letter-redrive button");
    const can = found?.letter.state === "parked" && found.data !== undefined;
    const saved = () => {
        edit("");
        reload();
        button()?.focus();
    };

    useLetterKeys(stream, id, () => button()?.click(), () => can && edit("1"));
    useEffect(() => {
        if (found && query.act === "redrive") {
            go(pathOf`/letters/${stream}/${id}`, { replace: true });
            button()?.click();
        }
    }, [Boolean(found), query.act]);
    const title = found ? `${found.event.type} ${found.event.subject ?? ""}`.trim() : "Dead letter";
    const crumbs = [{ title: "Dead letters", to: "/letters" }, { title: stream, to: pathOf`/letters/${stream}` }];
    const editor = editing && can && (
        <Editor key={path} path={path} stream={stream} text={found.data} original={found.original} onDone={saved}
            onClose={() => edit("")} onDirty={setDirty} />
    );
    const actions = found && <Actions {...{ path, found, reload, edit, dirty }} inside={buttons} />;

    return (
        <Page title={title} crumbs={crumbs} actions={actions}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching the letter" />}
            {found && <Shown found={found} path={path} stream={stream} editor={editor} />}
        </Page>
    );
}
