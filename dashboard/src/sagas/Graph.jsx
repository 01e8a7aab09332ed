import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hrefOf } from "../kit/route.js";
import { Icon } from "./Icon.jsx";
import { joined, layout } from "./layout.js";
import { KINDS } from "./words.js";

const SIZES = [188, 176, 160, 136, 116, 100].map((width) => ({ width, height: 52, gapX: width > 140 ? 16 : 8, gapY: 30 }));

export const kindOf = (step) =>
    step.kind ??
    (step.approval
        ? "approval"
        : step.signal
          ? "signal"
          : step.action?.http
            ? "http"
            : step.action?.publish
              ? "publish"
              : "await");

/* The steps of a saga as a graph: a list of links on top of drawn lines. steps: of an instance or a definition. lookOf(step):
 * {word, tone, line?}; linkOf(step): {to, query}, or left out; selected: a name. */
export function Graph({ steps, label, lookOf, linkOf, selected }) {
    const shape = steps.map((step) => `${step.name}<${(step.after ?? ["-"]).join()}`).join(";");
    const frame = useRef(null),
        room = useRoom(frame);
    const drawn = useMemo(() => {
        const all = joined(steps);
        return { all, ...fitting(all, room) };
    }, [shape, room]);
    if (!drawn.of) {
        return <p class="muted">The steps wait for each other in a circle, so there is nothing to draw.</p>;
    }
    const {
        size,
        of: { nodes, edges, width, height },
    } = drawn;
    const byName = new Map(steps.map((step) => [step.name, step]));
    const after = new Map(drawn.all.map((step) => [step.name, step.after]));
    const passed = (name) => /^(good|warn)$/.test(lookOf?.(byName.get(name))?.tone ?? "");
    return (
        <div class="saga-graph" role="region" aria-label={label} tabIndex={0} ref={frame}>
            <div class={`saga-canvas ${size.width < 120 ? "narrow" : ""}`} style={{ width: `${width}px`, height: `${height}px` }}>
                <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
                    {edges.map(({ from, to, path }) => (
                        <path key={`${from} ${to}`} d={path} class={passed(from) ? "passed" : undefined} />
                    ))}
                </svg>
                <ol>
                    {nodes.map(({ name, x, y }) => (
                        <li
                            key={name}
                            style={{ left: `${x}px`, top: `${y}px`, width: `${size.width}px`, height: `${size.height}px` }}>
                            <Node
                                step={byName.get(name)}
                                after={after.get(name)}
                                look={lookOf?.(byName.get(name))}
                                link={linkOf?.(byName.get(name))}
                                selected={name === selected}
                            />
                        </li>
                    ))}
                </ol>
            </div>
        </div>
    );
}

/* The width that there is. */
function useRoom(frame) {
    const [room, setRoom] = useState(0);
    useEffect(() => {
        if (!frame.current) {
            return undefined;
        }
        const watch = new ResizeObserver(([entry]) => setRoom(Math.floor(entry.contentRect.width)));
        watch.observe(frame.current);
        return () => watch.disconnect();
    }, [Boolean(frame.current)]);
    return room;
}

/* With the widest steps that fit; if none do, the narrowest, and it scrolls. */
function fitting(steps, room) {
    let of = null,
        size;
    for (size of SIZES) {
        of = layout(steps, size);
        if (!of || of.width <= room) {
            break;
        }
    }
    return { of, size };
}

function Node({ step, after, look, link, selected }) {
    const kind = kindOf(step);
    const unseen = [
        look && KINDS[kind],
        step.pivot && "the pivot: no way back from here",
        step.compensation && "can be undone",
        after.length ? `after ${after.join(", ")}` : "begins at once",
    ].filter(Boolean);
    const Box = link ? "a" : "div";
    return (
        <Box
            class={`saga-node ${look ? `is-${look.tone}` : "is-plain"} ${step.pivot ? "pivot" : ""}`}
            href={link && hrefOf(link.to, link.query)}
            aria-current={selected ? "step" : undefined}
            title={`${step.name}: ${KINDS[kind]}`}>
            <span class="saga-node-name">
                <Icon name={kind} />
                <span>{step.name}</span>
            </span>
            <span class="saga-node-state">
                <span class="saga-node-word">
                    {look ? look.word : KINDS[kind]}
                    {look?.line && <span class="saga-node-line"> · {look.line}</span>}
                </span>
                {step.pivot && <Icon name="pivot" />}
                {step.compensation && <Icon name="undo" />}
                <span class="unseen">{unseen.join("; ")}</span>
            </span>
        </Box>
    );
}

/* What the marks mean. */
export function Legend() {
    return (
        <ul class="saga-legend">
            {["http", "publish", "await", "approval", "signal"].map((kind) => (
                <li key={kind}>
                    <Icon name={kind} /> {KINDS[kind]}
                </li>
            ))}
            <li>
                <Icon name="undo" /> can be undone
            </li>
            <li>
                <Icon name="pivot" /> pivot: no way back from here
            </li>
        </ul>
    );
}
