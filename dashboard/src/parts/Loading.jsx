export function Loading({ what = "Loading" }) {
    return <p class="loading" role="status">{what}…</p>;
}
