import { get } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { useQueryState } from "../kit/route.js";
import { mayAll, mayAny } from "../kit/rights.js";
import { Card } from "../parts/Card.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Table } from "../parts/Table.jsx";
import "./api.css";

const METHODS = ["get", "post", "put", "patch", "delete"];

/* [{tag, text, operations: [{id, method, path, summary, permission}]}] */
function grouped(document) {
    const groups = new Map(
        (document.tags ?? []).map(({ name, description }) => [name, { tag: name, text: description, operations: [] }]),
    );
    for (const [path, item] of Object.entries(document.paths)) {
        for (const method of METHODS.filter((one) => item[one])) {
            const { operationId: id, summary, tags: [tag] = ["other"], "x-weir-permission": permission } = item[method];
            if (!groups.has(tag)) {
                groups.set(tag, { tag, operations: [] });
            }
            groups.get(tag).operations.push({ id, method: method.toUpperCase(), path, summary, permission, tag });
        }
    }
    return [...groups.values()].filter((group) => group.operations.length);
}

const fits = (words) => ({ id, method, path, summary, tag }) => {
    const text = `${id} ${method} ${path} ${summary} ${tag}`.toLowerCase();
    return words.every((word) => text.includes(word));
};

function allowed(permission) {
    return ["none", "authenticated", "any"].includes(permission) || (permission === "admin" ? mayAll() : mayAny(permission));
}

/* Swagger UI's own links, which open the operation. */
const docsOf = ({ tag, id }) => `docs#/${encodeURIComponent(tag)}/${encodeURIComponent(id)}`;

const COLUMNS = [
    {
        name: "path",
        title: "Call",
        cell: ({ method, path }) => (
            <>
                <span class={`method ${method}`}>{method}</span> <code>{path}</code>
            </>
        ),
    },
    { name: "summary", title: "What it does", cell: (row) => <a href={docsOf(row)}>{row.summary}</a> },
    {
        name: "permission",
        title: "Right",
        cell: ({ permission }) => (
            <span class={allowed(permission) ? "" : "muted"}>
                {permission}
                {!allowed(permission) && " (not yours)"}
            </span>
        ),
    },
];

export function ApiPage() {
    const { data, error, loading, reload } = usePoll(async (signal) => grouped((await get("/openapi.json", { signal })).body), 0);
    const [search, setSearch] = useQueryState("q");
    const wanted = fits(search.toLowerCase().split(/\s+/).filter(Boolean));
    const groups = (data ?? [])
        .map((group) => ({ ...group, operations: group.operations.filter(wanted) }))
        .filter((group) => group.operations.length);
    return (
        <Page
            title="API"
            actions={
                <>
                    <a class="button" href="docs">
                        Open the docs
                    </a>
                    <a class="button" href="openapi.yaml" download>
                        openapi.yaml
                    </a>
                </>
            }
        >
            <p>Everything on these pages is done by the calls below, and every act offers its call as curl.</p>
            <div class="filters" role="search">
                <Field label="Search calls">
                    <input
                        type="search"
                        value={search}
                        placeholder="dlq redrive"
                        onInput={(event) => setSearch(event.currentTarget.value)}
                    />
                </Field>
            </div>
            <Fault error={error} retry={reload} />
            {loading && <Loading />}
            {data && !groups.length && (
                <Empty
                    title="No call fits."
                    hint="Search for a part of its path, its name or what it does."
                    action={
                        <button type="button" onClick={() => setSearch("")}>
                            Show all
                        </button>
                    }
                />
            )}
            {groups.map((group) => (
                <Card key={group.tag} title={group.tag}>
                    {group.text && <p class="muted">{group.text}</p>}
                    <Table label={`Calls: ${group.tag}`} columns={COLUMNS} rows={group.operations} keyOf={(row) => row.id} />
                </Card>
            ))}
        </Page>
    );
}
