import { Link } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Json } from "../parts/Json.jsx";

const REASONS = {
    "max-retries": "Every attempt failed.",
    rejected: "A consumer rejected it.",
    "fold-failed": "The projection could not fold it.",
};

/* What the last attempt told. */
export function Cause({ letter }) {
    const { error, reason, fingerprint, event } = letter;

    return (
        <Card title="Why it died" actions={
            <Link to={`/letters/${encodeURIComponent(event.stream)}`} query={{ tab: "letters", fingerprint }}>Letters of this kind</Link>}>
            <p class="letter-said"><b>{error?.type ?? reason}</b>{error?.message && <span>{error.message}</span>}</p>
            <p class="muted">{REASONS[reason] ?? reason}{!error && " It told no error."}</p>
            {error?.stack && <pre class="letter-plain" tabIndex={0} role="region" aria-label="Stack of the error">{error.stack}</pre>}
            {error?.context && <Json value={error.context} label="Context of the error" />}
        </Card>
    );
}
