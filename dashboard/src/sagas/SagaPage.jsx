import { api } from "../kit/api.js";
import { count, many } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Tabs } from "../parts/Tabs.jsx";
import { Definition } from "./Definition.jsx";
import { Instances } from "./Instances.jsx";
import { sagaPath } from "./SagasPage.jsx";
import { Start } from "./Start.jsx";
import { OPEN_STATES } from "./words.js";
import "./sagas.css";

const HINTS = {
    running: "attempts are made",
    waiting: "for events, approvals, signals",
    paused: "an operator is needed",
    compensating: "going back",
};

/* A definition, and its instances. */
export function SagaPage() {
    const {
        params: { saga },
    } = useRoute();
    const { data, error, loading, stale, reload } = usePoll((signal) => api.get(api.path`/v1/sagas/${saga}`, { signal }), 5000, [
        saga,
    ]);
    const found = data?.body;
    return (
        <Page title={saga} crumbs={[{ title: "Sagas", to: "/sagas" }]} actions={found && <Acts found={found} />}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {found && (
                <>
                    {found.description && <p>{found.description}</p>}
                    <div class="figures">
                        {OPEN_STATES.map((state) => (
                            <Figure
                                key={state}
                                label={state[0].toUpperCase() + state.slice(1)}
                                value={count(found.instances[state])}
                                hint={HINTS[state]}
                                tone={state === "paused" && found.instances.paused ? "warn" : undefined}
                                to={sagaPath(saga)}
                                query={{ state }}
                            />
                        ))}
                    </div>
                    <Tabs
                        tabs={[
                            {
                                id: "instances",
                                title: "Instances",
                                render: () => <Instances saga={saga} definition={found} onChange={reload} />,
                            },
                            {
                                id: "definition",
                                title: "Definition",
                                render: () => <Definition newest={found} newestText={data.text} />,
                            },
                        ]}
                    />
                </>
            )}
        </Page>
    );
}

function Acts({ found }) {
    const open = OPEN_STATES.reduce((sum, state) => sum + found.instances[state], 0);
    return (
        <>
            <Start saga={found.name} startOn={found.start_on} />
            <Link class="button" to={`${sagaPath(found.name)}/edit`}>
                Edit
            </Link>
            <Action
                label="Delete…"
                tone="danger"
                said={`${found.name} is deleted`}
                onDone={() => go("/sagas")}
                call={{ method: "DELETE", path: api.path`/v1/sagas/${found.name}` }}
                disabledWhy={open ? `${many("instance", open)} not ended yet` : undefined}
                confirm={{
                    title: `Delete ${found.name}?`,
                    phrase: found.name,
                    label: "Delete",
                    text: `Its definitions and its instances, all ended, are removed. The stream saga.${found.name} stays.`,
                }}
            />
        </>
    );
}
