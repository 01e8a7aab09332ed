import { useEffect, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { may, mayAll, mayAny } from "../kit/rights.js";
import { Link, useQueryState } from "../kit/route.js";
import { duration } from "../kit/time.js";
import { Badge } from "../parts/Badge.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Pager } from "../parts/Pager.jsx";
import { Table } from "../parts/Table.jsx";
import { CreateGroup } from "./CreateGroup.jsx";
import { GROUPS_A_PAGE, definitionsOf, groupsBeyond, keyOf, loadFigures, loadGroups } from "./load.js";
import { standing } from "./words.js";
import "./groups.css";

const LISTED_MS = 60000;
const BEYOND = 20; // of the groups known by their figures alone, so many are asked for

const pathOf = ({ stream, name }) => api.path`/groups/${stream}/${name}`;

function figure(name, title, format = count) {
    return {
        name,
        title,
        numeric: true,
        sort: (row) => row.figures?.[name] ?? -1,
        cell: (row) => (row.figures ? format(row.figures[name]) : <span class="muted">…</span>),
    };
}

const COLUMNS = [
    { name: "group", title: "Group", sort: (row) => row.name, cell: (row) => row.name },
    {
        name: "stream",
        title: "Stream",
        sort: (row) => row.stream,
        cell: (row) => <Link to={api.path`/streams/${row.stream}`}>{row.stream}</Link>,
    },
    { name: "state", title: "State", sort: (row) => -standing(row, row.figures).level, cell: (row) => <Standing row={row} /> },
    figure("lagEvents", "Lag"),
    figure("lagSeconds", "Oldest", (seconds) => (seconds ? duration(seconds * 1000) : "–")),
    figure("inFlight", "In flight"),
    figure("retrying", "Retrying"),
    figure("dead", "Dead letters"),
];

function Standing({ row }) {
    const { tone, text } = standing(row, row.figures);
    return text ? <Badge tone={tone}>{text}</Badge> : null;
}

const fitting = (words) => (group) => words.every((word) => keyOf(group).includes(word));
const worse = (a, b) =>
    standing(b, b.figures).level - standing(a, a.figures).level || (b.figures?.lagEvents ?? -1) - (a.figures?.lagEvents ?? -1);

/* Which groups there are changes seldom, their figures all the time: these are asked for by themselves, and for those shown. */
function useRows(stream, search) {
    const [pages, setPages] = useState(1);
    const [limit, setLimit] = useState(GROUPS_A_PAGE);
    const list = usePoll((signal) => loadGroups({ stream, pages }, signal), LISTED_MS, [stream]);
    const fits = fitting(search.toLowerCase().split(" "));
    const listed = (list.data?.groups ?? []).filter(fits);
    const asked = mayAll() ? listed : listed.slice(0, limit);
    const every = Math.max(5000, limit * 125);
    const figures = usePoll((signal) => loadFigures(asked, { everything: mayAll(), most: limit }, signal), every, [stream]);
    useEffect(() => {
        if (pages > 1) {
            list.reload();
        }
    }, [pages]);
    useEffect(() => {
        if (list.data) {
            figures.reload();
        }
    }, [search, limit, list.data]);
    const withFigures = (group) => ({ ...group, figures: figures.data?.get(keyOf(group)) });
    const beyond = list.data ? groupsBeyond(list.data, figures.data).filter(fits).map(withFigures).sort(worse) : [];
    const looked = [...new Set(beyond.slice(0, BEYOND).map((group) => group.stream))].sort();
    const definitions = usePoll((signal) => definitionsOf(looked, signal), LISTED_MS, [looked.join(" ")]);
    const found = [
        ...listed.map(withFigures),
        ...beyond.map((group) => ({ ...group, ...definitions.data?.get(keyOf(group)) })),
    ];
    const rows = found.sort(worse);
    return {
        list,
        figures,
        rows,
        limit,
        more: found.length > limit || list.data?.more,
        onMore: () => (found.length > limit ? setLimit(limit + GROUPS_A_PAGE) : setPages(pages + 1)),
    };
}

export function GroupsPage() {
    const [stream, setStream] = useQueryState("stream", "");
    const [search, setSearch] = useQueryState("search", "");
    const [creating, setCreating] = useState(false);
    const { list, figures, rows, limit, more, onMore } = useRows(stream, search);
    const mayCreate = stream ? may("manage", stream) : mayAny("manage");
    const create = mayCreate && (
        <button type="button" class="primary" onClick={() => setCreating(true)}>
            New group…
        </button>
    );
    return (
        <Page title="Consumer groups" actions={create}>
            <div class="filters">
                <input
                    type="search"
                    aria-label="Search groups and streams"
                    placeholder="Search groups and streams"
                    value={search}
                    onInput={(event) => setSearch(event.currentTarget.value)}
                />
                {stream && (
                    <button type="button" onClick={() => setStream("")}>
                        Of stream {stream} <span aria-hidden="true">×</span>
                        <span class="unseen">: show all streams</span>
                    </button>
                )}
                <p class="muted">What needs attention comes first.</p>
            </div>
            <Fault error={list.error} retry={list.reload} />
            <Fault error={figures.error} retry={figures.reload} quiet />
            {list.loading && <Loading what="Looking for groups" />}
            {list.data && (
                <Table
                    label="Consumer groups"
                    columns={COLUMNS}
                    rows={rows}
                    most={limit}
                    keyOf={keyOf}
                    linkOf={pathOf}
                    empty={<NoGroups search={search} more={more} create={create} />}
                />
            )}
            <Pager more={more} onMore={onMore} />
            {creating && <CreateGroup stream={stream} onClose={() => setCreating(false)} />}
        </Page>
    );
}

function NoGroups({ search, more, create }) {
    if (search) {
        return (
            <Empty
                title="No group fits the search"
                hint={more ? "Not all streams have been looked at: load more below." : undefined}
            />
        );
    }
    return (
        <Empty
            title="There is no consumer group yet"
            action={create}
            hint="A group hands the events of a stream out to workers, each event to one of them, and remembers what is done."
        />
    );
}
