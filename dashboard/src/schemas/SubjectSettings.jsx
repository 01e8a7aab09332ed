import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Action } from "../parts/Action.jsx";
import { Card } from "../parts/Card.jsx";
import { Fault } from "../parts/Fault.jsx";
import { LevelForm, ModeForm } from "./forms.jsx";
import { hasLevel } from "./load.js";

export function SubjectSettings({ subject, versions, config, reload }) {
    const own = usePoll((signal) => hasLevel(subject, signal), 0, [subject]);
    const changed = () => {
        own.reload();
        reload();
    };
    const there = versions.some((one) => !one.deleted);
    return (
        <>
            <Card title="Rules for new versions">
                <Fault error={own.error} retry={own.reload} />
                <div class="setting-forms">
                    <LevelForm
                        key={`${config.level} ${own.data}`}
                        path={api.path`/registry/config/${subject}`}
                        level={config.level}
                        own={own.data}
                        onDone={changed}
                    />
                    <ModeForm key={config.mode} path={api.path`/registry/mode/${subject}`} mode={config.mode} onDone={reload} />
                </div>
            </Card>
            <Card title="Delete the subject">
                <p>
                    {there
                        ? "First softly: its versions are hidden, their ids still lead to their schemas. Its settings go at once."
                        : "It was deleted softly. For good: its versions and ids are gone. What another schema refers to stays."}
                </p>
                <Action
                    label={there ? "Delete subject" : "Delete subject for good"}
                    tone="danger"
                    onDone={reload}
                    said={`${subject} is deleted`}
                    call={{
                        method: "DELETE",
                        path: api.path`/registry/subjects/${subject}`,
                        query: { permanent: there ? undefined : true },
                    }}
                    confirm={{
                        title: `Delete ${subject}?`,
                        phrase: subject,
                        text: there
                            ? "All of its versions are hidden. Streams that enforce " +
                              "schemas refuse its events from then on, unless they allow unknown types."
                            : "This cannot be taken back.",
                    }}
                />
            </Card>
        </>
    );
}
