/* class: e.g. "wide" to span a grid */
export function Card({ title, actions, children, class: more = "" }) {
    return (
        <section class={`card ${more}`} aria-label={typeof title === "string" ? title : undefined}>
            {(title || actions) && (
                <header class="card-head">
                    {title && <h2>{title}</h2>}
                    {actions && <div class="card-actions">{actions}</div>}
                </header>
            )}
            {children}
        </section>
    );
}
