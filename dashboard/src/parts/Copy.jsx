import { useEffect, useRef, useState } from "preact/hooks";

/* Where the page has no clipboard (plain HTTP on another host), the old way. */
export async function copyText(text) {
    if (navigator.clipboard) {
        await navigator.clipboard.writeText(text);
        return;
    }
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) {
        throw new Error("The browser does not let this page copy.");
    }
}

/* A button that copies text (or what text() returns) and says so. small: an icon, its label for screen readers. */
export function Copy({ text, label = "Copy", small }) {
    const [said, setSaid] = useState("");
    const timer = useRef(null);
    useEffect(() => () => clearTimeout(timer.current), []);
    const copy = async () => {
        try {
            await copyText(typeof text === "function" ? text() : text);
            setSaid("Copied");
        } catch {
            setSaid("Not copied");
        }
        clearTimeout(timer.current);
        timer.current = setTimeout(() => setSaid(""), 2000);
    };
    return (
        <button type="button" class={small ? "icon copy" : "copy"} onClick={copy} title={small ? label : undefined}
            aria-label={small ? said || label : undefined}>
            {small ? <span aria-hidden="true">{said === "Copied" ? "✓" : said ? "✕" : "⧉"}</span> : said || label}
        </button>
    );
}
