/* tone: good, warn, bad, info, or none */
export function Badge({ tone, title, children }) {
    return <span class={`badge ${tone ? `tone-${tone}` : ""}`} title={title}>{children}</span>;
}
