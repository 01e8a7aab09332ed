/* In place of the dashboard's script, for tests of kit/live.js: window.probe mounts users of useLive and keeps all that they hear. */
import { render } from "preact";
import { useLive } from "../../dashboard/src/kit/live.js";
import { begin, token } from "../../dashboard/src/kit/session.js";
import { serverNow } from "../../dashboard/src/kit/time.js";
import { useState } from "preact/hooks";

const heard = {};
let setUsers = null;

function User({ name, path, query, paused }) {
    const mine = heard[name] ??= { events: [], cursors: [], gaps: [], upToDate: 0, states: [], waits: [] };
    const { state, error, retryAt } = useLive({
        path, query, paused,
        onEvent: (event, cursor, text) => {
            mine.events.push(event.data?.n ?? event);
            mine.cursors.push(cursor);
            mine.last = text;
        },
        onUpToDate: () => mine.upToDate++,
        onGap: (gap) => mine.gaps.push(gap.error?.code ?? gap),
    });
    if (mine.states.at(-1) !== state) {
        mine.states.push(state);
    }
    if (retryAt && retryAt !== mine.retryAt) {
        mine.retryAt = retryAt;
        mine.waits.push(retryAt - serverNow());
    }
    mine.error = error?.code ?? null;
    return <p>{name}: {state}</p>;
}

function Probe() {
    const [users, set] = useState([]);
    setUsers = set;
    return <main>{token.value !== null && users.map((user) => <User key={user.name} {...user} />)}</main>;
}

render(<Probe />, document.getElementById("app"));
window.probe = { heard, begin, show: (users) => setUsers(users) };
