import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { inTurns } from "../kit/turns.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Table } from "../parts/Table.jsx";
import { Matrix } from "./Matrix.jsx";
import { contextOf, typeIn } from "./load.js";

const REFERRERS_OF = 20; // versions that are asked who refers to them, the newest

/* Who would notice a change: streams whose events it checks, schemas that refer to it, contracts that read it. */
export function Uses({ subject, versions }) {
    return (
        <>
            <Streams subject={subject} />
            <Referrers subject={subject} versions={versions} />
            <Card title="Contracts that read it">
                <Matrix subject={subject} latestOnly={false} />
            </Card>
        </>
    );
}

const STREAMS = [
    { name: "stream", title: "Stream", sort: (row) => row.name, cell: (row) => row.name },
    { name: "type", title: "Type of event", sort: (row) => row.type, cell: (row) => row.type },
    { name: "validation", title: "Validation", sort: (row) => row.schema_validation, cell: (row) => <Validation {...row} /> },
];

function Validation({ schema_validation: validation }) {
    return <Badge tone={{ enforce: "good", warn: "warn" }[validation]}>{validation}</Badge>;
}

function Streams({ subject }) {
    const { data, error, loading, reload } = usePoll((signal) => api.all("/v1/streams", { signal }), 0, [subject]);
    const rows = (data?.items ?? [])
        .map((stream) => ({ ...stream, type: typeIn(stream, subject) }))
        .filter((stream) => stream.type);
    return (
        <Card title="Streams">
            <Fault error={error} retry={reload} />
            {loading && <Loading />}
            {data && (
                <Table
                    label="Streams whose events are of this subject"
                    columns={STREAMS}
                    rows={rows}
                    keyOf={(row) => row.name}
                    linkOf={(row) => api.path`/streams/${row.name}`}
                    empty={
                        <Empty
                            title="No stream has events of this subject"
                            hint="A stream's subject_template says of which subject its events are."
                        />
                    }
                />
            )}
        </Card>
    );
}

async function loadReferrers(subject, versions, signal) {
    const { context } = contextOf(subject);
    const inContext = context === "." ? undefined : `:${context}:`; // ids are a context's own
    const found = await inTurns(versions.filter((one) => !one.deleted).slice(0, REFERRERS_OF), 3, async ({ version }) => {
        const { body: ids } = await api.get(api.path`/registry/subjects/${subject}/versions/${version}/referencedby`, {
            signal,
        });
        const uses = await inTurns(
            ids,
            3,
            async (id) =>
                (await api.get(api.path`/registry/schemas/ids/${id}/versions`, { query: { subject: inContext }, signal })).body,
        );
        return uses.flat().map((use) => ({ ...use, of: version }));
    });
    return found.flat();
}

const REFERRERS = [
    { name: "subject", title: "Subject", sort: (row) => row.subject, cell: (row) => row.subject },
    { name: "version", title: "Its version", numeric: true, sort: (row) => row.version, cell: (row) => row.version },
    { name: "of", title: "Refers to version", numeric: true, sort: (row) => row.of, cell: (row) => row.of },
];

function Referrers({ subject, versions }) {
    const { data, error, loading, reload } = usePoll((signal) => loadReferrers(subject, versions, signal), 0, [subject]);
    return (
        <Card title="Schemas that refer to it">
            <Fault error={error} retry={reload} />
            {loading && <Loading />}
            {data && (
                <Table
                    label="Schemas that refer to this subject"
                    columns={REFERRERS}
                    rows={data}
                    keyOf={(row) => `${row.subject} ${row.version} ${row.of}`}
                    linkOf={(row) => ({ to: api.path`/schemas/${row.subject}`, query: { version: row.version } })}
                    empty={<p class="muted">None.</p>}
                />
            )}
        </Card>
    );
}
