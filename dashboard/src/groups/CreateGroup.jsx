import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { may } from "../kit/rights.js";
import { go } from "../kit/route.js";
import { usePoll } from "../kit/poll.js";
import { Action } from "../parts/Action.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Field } from "../parts/Field.jsx";
import { Position, positionOf } from "./Position.jsx";
import { SettingsFields } from "./SettingsFields.jsx";
import { groupsOf } from "./load.js";
import { DEFAULTS, bodyOf, faulty } from "./settings.js";

const NAME = /^[a-z0-9][a-z0-9._-]{0,119}$/;

const nameFault = (name) =>
    name && !NAME.test(name) ? "A name begins with a letter or digit; up to 120 of a-z 0-9 . _ -" : undefined;

/* PUT would change a group that is there: that is said before. */
function useTaken(stream, known) {
    const { data } = usePoll((signal) => (known ? groupsOf(stream, signal) : []), 0, [stream, known]);
    return (name) => (data?.some((group) => group.name === name) ? "This group is there already." : undefined);
}

export function CreateGroup({ stream: given, onClose }) {
    const [stream, setStream] = useState(given || "");
    const [name, setName] = useState("");
    const [start, setStart] = useState({ kind: "latest", text: "" });
    const [form, setForm] = useState(DEFAULTS);
    const streams = usePoll((signal) => api.get("/v1/streams", { query: { limit: 1000 }, signal }), 0);
    const names = (streams.data?.body.items ?? []).map((one) => one.name).filter((one) => may("manage", one));
    const taken = useTaken(stream, names.includes(stream))(name) ?? nameFault(name);
    const position = positionOf(start);
    const why =
        !stream || !name
            ? "Give a stream and a name."
            : (taken ??
              (position === undefined ? "Say where it starts." : faulty(form) ? "Some settings are wrong." : undefined));
    return (
        <Dialog title="New consumer group" onClose={onClose}>
            <Field label="Stream">
                <input
                    data-first
                    list="group-streams"
                    autocomplete="off"
                    value={stream}
                    onInput={(e) => setStream(e.currentTarget.value)}
                />
            </Field>
            <datalist id="group-streams">
                {names.map((one) => (
                    <option key={one} value={one} />
                ))}
            </datalist>
            <Field label="Name" hint="Lower case letters, digits, . _ -" error={taken}>
                <input autocomplete="off" spellcheck={false} value={name} onInput={(e) => setName(e.currentTarget.value)} />
            </Field>
            <Position legend="Where it starts" value={start} onChange={setStart} />
            <details>
                <summary>Settings: order, deadline, retries, limits</summary>
                <SettingsFields form={form} onChange={setForm} />
            </details>
            <Action
                label="Create group"
                tone="primary"
                disabledWhy={why}
                call={() =>
                    why
                        ? null
                        : {
                              method: "PUT",
                              path: api.path`/v1/streams/${stream}/groups/${name}`,
                              body: { start: position, ...bodyOf(form, false) },
                          }
                }
                onDone={() => go(api.path`/groups/${stream}/${name}`)}
            />
        </Dialog>
    );
}
