import { useState } from "preact/hooks";
import { pieces } from "../kit/json.js";

const MOST = 4000;                             // pieces that are shown before somebody asks for all

/* text: JSON as it was sent, shown digit by digit; or value, for what has passed JSON.parse already and lost nothing by it. */
export function Json({ text, value, label = "JSON" }) {
    const [all, setAll] = useState(false);
    const source = text ?? JSON.stringify(value);
    if (source === undefined) {
        return <p class="muted">No data</p>;
    }
    const found = pieces(source);
    const shown = all ? found : found.slice(0, MOST);
    return (
        <div class="json">
            <pre tabIndex={0} role="region" aria-label={label}>
                <code>
                    {shown.map(({ kind, text: piece }, i) =>
                        /key|string|number|word/.test(kind) ? (
                            <span key={i} class={`j-${kind}`}>
                                {piece}
                            </span>
                        ) : (
                            piece
                        ),
                    )}
                </code>
            </pre>
            {shown.length < found.length && (
                <button type="button" onClick={() => setAll(true)}>
                    Show all of it
                </button>
            )}
        </div>
    );
}
