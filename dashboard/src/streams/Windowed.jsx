import { useLayoutEffect, useRef, useState } from "preact/hooks";

/* Only the rows that can be seen are in the document: a list of thousands that changes ten times a second costs what a
 * screenful does. Rows have one height; slots keep their elements, whatever row they show. */

const BEYOND = 4;          /* rows above and below, for quick scrolling */

/* row(index) renders one; onAway is told when the reader scrolls away from the top (true) or back (false); following: the top
 * is shown; shown: the row to be seen, -1: none in particular. */
export function Windowed({ count, rowHeight, row, label, head, columns, onAway, following, shown }) {
    const box = useRef(null);
    const [view, setView] = useState({ top: 0, height: 600 });
    const first = Math.max(0, Math.min(count, Math.floor(view.top / rowHeight) - BEYOND));
    const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + BEYOND);

    useLayoutEffect(() => {
        const watch = new ResizeObserver(([entry]) => setView((old) => ({ ...old, height: entry.contentRect.height })));

        watch.observe(box.current);
        return () => watch.disconnect();
    }, []);
    useLayoutEffect(() => {
        if (following) {
            box.current.scrollTop = 0;
        }
    }, [following]);
    useLayoutEffect(() => {
        const { scrollTop, clientHeight } = box.current;
        const y = shown * rowHeight;

        if (shown >= 0 && shown < count && (y < scrollTop || y + rowHeight > scrollTop + clientHeight)) {
            box.current.scrollTop = y < scrollTop ? y : y + rowHeight - clientHeight;
        }
    }, [shown]);
    const scrolled = () => {
        const at = box.current.scrollTop;
        setView((old) => (old.top === at ? old : { ...old, top: at }));
        onAway(at > rowHeight);
    };

    return (
        <div class="windowed" role="table" aria-label={label} aria-rowcount={count + 1} aria-colcount={columns}>
            {head}
            <div class="windowed-box" ref={box} onScroll={scrolled} role="rowgroup" tabIndex={-1}>
                <div class="windowed-space" role="presentation" style={{ height: `${count * rowHeight}px` }}>
                    <div role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
                        {Array.from({ length: last - first }, (_, i) => row(first + i))}
                    </div>
                </div>
            </div>
        </div>
    );
}
