import { useState } from "preact/hooks";
import { hrefOf } from "../kit/route.js";

const compare = (a, b) => (a === b ? 0 : a === undefined || a === null ? -1 : b === undefined || b === null ? 1 :
    typeof a === "string" && typeof b === "string" ? a.localeCompare(b, "en", { numeric: true }) : a < b ? -1 : 1);

/* columns: [{name, title, cell(row), sort?(row) -> what is compared, numeric?, head?}]. linkOf(row): a path (or {to, query}) for the
 * first cell. selected: the key of the row that the keyboard is at. caption: for screen readers, if there is no heading.
 * most: so many rows are shown, of all that are sorted. */
export function Table({ label, columns, rows, keyOf, linkOf, empty, caption, selected, sorted, rowClass, most }) {
    const [order, setOrder] = useState(sorted ?? null);                       // {name, down}
    if (!rows.length && empty) {
        return empty;
    }
    const by = order && columns.find((column) => column.name === order.name);
    const shown = by?.sort ? [...rows].sort((a, b) => compare(by.sort(a), by.sort(b)) * (order.down ? -1 : 1)) : rows;
    const turn = (column) => setOrder(order?.name === column.name ? { name: column.name, down: !order.down } :
        { name: column.name, down: Boolean(column.numeric) });
    return (
        <div class="table-frame" role="region" aria-label={label} tabIndex={0}>
            <table>
                <caption class={caption ? "" : "unseen"}>{caption ?? label}</caption>
                <thead>
                    <tr>
                        {columns.map((column) => (
                            <Head key={column.name} column={column} order={order} turn={turn} />
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {shown.slice(0, most).map((row) => (
                        <Row
                            key={keyOf(row)}
                            {...{ row, columns, linkOf }}
                            class={rowClass?.(row)}
                            selected={selected !== undefined && keyOf(row) === selected}
                        />
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function Head({ column, order, turn }) {
    const kind = column.numeric ? "numeric" : "";
    if (!column.sort) {
        return <th scope="col" class={kind}>{column.title || <span class="unseen">{column.head ?? "Actions"}</span>}</th>;
    }
    const down = order?.name === column.name ? order.down : null;
    return (
        <th scope="col" class={kind} aria-sort={down === null ? undefined : down ? "descending" : "ascending"}>
            <button type="button" class="sort" onClick={() => turn(column)}>
                {column.title}<span class="sort-mark" aria-hidden="true">{down === null ? "↕" : down ? "↓" : "↑"}</span>
            </button>
        </th>
    );
}

function Row({ row, columns, linkOf, selected, class: more }) {
    const link = linkOf?.(row);
    const href = link && (typeof link === "string" ? hrefOf(link) : hrefOf(link.to, link.query));
    return (
        <tr
            class={`${selected ? "selected" : ""} ${more ?? ""}`.trim() || undefined}
            aria-current={selected ? "true" : undefined}
        >
            {columns.map((column, i) => (
                <td key={column.name} class={column.numeric ? "numeric" : undefined}>
                    {i === 0 && href ? (
                        <a class="row-link" href={href}>
                            {column.cell(row)}
                        </a>
                    ) : (
                        column.cell(row)
                    )}
                </td>
            ))}
        </tr>
    );
}
