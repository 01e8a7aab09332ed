import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Card } from "../parts/Card.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { LevelForm, ModeForm } from "./forms.jsx";

/* What holds for all subjects that say nothing else: for tokens with admin:* alone. */
export function GlobalSettings() {
    const { data, error, loading, reload } = usePoll(async (signal) => {
        const [level, mode] = await Promise.all([
            api.get("/registry/config", { signal }),
            api.get("/registry/mode", { signal }),
        ]);
        return { level: level.body.compatibilityLevel, mode: mode.body.mode };
    }, 0);
    return (
        <Card title="For all subjects that say nothing else">
            <Fault error={error} retry={reload} quiet={data !== undefined} />
            {loading && <Loading />}
            {data && (
                <div class="setting-forms">
                    <LevelForm key={data.level} path="/registry/config" level={data.level} onDone={reload} />
                    <ModeForm key={data.mode} path="/registry/mode" mode={data.mode} onDone={reload} />
                </div>
            )}
        </Card>
    );
}
