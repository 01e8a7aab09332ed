import { useQueryState } from "../kit/route.js";
import { Diff } from "../parts/Diff.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { useVersion } from "./useVersion.js";

/* Any two versions side by side: at first the latest two. */
export function Compare({ subject, versions }) {
    const [before, setBefore] = useQueryState("before", String(versions[1]?.version));
    const [after, setAfter] = useQueryState("after", String(versions[0].version));
    const known = (text) => versions.find((one) => String(one.version) === text)?.version;
    const [left, right] = [useVersion(subject, known(before)), useVersion(subject, known(after))];
    if (versions.length < 2) {
        return <Empty title="There is one version alone" hint="When a second one is registered, both can be compared here." />;
    }
    return (
        <>
            <div class="filters">
                <Which label="Before" versions={versions} value={before} onChange={setBefore} />
                <Which label="After" versions={versions} value={after} onChange={setAfter} />
                <button
                    type="button"
                    onClick={() => {
                        setBefore(after);
                        setAfter(before);
                    }}>
                    Swap
                </button>
            </div>
            <Fault error={left.error} retry={left.reload} />
            <Fault error={right.error} retry={right.reload} />
            {(left.loading || right.loading) && <Loading />}
            {left.data && right.data && (
                <Diff before={left.data.schema} after={right.data.schema} labels={[`Version ${before}`, `Version ${after}`]} />
            )}
        </>
    );
}

function Which({ label, versions, value, onChange }) {
    return (
        <label class="which">
            {label}{" "}
            <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
                {versions.map(({ version, deleted }) => (
                    <option key={version} value={String(version)}>
                        Version {version}
                        {deleted ? " (deleted)" : ""}
                    </option>
                ))}
            </select>
        </label>
    );
}
