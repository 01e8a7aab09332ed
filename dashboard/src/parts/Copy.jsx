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
            {small ? <span aria-hidden="true">{said === "Copied" ? "✓" : said ? "✕" : <Sheets />}</span> : said || label}
        </button>
    );
}

/* Drawn, as few fonts have a sign for it. */
function Sheets() {
    return (
        <svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" stroke-width="1.5">
            <rect x="5.5" y="5.5" width="8" height="9" rx="1.5" /><path d="M3 10.5H2.5v-8a1 1 0 0 1 1-1h6.5V2.5" />
        </svg>
    );
}
