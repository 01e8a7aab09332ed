import { hrefOf } from "../kit/route.js";

/* One number. tone: good, warn, bad. to: where it leads. children: a small chart below. */
export function Figure({ label, value, unit, tone, hint, to, query, children }) {
    const inside = (
        <>
            <span class="figure-label">{label}</span>
            <span class="figure-value">{value}{unit && <span class="figure-unit"> {unit}</span>}</span>
            {hint && <span class="figure-hint">{hint}</span>}
            {children}
        </>
    );
    const kind = `figure ${tone ? `tone-${tone}` : ""}`;
    return to ? <a class={kind} href={hrefOf(to, query)}>{inside}</a> : <div class={kind}>{inside}</div>;
}
