import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Time } from "../parts/Time.jsx";
import { eventLink } from "./Preview.jsx";

const BEFORE = 3, SHOWN = 8;

/* What happened to the subject before and after this event, by version. */
export function SubjectHistory({ event }) {
    const from = Math.max(1, (event.version ?? 1) - BEFORE);
    const path = api.path`/v1/streams/${event.stream}/subjects/${event.subject}/events`;
    const { data, error, loading, reload } = usePoll((signal) => api.get(path,
        { signal, query: { from_version: from, limit: SHOWN } }), 0, [event.stream, event.subject, from]);

    if (loading) {
        return <Loading />;
    }
    if (error) {
        return error.code === "subject-reads-off" ? <p class="muted">This stream is not indexed by subject.</p> :
            <Fault error={error} retry={reload} />;
    }
    return (
        <ol class="history" start={from}>
            {data.body.events.map((one) => (
                <li key={one.version} value={one.version} aria-current={one.version === event.version ? "true" : undefined}>
                    {one.version === event.version ? <b>{one.type}</b> : <Link {...eventLink(one)}>{one.type}</Link>}{" "}
                    <span class="muted"><Time at={one.recordedtime} /></span>
                </li>
            ))}
        </ol>
    );
}
