import { diffLines, rowsOf } from "../kit/diff.js";
import { many } from "../kit/format.js";
import { pretty } from "../kit/json.js";

const lines = (side) =>
    side === undefined || side === null ? [] : pretty(typeof side === "string" ? side : JSON.stringify(side)).split("\n");

/* before, after: JSON text (or values), compared by lines: beside each other where there is room, else one below the other. */
export function Diff({ before, after, labels = ["Before", "After"] }) {
    const rows = rowsOf(diffLines(lines(before), lines(after)));
    const changed = rows.some((row) => row.kind !== "same");
    if (!changed) {
        return <p class="muted">No difference.</p>;
    }
    return (
        <div class="diff" role="region" aria-label={`${labels[0]} and ${labels[1]} compared`} tabIndex={0}>
            <table>
                <caption class="unseen">
                    {labels[0]} and {labels[1]}, line by line
                </caption>
                <colgroup>
                    <col class="line-number" />
                    <col />
                    <col class="line-number" />
                    <col />
                </colgroup>
                <thead>
                    <tr>
                        <th scope="col" colSpan={2}>
                            {labels[0]}
                        </th>
                        <th scope="col" colSpan={2}>
                            {labels[1]}
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {rows.map((row, i) =>
                        row.kind === "cut" ? (
                            <tr key={i} class="cut">
                                <td colSpan={4}>{many("equal line", row.count)}</td>
                            </tr>
                        ) : (
                            <tr key={i} class={row.kind}>
                                <Side
                                    number={row.beforeLine}
                                    text={row.before}
                                    sign="−"
                                    word="removed"
                                    changed={row.kind !== "same"}
                                />
                                <Side
                                    number={row.afterLine}
                                    text={row.after}
                                    sign="+"
                                    word="added"
                                    changed={row.kind !== "same"}
                                />
                            </tr>
                        ),
                    )}
                </tbody>
            </table>
        </div>
    );
}

function Side({ number, text, sign, word, changed }) {
    const kind = text === undefined ? "none" : changed ? word : "";
    return (
        <>
            <td class={`line-number ${kind}`}>{number ?? ""}</td>
            <td class={`line ${kind}`}>
                {changed && text !== undefined && (
                    <span class="sign">
                        <span aria-hidden="true">{sign}</span>
                        <span class="unseen">{word}: </span>
                    </span>
                )}
                {text ?? ""}
            </td>
        </>
    );
}
