import { curlOf } from "../kit/api.js";
import { Copy } from "./Copy.jsx";

/* The call as a command, to read and to take along. */
export function Curl({ call }) {
    const text = curlOf(call);
    return (
        <div class="curl">
            <pre tabIndex={0} role="region" aria-label="The call as a command"><code>{text}</code></pre>
            <Copy text={text} label="Copy as curl" />
        </div>
    );
}
