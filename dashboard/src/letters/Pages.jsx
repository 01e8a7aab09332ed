import { Link, useRoute } from "../kit/route.js";

/* Through a list whose newest are first: `after` stands in the URL, so the page before is one step back in the browser. */
export function Pages({ next }) {
    const { path, query } = useRoute();

    return (query.after || next) && (
        <nav class="letter-pages" aria-label="Pages">
            {query.after && <Link to={path} query={{ ...query, after: undefined }}>Newest</Link>}
            {next && <Link to={path} query={{ ...query, after: next }}>Older</Link>}
        </nav>
    );
}
