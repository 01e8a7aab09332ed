import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { may } from "../kit/rights.js";
import { Link, useQueryState } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Badge } from "../parts/Badge.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { typeOf } from "./load.js";
import { useVersion } from "./useVersion.js";

const latestOf = (versions) => (versions.find((one) => !one.deleted) ?? versions[0]).version;

export function Versions({ subject, versions, reload }) {
    const [at, setAt] = useQueryState("version", "");
    const shown =
        versions.find((one) => String(one.version) === at) ?? versions.find((one) => one.version === latestOf(versions));
    const { data, error, loading, reload: again } = useVersion(subject, shown.version);
    return (
        <div class="versions">
            <ul class="version-list" aria-label="Versions, the newest first">
                {versions.map(({ version, deleted }) => (
                    <li key={version}>
                        <button
                            type="button"
                            aria-current={version === shown.version ? "true" : undefined}
                            onClick={() => setAt(String(version))}>
                            Version {version}
                            {version === latestOf(versions) && !deleted && <Badge tone="good">latest</Badge>}
                            {deleted && <Badge tone="warn">deleted</Badge>}
                        </button>
                    </li>
                ))}
            </ul>
            <section aria-label={`Version ${shown.version}`}>
                <Fault error={error} retry={again} />
                {loading && <Loading />}
                {data && <Version {...{ subject, shown, data, reload }} latest={latestOf(versions)} />}
            </section>
        </div>
    );
}

function Version({ subject, shown, data, latest, reload }) {
    return (
        <>
            <dl class="facts">
                <div>
                    <dt>Id</dt>
                    <dd>{data.id}</dd>
                </div>
                <div>
                    <dt>Type</dt>
                    <dd>{typeOf(data)}</dd>
                </div>
                {data.references?.length > 0 && (
                    <div>
                        <dt>References</dt>
                        <dd>
                            <References references={data.references} />
                        </dd>
                    </div>
                )}
            </dl>
            <Json text={data.schema} label={`Schema of version ${shown.version}`} />
            {data.metadata && (
                <>
                    <h3>Metadata</h3>
                    <Json text={data.raw.metadata} label="Metadata" />
                </>
            )}
            {data.ruleSet && (
                <>
                    <h3>Rules</h3>
                    <Json text={data.raw.ruleSet} label="Rules" />
                </>
            )}
            <div class="buttons">
                <Copy text={data.schema} label="Copy schema" />
                <VersionActions {...{ subject, shown, latest, reload }} />
            </div>
        </>
    );
}

export function References({ references }) {
    return (
        <ul class="plain">
            {references.map((one) => (
                <li key={one.name}>
                    <code>{one.name}</code> is{" "}
                    <Link to={api.path`/schemas/${one.subject}`} query={{ version: one.version }}>
                        {one.subject} version {one.version}
                    </Link>
                </li>
            ))}
        </ul>
    );
}

function VersionActions({ subject, shown: { version, deleted }, latest, reload }) {
    const path = api.path`/registry/subjects/${subject}/versions/${version}`;
    if (deleted) {
        return (
            <Action
                label="Delete for good"
                tone="danger"
                call={{ method: "DELETE", path, query: { permanent: true } }}
                onDone={reload}
                said={`Version ${version} is gone`}
                confirm={{
                    title: `Delete version ${version} for good?`,
                    text: "Its number is not used again. Contracts that hold its schema keep it.",
                }}
            />
        );
    }
    return (
        <>
            {version !== latest && <RollBack subject={subject} version={version} reload={reload} />}
            <Action
                label="Delete"
                tone="danger"
                call={{ method: "DELETE", path }}
                onDone={reload}
                said={`Version ${version} is deleted`}
                confirm={{
                    title: `Delete version ${version}?`,
                    text:
                        "It is hidden, and its id still leads to its schema. What another " +
                        "schema refers to stays. Delete it once more to remove it for good.",
                }}
            />
        </>
    );
}

function RollBack({ subject, version, reload }) {
    const [force, setForce] = useState(false);
    return (
        <Action
            label="Roll back to it"
            onDone={reload}
            said={`The content of version ${version} is the newest version`}
            call={{
                method: "POST",
                path: api.path`/registry/subjects/${subject}/rollback`,
                body: { version, ...(force && { force }) },
            }}
            confirm={{
                title: `Roll back to version ${version}?`,
                label: "Roll back",
                text: `The content of version ${version} becomes a new version, the latest. It is compared like any other.`,
            }}>
            {may("admin", subject) && (
                <Field label="Also if it is not compatible, or breaks a contract" inline>
                    <input type="checkbox" checked={force} onChange={(event) => setForce(event.currentTarget.checked)} />
                </Field>
            )}
        </Action>
    );
}
