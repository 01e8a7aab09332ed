/* The colour of a line, beside its name. */
export function Tone({ name }) {
    return <span class="tone-mark" style={{ background: `var(--${name})` }} aria-hidden="true" />;
}
