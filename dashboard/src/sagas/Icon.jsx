/* Marks of what a step does, 16 by 16, in the colour of the text. */
const PATHS = {
    http: "M2.5 8h10M9 4.5 12.5 8 9 11.5",
    publish: "M8 10.5v-8M4.5 6 8 2.5 11.5 6M2.5 13.5h11",
    await: "M8 2.5v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
    approval: "M6.5 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM2 13.5c0-2.6 2-4 4.5-4 .8 0 1.5.1 2.1.4M9.5 12l1.7 1.7L14.5 10",
    signal: "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8Z",
    undo: "M5.5 3 2.5 6l3 3M2.5 6h7a4 4 0 0 1 0 8h-3",
    pivot: "M4 14.5v-12h8.5L10 6l2.5 3.5H4",
};

export function Icon({ name }) {
    return (
        <svg class="saga-icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d={PATHS[name]} />
        </svg>
    );
}
