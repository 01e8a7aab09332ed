/* Light or dark: what the system prefers, unless the reader chooses for this tab. Colours stand in style/tokens.css alone. */
import { computed, effect, signal } from "@preact/signals";

const system = matchMedia("(prefers-color-scheme: dark)");
const preferred = signal(system.matches);
system.addEventListener("change", () => {
    preferred.value = system.matches;
});
const chosen = signal(null);                   // null: the system's

export const dark = computed(() => chosen.value ?? preferred.value);

export function switchTheme() {
    chosen.value = !dark.value;
}

effect(() => {
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
});

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
