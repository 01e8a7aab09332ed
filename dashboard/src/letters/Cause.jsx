import { path } from "../kit/api.js";
import { Link } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Json } from "../parts/Json.jsx";

const REASONS = {
    "max-retries": "Every attempt failed.",
    rejected: "A consumer rejected it.",
    "fold-failed": "The projection could not fold it.",
};

/* What the last attempt told. */
export function Cause({ letter: { error, reason, fingerprint, event } }) {
    const alike = <Link to={path`/letters/${event.stream}`} query={{ tab: "letters", fingerprint }}>Letters of this kind</Link>;

    return (
        <Card title="Why it died" actions={alike}>
            <p class="letter-said"><b>{error?.type ?? reason}</b>{error?.message && <span>{error.message}</span>}</p>
            <p class="muted">{REASONS[reason] ?? reason}{!error && " It told no error."}</p>
            {error?.stack && (
                <pre class="letter-plain" tabIndex={0} role="region" aria-label="Stack of the error">{error.stack}</pre>
            )}
            {error?.context && <Json value={error.context} label="Context of the error" />}
        </Card>
    );
}
