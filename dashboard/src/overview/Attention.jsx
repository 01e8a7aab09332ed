import { useState } from "preact/hooks";
import { hrefOf } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";

const FEW = 6;

export function Attention({ items, partial }) {
    const [all, setAll] = useState(false);
    const shown = all ? items : items.slice(0, FEW);
    return (
        <Card title="What needs attention">
            {items.length === 0 && (
                <p class="muted">
                    Nothing: no dead letters, no group that lags, no saga that waits for an operator, no projection that has
                    stopped.
                </p>
            )}
            <ul class="attention">
                {shown.map((item) => (
                    <li key={item.key}>
                        <Badge tone={item.tone}>{item.tone === "bad" ? "Act" : "Look"}</Badge>
                        <a href={hrefOf(item.to, item.query)}>
                            {item.text}: {item.where}
                        </a>
                        <span class="muted">{item.hint}</span>
                    </li>
                ))}
            </ul>
            {items.length > shown.length && (
                <p class="pager">
                    <button type="button" onClick={() => setAll(true)}>
                        Show all {items.length}
                    </button>
                </p>
            )}
            {partial && <p class="muted">Not everything was looked at: there are more groups than one page follows.</p>}
        </Card>
    );
}
