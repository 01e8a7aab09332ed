import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { check } from "../kit/json.js";
import { Link } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Copy } from "../parts/Copy.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Field } from "../parts/Field.jsx";
import { JsonEditor } from "../parts/JsonEditor.jsx";
import { pairsOf } from "./settings.js";

const MORE = [
    ["id", "Event id", "Left out, Weir makes one. The same id twice is a duplicate."],
    ["source", "Source", "Left out: the path of the stream."],
    ["partitionkey", "Partition key", "Orders and partitions instead of the subject."],
    ["expectedversion", "Expected version", "0: the subject must not exist yet. Refused if it has another one."],
    ["correlationid", "Correlation id", "Ties the events of one business case together."],
    ["causationid", "Causation id", "The id of the event that led to this one."],
];

/* The event's text: what was typed as data goes out as it was typed. */
export function eventText(attributes, data) {
    const given = Object.entries(attributes).filter(([, value]) => value !== "" && value !== undefined)
        .map(([name, value]) => [name, name === "expectedversion" ? Number(value) : value]);
    const text = JSON.stringify(Object.fromEntries(given));

    return data.trim() ? `${text.slice(0, -1)},"data":${data.trim()}}` : text;
}

/* from: attributes to begin with, and data as text (a copy of an event). */
export function Publish({ stream, from = {}, onClose, onDone }) {
    const [attributes, setAttributes] = useState({ type: "", subject: "", ...from.attributes });
    const [data, setData] = useState(from.data ?? "{}");
    const [others, setOthers] = useState("");
    const [key, setKey] = useState("");
    const [receipt, setReceipt] = useState(null);
    const set = (name) => (event) => setAttributes({ ...attributes, [name]: event.currentTarget.value });
    const call = {
        method: "POST", path: api.path`/v1/streams/${stream}/events`,
        body: eventText({ ...pairsOf(others), ...attributes }, data),
        headers: key ? { "Idempotency-Key": key } : undefined,
    };
    const done = (answer) => {
        setReceipt(answer.body);
        onDone?.();
    };

    return (
        <Dialog title={`Publish to ${stream}`} onClose={onClose} wide>
            <div class="form-grid">
                <Field label="Type" hint="What happened, in the past tense: OrderPlaced.">
                    <input data-first value={attributes.type} autocomplete="off" spellcheck={false} onInput={set("type")} />
                </Field>
                <Field label="Subject" hint="What it happened to: order-7001. Its events keep their order.">
                    <input value={attributes.subject} autocomplete="off" spellcheck={false} onInput={set("subject")} />
                </Field>
            </div>
            <JsonEditor label="Data" value={data} onChange={setData} rows={8} optional />
            <details class="more-fields" open={Boolean(from.attributes?.correlationid)}>
                <summary>More attributes</summary>
                <div class="form-grid">
                    {MORE.map(([name, label, hint]) => (
                        <Field key={name} label={label} hint={hint}>
                            <input value={attributes[name] ?? ""} autocomplete="off" spellcheck={false} onInput={set(name)}
                                inputMode={name === "expectedversion" ? "numeric" : undefined} />
                        </Field>
                    ))}
                    <Field label="Other attributes" hint="One name=value a line; names of lower-case letters and digits.">
                        <textarea rows={2} value={others} spellcheck={false}
                            onInput={(event) => setOthers(event.currentTarget.value)} />
                    </Field>
                    <Field label="Idempotency key" hint="The same request under the same key is answered as the first time.">
                        <input value={key} autocomplete="off" spellcheck={false}
                            onInput={(event) => setKey(event.currentTarget.value)} />
                    </Field>
                </div>
            </details>
            {receipt && <Receipt receipt={receipt} onClose={onClose} />}
            <footer class="dialog-foot">
                <button type="button" onClick={onClose}>{receipt ? "Close" : "Cancel"}</button>
                <Action label={receipt ? "Publish again" : "Publish"} tone="primary" call={call} onDone={done} keyed
                    disabledWhy={whyNot(attributes, data)} />
            </footer>
        </Dialog>
    );
}

function whyNot(attributes, data) {
    if (!attributes.type) {
        return "Give it a type";
    }
    if (attributes.expectedversion && !/^[0-9]{1,15}$/.test(attributes.expectedversion)) {
        return "The expected version is a number";
    }
    return data.trim() && check(data) ? "The data are not JSON yet" : undefined;
}

function Receipt({ receipt, onClose }) {
    return (
        <div class="receipt" role="status">
            <p>
                <b>{receipt.duplicate ? "Already recorded" : "Recorded"}</b>
                {` in partition ${receipt.partition} at offset ${receipt.offset}`}
                {receipt.version !== undefined && `, version ${receipt.version} of its subject`}.{" "}
                <Link to={api.path`/streams/${receipt.stream}/events/${receipt.partition}/${receipt.offset}`}
                    onClick={onClose}>Show the event</Link>
            </p>
            <p class="muted">Id <code>{receipt.id}</code> <Copy text={receipt.id} label="Copy id" small /></p>
        </div>
    );
}
