import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { may } from "../kit/rights.js";
import { go } from "../kit/route.js";
import { Action, movedOn } from "../parts/Action.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { toast } from "../parts/Toasts.jsx";
import { SettingsFields } from "./SettingsFields.jsx";
import { Position, positionOf } from "./Position.jsx";
import { bodyOf, faulty, formOf } from "./settings.js";

export function GroupActions({ group, reload }) {
    const [open, setOpen] = useState(null);
    const path = api.path`/v1/streams/${group.stream}/groups/${group.name}`;
    const close = () => setOpen(null);
    const done = (text) => () => {
        close();
        toast(text);
        reload();
    };
    if (!may("manage", group.stream)) {
        return null;
    }
    return (
        <>
            <Pause group={group} path={path} reload={reload}
                onDone={done(group.paused ? "Resumed" : "Paused: nothing new is handed out")} />
            <button type="button" onClick={() => setOpen("seek")}>
                Seek…
            </button>
            <button type="button" onClick={() => setOpen("edit")}>
                Edit…
            </button>
            <Action
                label="Delete"
                tone="danger"
                call={{ method: "DELETE", path }}
                confirm={{
                    title: `Delete ${group.name}?`,
                    phrase: group.name,
                    text:
                        "It forgets its position, what is in flight and what " +
                        "waits for a retry. Its dead letters stay; those that were being redriven are parked again.",
                }}
                onDone={() => {
                    toast(`${group.name} is deleted`);
                    go("/groups");
                }}
            />
            {open === "seek" && <Seek group={group} path={path} onClose={close} onDone={done("The group was moved")} />}
            {open === "edit" && (
                <Edit group={group} path={path} onClose={close} onDone={done("The settings hold from now on")} />
            )}
        </>
    );
}

/* PUT replaces all settings, so all are sent as they were read last. */
function Pause({ group, path, reload, onDone }) {
    return (
        <Action
            label={group.paused ? "Resume" : "Pause"}
            onDone={onDone}
            unless={movedOn(path, group, (one) => one.updated, reload)}
            call={{ method: "PUT", path, body: bodyOf(formOf(group), !group.paused) }}
        />
    );
}

function Edit({ group, path, onClose, onDone }) {
    const [form, setForm] = useState(() => formOf(group));
    const [read] = useState(group.updated);
    return (
        <Dialog title={`Settings of ${group.name}`} onClose={onClose}>
            {read !== group.updated && (
                <p role="status" class="consequences">
                    Somebody changed the group meanwhile. Saving replaces that; close to see it.
                </p>
            )}
            <SettingsFields form={form} onChange={setForm} />
            <Action
                label="Save"
                tone="primary"
                onDone={onDone}
                disabledWhy={faulty(form) ? "Some settings are wrong" : undefined}
                call={() => (faulty(form) ? null : { method: "PUT", path, body: bodyOf(form, group.paused) })}
            />
        </Dialog>
    );
}

function Seek({ group, path, onClose, onDone }) {
    const [to, setTo] = useState({ kind: "earliest", text: "" });
    const position = positionOf(to);
    return (
        <Dialog title={`Move ${group.name}`} onClose={onClose}>
            <Position legend="Go on" value={to} onChange={setTo} />
            <div class="consequences">
                <p>{effectOf(to.kind, group)}</p>
                <p>{openOf(group)} Dead letters stay; those that are being redriven are parked again.</p>
            </div>
            <Action
                label="Move the group"
                tone="danger"
                onDone={onDone}
                disabledWhy={position === undefined ? "Say where to" : undefined}
                call={() => (position === undefined ? null : { method: "POST", path: `${path}/seek`, body: { to: position } })}
            />
        </Dialog>
    );
}

function effectOf(kind, { lag }) {
    switch (kind) {
        case "earliest":
            return "Every event that the stream keeps is handed out again, also those that are done.";
        case "latest":
            return lag.events
                ? `What is not done is skipped: ${count(lag.events)} ${lag.events === 1 ? "event" : "events"}.`
                : "Nothing is waiting: nothing is skipped.";
        default:
            return "Events from there on are handed out again; what lies before it and is not done is skipped.";
    }
}

function openOf({ in_flight: inFlight, retrying }) {
    if (!inFlight && !retrying) {
        return "Nothing is in flight and nothing waits for a retry.";
    }
    return `In flight: ${count(inFlight)}; acks of these will be stale. ` +
        `Waiting for a retry: ${count(retrying)}; these are forgotten.`;
}
