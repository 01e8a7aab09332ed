/* more: there is another page; onMore gets it. */
export function Pager({ more, onMore, busy, shown }) {
    if (!more && !shown) {
        return null;
    }
    return (
        <p class="pager">
            {shown && <span class="muted">{shown}</span>}
            {more && <button type="button" onClick={onMore} disabled={busy} aria-busy={busy}>Show more</button>}
        </p>
    );
}
