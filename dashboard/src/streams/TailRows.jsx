import { useEffect, useRef, useState } from "preact/hooks";
import { exact } from "../kit/time.js";
import { dataText, excerpt, marked } from "./text.js";
import { Windowed } from "./Windowed.jsx";

const COLUMNS = 5;
const PHONE = "(max-width: 46rem)";

/* rows: oldest first, shown newest first. Scrolling away from the newest, or going through the rows by keyboard, holds the
 * view. */
export function TailRows({ rows, term, selected, onSelect, tail }) {
    const narrow = useMedia(PHONE);
    const pressed = useRef(null);
    const newest = rows.length - 1;
    const row = (index) => {
        const one = rows[newest - index];

        /* While events stream in, another one is in this place when the finger is lifted: what was pressed counts. */
        return <Row key={index} row={one} index={index} term={term} selected={one === selected}
            onPress={() => {
                pressed.current = one;
            }}
            onOpen={(click) => onSelect((click.detail && pressed.current) || one)}
            onReach={tail.hold} />;
    };

    return <Windowed label="Events, newest first" count={rows.length} columns={COLUMNS} rowHeight={narrow ? 58 : 32} row={row}
        head={<Head />}
        following={!tail.kept.held} shown={tail.kept.held && selected ? newest - rows.indexOf(selected) : -1}
        onAway={(away) => away && tail.hold()} />;
}

function Head() {
    return (
        <div class="tail-row tail-head" role="rowgroup">
            <div role="row" class="tail-cells" aria-rowindex={1}>
                {["Recorded", "Place", "Type", "Subject", "Data"].map((title) =>
                    <span key={title} role="columnheader">{title}</span>)}
            </div>
        </div>
    );
}

function Row({ row, index, term, selected, onPress, onOpen, onReach }) {
    const { event } = row;

    return (
        <div class={`tail-row ${selected ? "selected" : ""}`} role="row" aria-rowindex={index + 2} onPointerDown={onPress}
            onClick={onOpen}>
            <span role="cell" class="tail-time" title={exact(event.recordedtime)}>{clock(event.recordedtime)}</span>
            <span role="cell" class="tail-place">
                <button type="button" class="link" aria-expanded={selected}
                    aria-label={`${event.partition}:${event.offset} ${event.type}`}
                    onFocus={(focus) => focus.currentTarget.matches(":focus-visible") && onReach()}>
                    {event.partition}:{event.offset}
                </button>
            </span>
            <span role="cell" class="tail-type"><Marked text={event.type} term={term} /></span>
            <span role="cell" class="tail-subject"><Marked text={event.subject ?? "–"} term={term} /></span>
            <span role="cell" class="tail-data"><Marked text={cut(row, term)} term={term} /></span>
        </div>
    );
}

/* Once for each term: an event may have a megabyte. */
function cut(row, term) {
    if (row.cutFor !== term) {
        row.cutFor = term;
        row.cut = excerpt(dataText(row.text), term);
    }
    return row.cut;
}

export function Marked({ text, term }) {
    return marked(text, term).map(([piece, hit], i) => (hit ? <mark key={i}>{piece}</mark> : piece));
}

/* The reader's local time of day. */
function clock(time) {
    return exact(time).slice(11, 23);
}

function useMedia(query) {
    const [fits, setFits] = useState(() => matchMedia(query).matches);

    useEffect(() => {
        const list = matchMedia(query);
        const changed = () => setFits(list.matches);

        list.addEventListener("change", changed);
        return () => list.removeEventListener("change", changed);
    }, [query]);
    return fits;
}
