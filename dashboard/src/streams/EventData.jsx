import { at } from "../kit/json.js";
import { bytes } from "../kit/format.js";
import { Json } from "../parts/Json.jsx";

export const bytesOf = (text) => new TextEncoder().encode(text).length;

/* The text of an event's data as it was published: every digit, the order of members. undefined: it has none. */
export function dataOf(text) {
    return at(text, "data") ?? at(text, "data_base64");
}

/* JSON indented, other text as text, bytes by their size. */
export function EventData({ event, text }) {
    const data = dataOf(text);

    if (data === undefined) {
        return <p class="muted">This event carries no data.</p>;
    }
    if (event.data_base64 !== undefined) {
        return (
            <div class="binary">
                <p class="muted">{decodedSize(event.data_base64)} of {event.datacontenttype ?? "bytes"}, as Base64:</p>
                <pre tabIndex={0} role="region" aria-label="Data as Base64">{event.data_base64}</pre>
            </div>
        );
    }
    const isText = typeof event.data === "string" && /^text\//.test(event.datacontenttype ?? "");
    return isText ? <pre tabIndex={0} role="region" aria-label="Data of the event">{event.data}</pre> :
        <Json text={data} label="Data of the event" />;
}

function decodedSize(base64) {
    return bytes(Math.floor(base64.replace(/=+$/, "").length * 3 / 4));
}
