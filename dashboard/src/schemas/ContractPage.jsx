import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Link, go, useRoute } from "../kit/route.js";
import { Action, movedOn } from "../parts/Action.jsx";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { ContractDialog, inputOf } from "./ContractDialog.jsx";
import { typeOf } from "./load.js";
import "./schemas.css";

export function ContractPage() {
    const { consumer } = useRoute().params;
    const path = api.path`/registry/contracts/${consumer}`;
    const { data, error, loading, reload } = usePoll(async (signal) => (await api.get(path, { signal })).body, 30000, [path]);
    const gone = error?.status === 404;
    return (
        <Page
            title={consumer}
            crumbs={[
                { title: "Schemas", to: "/schemas" },
                { title: "Contracts", to: "/contracts" },
            ]}
            actions={data && !gone && <ContractActions contract={data} path={path} reload={reload} />}>
            {gone ? (
                <Empty
                    title="There is no such contract"
                    hint={error.title}
                    action={<Link to="/contracts">All contracts</Link>}
                />
            ) : (
                <Fault error={error} retry={reload} quiet={data !== undefined} />
            )}
            {loading && <Loading what="Looking at the contract" />}
            {data && !gone && <Contract contract={data} />}
        </Page>
    );
}

function Contract({ contract }) {
    return (
        <>
            <p>
                {contract.enforced ? (
                    <>
                        <Badge tone="good">enforced</Badge> Versions that {contract.consumer} could not read are refused.
                    </>
                ) : (
                    <>
                        <Badge>watched</Badge> Nothing is refused: the matrix shows what {contract.consumer} could not read.
                    </>
                )}
            </p>
            {contract.reads.map((read) => (
                <Card
                    key={read.subject}
                    title={read.subject}
                    actions={<Link to={api.path`/schemas/${read.subject}`}>Subject</Link>}>
                    <p class="muted">
                        {typeOf(read)}
                        {read.version ? `, taken from version ${read.version}` : ", given as a text"}
                    </p>
                    <Json text={read.schema} label={`What it reads of ${read.subject}`} />
                </Card>
            ))}
        </>
    );
}

function ContractActions({ contract, path, reload }) {
    const [editing, setEditing] = useState(false);
    const { consumer, enforced } = contract;
    return (
        <>
            <Action
                label={enforced ? "Enforce no longer" : "Enforce"}
                onDone={reload}
                unless={movedOn(path, contract, JSON.stringify, reload)}
                said={enforced ? "The contract is only watched" : "The contract is enforced"}
                call={{ method: "PUT", path, body: { reads: contract.reads.map(inputOf), enforced: !enforced } }}
            />
            <button type="button" onClick={() => setEditing(true)}>
                Edit…
            </button>
            <Action
                label="Delete"
                tone="danger"
                call={{ method: "DELETE", path }}
                said={`The contract of ${consumer} is deleted`}
                onDone={() => go("/contracts")}
                confirm={{
                    title: `Delete the contract of ${consumer}?`,
                    text: "Versions that it could not read are not refused any more.",
                }}
            />
            {editing && <ContractDialog contract={contract} onClose={() => setEditing(false)} onDone={reload} />}
        </>
    );
}
