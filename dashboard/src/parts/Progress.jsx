/* max 0 or unknown: something goes on, how far is not known. */
export function Progress({ value, max, label, tone }) {
    const known = max > 0, part = known ? Math.min(1, value / max) : 0;
    return (
        <div class={`progress ${tone ? `tone-${tone}` : ""}`}>
            <div
                class={`progress-bar ${known ? "" : "unknown"}`}
                role="progressbar"
                aria-label={label}
                aria-valuemin={0}
                aria-valuemax={known ? max : undefined}
                aria-valuenow={known ? value : undefined}
            >
                <div class="progress-done" style={{ width: known ? `${part * 100}%` : undefined }} />
            </div>
            {known && <span class="progress-text">{part < 1 ? Math.floor(part * 100) : 100}%</span>}
        </div>
    );
}
