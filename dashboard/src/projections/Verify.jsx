import { useRef, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { at, members } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { useQueryState } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Diff } from "../parts/Diff.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Progress } from "../parts/Progress.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { to } from "./model.js";

const POLL_MS = 2000;

/* Folds the events once more and compares. Which verification is shown stands in the URL. */
export function Verify({ projection, reload }) {
    const { name, paused, verified } = projection;
    const [chosen, setChosen] = useQueryState("check");
    const id = chosen || verified?.id;
    const begun = ({ body }) => {
        setChosen(body.id);
        reload();
    };
    return (
        <div class="verify">
            <div class="verify-head">
                <p class="muted">The events are folded once more, and both sets of states compared key by key. Reads go on.</p>
                {may("projection", name) && <Action label="Verify now" tone="primary" onDone={begun}
                    call={{ method: "POST", path: api.path`/v1/projections/${name}/verify`, query: { wait: "1s" } }}
                    disabledWhy={paused ? "It is paused: resume it first" : undefined} />}
            </div>
            {id ? <Check key={id} {...{ id, name, reload }} /> : (
                <Empty title="It was never verified" hint="Verify it now, or every so often: verify_every in the definition." />
            )}
        </div>
    );
}

function Check({ id, name, reload }) {
    const ended = useRef(null);
    const { data, error, loading, stale, reload: again } = usePoll(async (signal) => {
        const answer = ended.current ?? await api.get(api.path`/v1/jobs/${id}`, { signal });
        if (answer.body.state !== "running" && !ended.current) {
            ended.current = answer;
            reload();
        }
        return answer;
    }, POLL_MS, [id]);
    const check = data?.body;
    return (
        <>
            <Fault error={error} retry={again} quiet={stale} />
            {loading && <Loading />}
            {check && <Summary check={check} />}
            {check?.state === "running" && <Running {...{ check, again }} />}
            {check?.error && <p class="note-error">{check.error}</p>}
            {check?.state === "done" && <Found name={name} check={check} text={data.text} />}
        </>
    );
}

function Summary({ check }) {
    return (
        <div class="figures">
            <Figure label={check.automatic ? "Verification, by itself" : "Verification"} value={<Status state={check.state} />}
                hint={<Time at={check.updated} both />} />
            <Figure label="Keys compared" value={count(check.checked)} />
            <Figure label="Drifted" value={count(check.drifted)}
                tone={check.drifted ? "bad" : check.state === "done" ? "good" : undefined} />
            <Figure label="Order-dependent" value={count(check.order_dependent_keys)} hint="both states may be right" />
        </div>
    );
}

function Running({ check, again }) {
    return (
        <Card>
            <Progress label="Verification" value={0} max={0} />
            <p class="muted">It goes on by itself, also when you leave this page.</p>
            <Action label="Cancel" call={{ method: "DELETE", path: api.path`/v1/jobs/${check.id}` }} onDone={again} />
        </Card>
    );
}

function Found({ name, check, text }) {
    const drift = differences(text, "drift"), dependent = differences(text, "order_dependent");
    if (!drift.length && !dependent.length) {
        return <Empty title="No drift" hint={`Each of ${count(check.checked)} keys has the state that its events make.`} />;
    }
    return (
        <>
            {drift.length > 0 && (
                <Card title="Drift">
                    <p class="muted">These keys have another state than their events make. A rebuild mends them.</p>
                    <Differences {...{ name }} label="Keys that drifted" rows={drift} all={check.drifted} />
                </Card>
            )}
            {dependent.length > 0 && (
                <Card title="Order-dependent">
                    <p class="muted">Events of several partitions made these; their order matters. Both states may be right.</p>
                    <Differences {...{ name }} label="Order-dependent keys" rows={dependent} all={check.order_dependent_keys} />
                </Card>
            )}
        </>
    );
}

/* Out of the answer's text, digit by digit. */
const differences = (text, list) => members(at(text, list) ?? "[]").map(([, one]) => ({
    key: JSON.parse(at(one, "key")), state: at(one, "state"), expected: at(one, "expected"),
    version: at(one, "version"), expectedVersion: at(one, "expected_version"),
}));

function Differences({ name, label, rows, all }) {
    const [shown, setShown] = useState(null);
    const columns = [
        { name: "key", title: "Key", sort: (one) => one.key, cell: (one) => one.key },
        { name: "version", title: "Version read", numeric: true, cell: (one) => one.version ?? "–" },
        { name: "expected", title: "Expected", numeric: true, cell: (one) => one.expectedVersion ?? "–" },
        { name: "compare", title: "", numeric: true, cell: (one) => (one.state === undefined && one.expected === undefined ?
            <span class="muted">too long to show</span> :
            <button type="button" onClick={() => setShown(one)}>Compare<span class="unseen"> {one.key}</span></button>) },
    ];
    return (
        <>
            <Table label={label} columns={columns} rows={rows} keyOf={(one) => one.key}
                linkOf={(one) => ({ to: to(name), query: { tab: "states", key: one.key } })} />
            {rows.length < all && <p class="muted">The first {count(rows.length)} of {count(all)}.</p>}
            {shown && (
                <Dialog title={shown.key} wide onClose={() => setShown(null)}>
                    <Diff before={shown.state ?? "null"} after={shown.expected ?? "null"} labels={["Read", "Expected"]} />
                </Dialog>
            )}
        </>
    );
}
