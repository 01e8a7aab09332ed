import { Badge } from "../parts/Badge.jsx";
import { Json } from "../parts/Json.jsx";
import { readMessages } from "./verdict.js";

/* What the registry says of a candidate: every rule that is broken, where, and a document that shows it. */
export function Verdict({ verdict }) {
    const { findings, versions, level, rest } = readMessages(verdict.messages);
    if (verdict.is_compatible) {
        return (
            <p class="verdict" role="status">
                <Badge tone="good">Compatible</Badge> It would be registered.
            </p>
        );
    }
    return (
        <section class="verdict" aria-label="Why it is not compatible">
            <p role="status">
                <Badge tone="bad">Not compatible</Badge> {level && `By the level ${level}`}
                {versions.length > 0 && `${level ? ", c" : "C"}ompared with version ${versions.join(", ")}.`}
            </p>
            <ul class="findings">
                {findings.map((finding, i) => (
                    <Finding
                        key={i}
                        {...finding}
                        places={[
                            ["in the old schema", finding.oldPath],
                            ["in the new one", finding.newPath],
                        ]}
                    />
                ))}
                {rest.map((line) => (
                    <li key={line}>
                        <p>{line}</p>
                    </li>
                ))}
            </ul>
        </section>
    );
}

/* places: [[where, JSON Pointer]]; example: JSON text, a document that one side takes and the other does not. */
export function Finding({ rule, detail, places, example }) {
    return (
        <li>
            <p>
                <strong>{detail}</strong> <code class="muted">{rule}</code>
            </p>
            <p class="muted">
                {places.map(([where, pointer], i) => (
                    <span key={where}>
                        {i > 0 && ", "}
                        <code>{pointer || "(the whole)"}</code> {where}
                    </span>
                ))}
            </p>
            {example !== undefined && (
                <>
                    <p>Counterexample:</p>
                    <Json text={example} label="Counterexample" />
                </>
            )}
        </li>
    );
}
