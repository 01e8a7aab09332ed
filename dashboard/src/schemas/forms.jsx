import { useState } from "preact/hooks";
import { Action } from "../parts/Action.jsx";
import { Field } from "../parts/Field.jsx";
import { LEVELS } from "./load.js";

const MODES = {
    READWRITE: "Versions come and go",
    READONLY: "Nothing can be changed",
    IMPORT: "Ids and versions are given by who registers",
};

/* own: the level is the subject's own and can be taken back. */
export function LevelForm({ path, level, own, onDone }) {
    const [chosen, setChosen] = useState(level);
    return (
        <div class="setting-form">
            <Field label="Compatibility" hint={`A new version ${LEVELS[chosen]}.`}>
                <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
                    {Object.keys(LEVELS).map((one) => (
                        <option key={one} value={one}>
                            {one}
                        </option>
                    ))}
                </select>
            </Field>
            <div class="buttons">
                <Action
                    label="Set level"
                    call={{ method: "PUT", path, body: { compatibility: chosen } }}
                    said="The level is set"
                    onDone={onDone}
                    disabledWhy={chosen === level && own !== false ? "This level holds already" : undefined}
                />
                {own && (
                    <Action
                        label="Use the level of all"
                        call={{ method: "DELETE", path }}
                        said="The level of all holds"
                        onDone={onDone}
                    />
                )}
            </div>
        </div>
    );
}

export function ModeForm({ path, mode, onDone }) {
    const [chosen, setChosen] = useState(mode);
    return (
        <div class="setting-form">
            <Field label="Mode" hint={`${MODES[chosen]}.`}>
                <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
                    {Object.keys(MODES).map((one) => (
                        <option key={one} value={one}>
                            {one}
                        </option>
                    ))}
                </select>
            </Field>
            <div class="buttons">
                <Action
                    label="Set mode"
                    call={{ method: "PUT", path, body: { mode: chosen } }}
                    said="The mode is set"
                    onDone={onDone}
                    disabledWhy={chosen === mode ? "This mode holds already" : undefined}
                />
            </div>
        </div>
    );
}
