import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { Link } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Badge } from "../parts/Badge.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { typeIn } from "./load.js";

/* The last events of a stream, judged as they would be if the candidate were the latest version. Nothing is stored. */
export function DryRun({ subject, candidate, wrong, bodyOf }) {
    const [stream, setStream] = useState("");
    const [last, setLast] = useState("1000");
    const [answer, setAnswer] = useState(null);
    const streams = usePoll(async (signal) => (await api.all("/v1/streams", { signal })).items, 0);
    const fitting = (streams.data ?? []).filter((one) => typeIn(one, subject) && may("subscribe", one.name));
    const chosen = stream || fitting[0]?.name || "";
    const why =
        wrong ??
        (candidate.type !== "JSON"
            ? "Only for JSON Schema: Avro names its schema in the data"
            : !chosen
              ? "Name a stream"
              : !/^[1-9]\d*$/.test(last)
                ? "Say how many events"
                : undefined);
    return (
        <div class="dry-run">
            <Fault error={streams.error} retry={streams.reload} />
            <div class="field-grid">
                <Field
                    label="Stream"
                    hint={fitting.length ? undefined : "No stream that you may read has events of this subject."}>
                    <select value={chosen} onChange={(event) => setStream(event.currentTarget.value)}>
                        {fitting.map((one) => (
                            <option key={one.name}>{one.name}</option>
                        ))}
                    </select>
                </Field>
                <Field label="Events, newest first">
                    <input inputMode="numeric" value={last} onInput={(event) => setLast(event.currentTarget.value)} />
                </Field>
            </div>
            <Action
                label="Try it"
                disabledWhy={why}
                onDone={(done) => setAnswer({ ...done.body, stream: chosen, of: candidate })}
                call={() =>
                    why
                        ? null
                        : {
                              method: "POST",
                              path: api.path`/registry/subjects/${subject}/dry-run`,
                              body: bodyOf(candidate, { stream: chosen, last: Number(last) }),
                          }
                }
            />
            {answer?.of === candidate && <Judged {...answer} />}
        </div>
    );
}

function Judged({ stream, checked, refused, complete, samples }) {
    return (
        <section class="verdict" aria-label="What the dry run says">
            <p role="status">
                <Badge tone={refused ? "bad" : "good"}>{refused ? `${count(refused)} refused` : "None refused"}</Badge> of{" "}
                {count(checked)} events
                {!complete && ", ended early: this is what was looked at"}.
            </p>
            <ul class="findings">
                {samples.map((sample) => (
                    <li key={`${sample.partition}/${sample.offset}`}>
                        <p>
                            <Link to={api.path`/streams/${stream}/events/${sample.partition}/${sample.offset}`}>
                                partition {sample.partition}, offset {sample.offset}
                            </Link>
                        </p>
                        {sample.errors.map((error, i) => (
                            <p key={i}>
                                <code>{error.pointer || "(the whole)"}</code> {error.detail}
                            </p>
                        ))}
                    </li>
                ))}
            </ul>
        </section>
    );
}
