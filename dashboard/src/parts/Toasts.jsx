import { signal } from "@preact/signals";

const toasts = signal([]);
let last = 0;

/* What was done, said once in a corner. Failures stay where they happened: see Fault. */
export function toast(text, tone) {
    const id = ++last;
    toasts.value = [...toasts.value.slice(-2), { id, text, tone }];
    setTimeout(() => {
        toasts.value = toasts.value.filter((one) => one.id !== id);
    }, 5000);
}

export function Toasts() {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {toasts.value.map((one) => <p key={one.id} class={`toast ${one.tone ? `tone-${one.tone}` : ""}`}>{one.text}</p>)}
        </div>
    );
}
