import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { count, many } from "../kit/format.js";
import { exact, relative } from "../kit/time.js";
import { Link } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Time } from "../parts/Time.jsx";
import { Tree } from "../parts/Tree.jsx";
import { beginSearch, EVENTS_A_GO, isOver, linksOf, lookedRange, NEAR_SPANS, searchOn } from "./chain.js";
import { eventLink } from "./Preview.jsx";
import { keyOf, related, treeOf } from "./tree.js";

/* What led to the event and what came of it, as a tree. The API has no search by correlation: so the events around it are looked
 * through, as far as is said below the tree. */
export function Chain({ event }) {
    const search = useSearch(event);
    const { events, more } = related(search.state.known, event);
    const looked = lookedRange(search.state);
    const links = linksOf(event);

    return (
        <div class="chain" aria-busy={search.busy}>
            {events.length > 1 ? <Tree label="Correlation chain" nodes={nodesOf(treeOf(events), keyOf(event))} /> :
                <p class="muted">{search.busy ? "Looking for causes and effects…" : links.length ?
                    "Nothing that belongs to it was found in what was looked at." :
                    "It names no correlationid, causationid or traceparent, and no event nearby names it as its cause."}</p>}
            {more && <p class="muted">More than {count(events.length)} events belong to it; these are the nearest.</p>}
            <Fault error={search.error} retry={search.goOn} />
            <p class="chain-foot">
                <span class="muted">
                    Looked at {many("event", search.state.known.size)} of {search.scope}
                    {looked && <>, from <Exact at={looked.from} /> to {looked.to ? <Exact at={looked.to} /> : "now"}</>}.
                </span>
                {search.busy ? <button type="button" onClick={search.stop}>Stop</button> :
                    !isOver(search.state) && <button type="button" onClick={search.goOn}>Look further</button>}
                {isOver(search.state) && !search.busy && <span class="muted">That is as far as this page looks.</span>}
            </p>
        </div>
    );
}

/* Looks near at once, further when it is asked to. Too many partitions to be read together: then this stream alone. */
function useSearch(event) {
    const [, redraw] = useReducer((n) => n + 1, 0);
    const [streams, setStreams] = useState(["*", "saga.*", event.stream]);
    const [error, setError] = useState(null);
    const abort = useRef(null);
    const search = useRef(null);
    if (search.current?.streams !== streams) {
        search.current = beginSearch(event, streams);
    }
    const run = async (spans) => {
        const mine = abort.current = new AbortController();
        setError(null);
        try {
            await searchOn(search.current, { spans, events: EVENTS_A_GO, signal: mine.signal, onPage: redraw });
        } catch (problem) {
            if (problem.code === "too-many-partitions" && streams.length > 1) {
                setStreams([event.stream]);
            } else if (!mine.signal.aborted) {
                setError(problem);
            }
        }
        if (abort.current === mine) {
            abort.current = null;
            redraw();
        }
    };

    useEffect(() => {
        run(NEAR_SPANS);
        return () => abort.current?.abort();
    }, [streams]);
    return {
        state: search.current, error, busy: abort.current !== null, stop: () => abort.current?.abort(),
        goOn: () => run(isOver(search.current, NEAR_SPANS) ? undefined : NEAR_SPANS),
        scope: streams.length > 1 ? "all streams that the token may read"
            : `${event.stream} alone (all streams have too many partitions to be read together)`,
    };
}

function Exact({ at }) {
    return <time dateTime={at} title={relative(at)}>{exact(at).slice(0, 19)}</time>;
}

function nodesOf(nodes, here) {
    return nodes.map(({ event, children, lost }) => ({
        key: event.key, children: nodesOf(children, here), label: <Label event={event} lost={lost} here={event.key === here} />,
    }));
}

function Label({ event, lost, here }) {
    return (
        <span class="chain-node">
            {here ? <b>{event.type}</b> : <Link {...eventLink(event)}>{event.type}</Link>}
            {here && <Badge tone="info">this event</Badge>}
            <span class="muted">{event.stream}{event.subject !== undefined && ` · ${event.subject}`} · <Time
                at={event.recordedtime} /></span>
            {lost && <Badge tone="warn"
                title={`Its cause, the event with the id ${lost}, was not found in what was looked at.`}>cause not found</Badge>}
        </span>
    );
}
