import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { at } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { Card } from "../parts/Card.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Curl } from "../parts/Curl.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";

const POLL_MS = 5000;

/* "." and ".." cannot stand in a URL's path: the list finds them, as a key is the first of those that begin with it. */
function callOf(name, key) {
    return /^\.\.?$/.test(key) ? { path: api.path`/v1/projections/${name}/state`, query: { prefix: key, limit: 1 } } :
        { path: api.path`/v1/projections/${name}/state/${key}` };
}

async function read(name, key, signal) {
    const { path, query } = callOf(name, key);
    const { text } = await api.get(path, { query, signal });
    const one = query ? at(text, "items", 0) : text;
    return one && JSON.parse(at(one, "key")) === key ? { state: at(one, "state"), version: JSON.parse(at(one, "version")),
        position: JSON.parse(at(text, "position") ?? "null") } : null;
}

/* One key. told.current is called with each change of it. */
export function OneState({ name, chosen, told, row, onClose }) {
    const [live, setLive] = useState(null);
    const frame = useRef(null);
    const { data, error, loading, stale, reload } = usePoll((signal) => read(name, chosen, signal), POLL_MS, [name, chosen]);
    useEffect(() => {
        told.current = (text) => setLive({ state: at(text, "state"), version: JSON.parse(at(text, "version")) });
        return () => {
            told.current = null;
        };
    }, []);
    useEffect(() => frame.current.scrollIntoView({ block: "nearest" }), []);
    useEffect(() => setLive(null), [data]);      // what was read after the change is newer, or the same
    const shown = live ?? data;
    const gone = error?.status === 404 || data === null || shown?.state === "null";
    const close = <button type="button" class="icon" aria-label="Close the state" onClick={onClose}>✕</button>;
    return (
        <div class="one-state" ref={frame}>
            <Card title={chosen} actions={close}>
                {!gone && <Fault error={error} retry={reload} quiet={stale} />}
                {loading && !shown && <Loading />}
                {gone && <Empty title="This key has no state"
                    hint="It was deleted, or nothing was folded into it. It appears here when something is." />}
                {shown && !gone && (
                    <>
                        <p class="muted">Version <b>{count(shown.version)}</b>: events folded into it since it was made</p>
                        <Json text={shown.state} label={`State of ${chosen}`} />
                        <p class="card-actions"><Copy text={shown.state} label="Copy the state" />
                            {data?.position && <Copy text={data.position} label="Copy the position" />}</p>
                        {row?.before && (
                            <details>
                                <summary>What changed last</summary>
                                <Diff before={row.before.text} after={row.text}
                                    labels={[`Version ${row.before.version}`, `Version ${row.version}`]} />
                            </details>
                        )}
                    </>
                )}
                <details><summary>As a command</summary><Curl call={{ method: "GET", ...callOf(name, chosen) }} /></details>
            </Card>
        </div>
    );
}
