import { useEffect, useState } from "preact/hooks";
import { Field } from "../parts/Field.jsx";
import { isCondition } from "./where.js";

const MOST = 8;                                // conditions that the API takes

/* What is typed is searched for when it is sent: each search may read many states. */
export function StateFilters({ prefix, where, indexes, setPrefix, setConditions }) {
    const [begins, setBegins] = useState(prefix);
    const [holds, setHolds] = useState(where.length ? where : [""]);
    useEffect(() => setBegins(prefix), [prefix]);
    useEffect(() => setHolds(where.length ? where : [""]), [where.join("\n")]);
    const wrong = holds.map((one) => (one && !isCondition(one) ? "Write pointer=value, for example /status=paid" : undefined));
    const send = (event) => {
        event.preventDefault();
        if (!wrong.some(Boolean)) {
            setPrefix(begins);
            setConditions(holds.filter(Boolean).length ? holds.filter(Boolean) : "");
        }
    };
    const empty = () => {
        setPrefix("");
        setConditions("");
    };
    const write = (i, text) => setHolds(holds.map((one, k) => (k === i ? text : one)));
    return (
        <form class="filters state-filters" role="search" onSubmit={send}>
            <Field label="Key begins with">
                <input type="search" value={begins} onInput={(event) => setBegins(event.currentTarget.value)} />
            </Field>
            {holds.map((one, i) => (
                <Field key={i} label={i ? "and" : "Where"} error={wrong[i]}>
                    <input value={one} placeholder={`${indexes[0] ?? "/status"}=…`} list="indexed" spellcheck={false}
                        onInput={(event) => write(i, event.currentTarget.value)} />
                </Field>
            ))}
            <datalist id="indexed">
                {indexes.map((pointer) => <option key={pointer} value={`${pointer}=`}>looked up by an index</option>)}
            </datalist>
            <div class="card-actions">
                <button type="submit" class="primary">Search</button>
                {holds.length < MOST && <button type="button" onClick={() => setHolds([...holds, ""])}>Add a condition</button>}
                {(prefix || where.length > 0) && <button type="button" class="quiet" onClick={empty}>Show all</button>}
            </div>
        </form>
    );
}
