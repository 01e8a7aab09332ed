import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { count } from "../kit/format.js";
import { colour, dark } from "../kit/theme.js";
import { Tone } from "./Tone.jsx";

const HEIGHT = 150;
const TONES = ["accent", "warn-line", "good-line", "bad-line", "info-line"];
const toneOf = (one, i) => (one.tone ? (one.tone === "accent" ? "accent" : `${one.tone}-line`) : TONES[i % TONES.length]);
const lastOf = (values) => values.findLast((value) => value !== null && value !== undefined);

/* Lines over time. times: seconds; series: [{label, values, tone?}] (null: not known); unit or format(value): text of a value.
 * The figures stand below it as text, for those who do not see the lines. */
export function Chart({
    label,
    times,
    series,
    unit,
    format = (v) => `${count(v)}${unit ? ` ${unit}` : ""}`,
    height = HEIGHT,
    legend = true,
}) {
    const frame = useRef(null),
        plot = useRef(null);
    const isDark = dark.value,
        names = series.map((one) => `${one.label}:${one.tone}`).join();
    useEffect(() => {
        plot.current = new uPlot(options(series, format, height), [times, ...series.map((one) => one.values)], frame.current);
        const watch = new ResizeObserver(() => plot.current?.setSize({ width: frame.current.clientWidth, height }));
        watch.observe(frame.current);
        return () => {
            watch.disconnect();
            plot.current.destroy();
            plot.current = null;
        };
    }, [isDark, names, height]);
    useEffect(() => {
        plot.current?.setData([times, ...series.map((one) => one.values)]);
    }, [times, ...series.map((one) => one.values)]);
    return (
        <figure class="chart">
            <div
                class="chart-frame"
                ref={frame}
                role="img"
                aria-label={`${label}: ${summary(series, format)}`}
                style={{ height: `${height}px` }}
            />
            {times.length < 2 && <p class="chart-waiting muted">Collecting…</p>}
            {legend && (
                <figcaption class="legend">
                    {series.map((one, i) => (
                        <span key={one.label}>
                            <Tone name={toneOf(one, i)} />
                            {one.label} <b>{format(lastOf(one.values))}</b>
                        </span>
                    ))}
                </figcaption>
            )}
        </figure>
    );
}

function summary(series, format) {
    return series.map((one) => {
        const known = one.values.filter((value) => value !== null && value !== undefined);
        return known.length
            ? `${one.label} now ${format(known.at(-1))}, between ${format(Math.min(...known))} and ${format(Math.max(...known))}`
            : `${one.label} not known yet`;
    }).join("; ");
}

const WHOLE = [1, 2, 5].flatMap((n) => Array.from({ length: 13 }, (_, i) => n * 10 ** i)).sort((a, b) => a - b);
const SHORTEST = 120, BY_SECONDS = 600;        // seconds that the axis shows at least; below this its labels have seconds

const span = (low, high) => [Math.min(low ?? high, high - SHORTEST), high];

function options(series, format, height) {
    const text = colour("muted"), grid = { stroke: colour("line-soft"), width: 1 };
    const axis = { stroke: text, grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const times = (_, splits) =>
        splits.map((s) => new Date(s * 1000).toTimeString().slice(0, splits.at(-1) - splits[0] < BY_SECONDS ? 8 : 5));
    return {
        width: 300,
        height,
        cursor: { y: false, points: { size: 6 } },
        legend: { show: false },
        padding: [8, 24, 0, 0],
        scales: {
            x: { time: true, range: (_, low, high = null) => span(low, high ?? Date.now() / 1000) },
            y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 1) * 1.1)] },
        },
        axes: [
            { ...axis, size: 24, space: 90, values: times },
            { ...axis, size: 48, space: 32, incrs: WHOLE, values: (_, splits) => splits.map(count) },
        ],
        series: [
            {},
            ...series.map((one, i) => ({
                label: one.label,
                stroke: colour(toneOf(one, i)),
                width: 1.5,
                spanGaps: false,
                points: { show: false },
                fill: series.length === 1 ? `${colour(toneOf(one, i))}22` : undefined,
            })),
        ],
    };
}
