import { useState } from "preact/hooks";
import { rights } from "./kit/rights.js";
import { claims, expires, forget, subject } from "./kit/session.js";
import { now, relative } from "./kit/time.js";
import { Dialog } from "./parts/Dialog.jsx";
import { Time } from "./parts/Time.jsx";

/* Who is logged in, with what rights, for how long. */
export function TokenMenu() {
    const [open, setOpen] = useState(false);
    return (
        <>
            <button type="button" class="token-button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
                <span class="token-subject">{subject.value}</span>
                {expires.value !== null && <span class="token-left">ends {relative(expires.value, now.value)}</span>}
            </button>
            {open && <Details onClose={() => setOpen(false)} />}
        </>
    );
}

function Details({ onClose }) {
    const granted = rights.value;
    return (
        <Dialog title="Your token" onClose={onClose}>
            <dl class="facts">
                <div>
                    <dt>Subject</dt>
                    <dd>{subject.value}</dd>
                </div>
                {claims.value?.iss && (
                    <div>
                        <dt>Issuer</dt>
                        <dd>{claims.value.iss}</dd>
                    </div>
                )}
                {expires.value !== null && (
                    <div>
                        <dt>Ends</dt>
                        <dd>
                            <Time at={expires.value} both />
                        </dd>
                    </div>
                )}
            </dl>
            <h3>Rights</h3>
            {granted === null && <p>They cannot be read here; the gateway decides call by call.</p>}
            {granted?.length === 0 && <p>None. This token may look at nothing.</p>}
            {granted?.length > 0 && (
                <ul class="rights">
                    {granted.map(({ action, pattern }, i) => (
                        <li key={i}>
                            <code>
                                {action}:{pattern}
                            </code>
                        </li>
                    ))}
                </ul>
            )}
            <footer class="dialog-foot">
                <button type="button" class="danger" onClick={forget}>
                    Forget token
                </button>
            </footer>
        </Dialog>
    );
}
