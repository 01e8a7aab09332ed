import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Link, useQueryState } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Table } from "../parts/Table.jsx";
import { ContractDialog } from "./ContractDialog.jsx";
import { Matrix } from "./Matrix.jsx";
import "./schemas.css";

const COLUMNS = [
    { name: "consumer", title: "Consumer", sort: (row) => row.consumer, cell: (row) => row.consumer },
    {
        name: "enforced",
        title: "Enforced",
        sort: (row) => String(row.enforced),
        cell: (row) => (row.enforced ? <Badge tone="good">enforced</Badge> : <Badge>watched</Badge>),
    },
    { name: "subjects", title: "Reads", cell: (row) => <Subjects subjects={row.subjects} /> },
];

function Subjects({ subjects }) {
    return subjects.map((one, i) => (
        <span key={one}>
            {i > 0 && ", "}
            <Link to={api.path`/schemas/${one}`}>{one}</Link>
        </span>
    ));
}

export function ContractsPage() {
    const [all, setAll] = useQueryState("versions", "");
    const [creating, setCreating] = useState(false);
    const { data, error, loading, reload } = usePoll(
        async (signal) => (await api.get("/registry/contracts", { query: { limit: 1000 }, signal })).body,
        60000,
    );
    const create = (
        <button type="button" class="primary" onClick={() => setCreating(true)}>
            New contract…
        </button>
    );
    return (
        <Page title="Contracts" crumbs={[{ title: "Schemas", to: "/schemas" }]} actions={create}>
            <Fault error={error} retry={reload} quiet={data !== undefined} />
            {loading && <Loading what="Looking for contracts" />}
            {data && (
                <Table
                    label="Contracts"
                    columns={COLUMNS}
                    rows={data}
                    keyOf={(row) => row.consumer}
                    linkOf={(row) => api.path`/contracts/${row.consumer}`}
                    empty={
                        <Empty
                            title="There is no contract yet"
                            action={create}
                            hint={
                                "A contract says what one consumer reads of which subjects. " +
                                "An enforced one refuses versions that the consumer could not read."
                            }
                        />
                    }
                />
            )}
            {data?.length > 0 && (
                <Card
                    title="Who can read what"
                    actions={
                        <label class="choice">
                            <input
                                type="checkbox"
                                checked={Boolean(all)}
                                onChange={(event) => setAll(event.currentTarget.checked ? "all" : "")}
                            />{" "}
                            All versions
                        </label>
                    }>
                    <Matrix latestOnly={!all} />
                </Card>
            )}
            {creating && <ContractDialog onClose={() => setCreating(false)} />}
        </Page>
    );
}
