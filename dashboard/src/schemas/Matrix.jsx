import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { at } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { Dialog } from "../parts/Dialog.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Pager } from "../parts/Pager.jsx";
import { Table } from "../parts/Table.jsx";
import { Finding } from "./Verdict.jsx";

const WORDS = new Map([
    [true, { tone: "good", mark: "✓", text: "reads it" }],
    [false, { tone: "bad", mark: "✕", text: "cannot read it" }],
    [null, { tone: "warn", mark: "?", text: "not compared" }],
]);

/* Pages are kept by where they begin; nothing is asked again until reload: each costs comparisons. */
async function loadPages({ subject, latestOnly, pages }, signal) {
    const rows = [];
    let after;
    for (let page = 0; page < pages; page++) {
        const { body, text } = await api.get("/registry/contracts/matrix", {
            query: { subject, latestOnly: latestOnly || undefined, limit: 50, after },
            signal,
        });
        rows.push(
            ...body.rows.map((row, i) => ({
                ...row,
                exact: (j, k) => at(text, "rows", i, "contracts", j, "findings", k, "counterexample"),
            })),
        );
        after = body.next;
        if (!after) {
            break;
        }
    }
    return { rows, more: Boolean(after) };
}

/* Versions down, consumers across: who can read what is written under which version. */
export function Matrix({ subject, latestOnly }) {
    const [pages, setPages] = useState(1);
    const [shown, setShown] = useState(null);
    const { data, error, loading, reload } = usePoll((signal) => loadPages({ subject, latestOnly, pages }, signal), 0, [
        subject,
        latestOnly,
        pages,
    ]);
    const rows = (data?.rows ?? []).filter((row) => row.contracts.length);
    return (
        <>
            <Fault error={error} retry={reload} />
            {loading && <Loading what="Comparing" />}
            {data && (
                <Table
                    label="Who can read which version"
                    columns={columnsOf(rows, setShown)}
                    rows={rows}
                    keyOf={(row) => `${row.subject} ${row.version}`}
                    empty={
                        <Empty
                            title="No contract reads this"
                            hint="A contract says what a consumer reads. An enforced one refuses versions that it could not read."
                        />
                    }
                />
            )}
            <Pager more={data?.more} onMore={() => setPages(pages + 1)} />
            {shown && <Findings {...shown} onClose={() => setShown(null)} />}
        </>
    );
}

function columnsOf(rows, show) {
    const consumers = [...new Set(rows.flatMap((row) => row.contracts.map((one) => one.consumer)))].sort();
    return [
        {
            name: "subject",
            title: "Subject",
            sort: (row) => row.subject,
            cell: (row) => (
                <Link to={api.path`/schemas/${row.subject}`} query={{ version: row.version }}>
                    {row.subject}
                </Link>
            ),
        },
        { name: "version", title: "Version", numeric: true, cell: (row) => row.version },
        ...consumers.map((consumer) => ({
            name: `of ${consumer}`,
            title: consumer,
            cell: (row) => <Kept row={row} consumer={consumer} show={show} />,
        })),
    ];
}

function Kept({ row, consumer, show }) {
    const j = row.contracts.findIndex((one) => one.consumer === consumer),
        contract = row.contracts[j];
    if (!contract) {
        return <span class="muted">does not read</span>;
    }
    const { tone, mark, text } = WORDS.get(contract.compatible);
    const inside = (
        <>
            <span aria-hidden="true">{mark}</span> {text}
            {contract.enforced ? "" : " (not enforced)"}
        </>
    );
    if (contract.findings?.length) {
        return (
            <button type="button" class={`badge tone-${tone}`} onClick={() => show({ row, contract, j })}>
                {inside}
            </button>
        );
    }
    return <span class={`badge tone-${tone}`}>{inside}</span>;
}

function Findings({ row, contract, j, onClose }) {
    return (
        <Dialog title={`Why ${contract.consumer} cannot read ${row.subject} version ${row.version}`} onClose={onClose} wide>
            <ul class="findings">
                {contract.findings.map((one, k) => (
                    <Finding
                        key={k}
                        rule={one.rule}
                        detail={one.detail}
                        example={row.exact(j, k)}
                        places={[
                            ["in the version", one.producer_pointer],
                            ["in what it reads", one.consumer_pointer],
                        ]}
                    />
                ))}
            </ul>
        </Dialog>
    );
}
