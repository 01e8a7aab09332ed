/* Nothing is there: says so, why, and what to do about it. */
export function Empty({ title, hint, action }) {
    return (
        <div class="empty">
            <p class="empty-title">{title}</p>
            {hint && <p>{hint}</p>}
            {action && <div class="empty-action">{action}</div>}
        </div>
    );
}
