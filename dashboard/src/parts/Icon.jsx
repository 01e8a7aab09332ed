/* Signs that no font needs to have; the button around one has the name. */
const PATHS = {
    menu: "M3 5h14M3 10h14M3 15h14",
    sun: "M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2" +
        "M4 4l1.4 1.4M14.6 14.6L16 16M16 4l-1.4 1.4M5.4 14.6L4 16",
    moon: "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z",
    clock: "M10 3a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM10 6v4.2l2.8 1.8",
    help: "M7.3 7.4a2.7 2.7 0 1 1 4 2.4c-.9.5-1.3 1-1.3 2M10 14.6v.4",
    close: "M5 5l10 10M15 5L5 15",
    user: "M10 3.5a3 3 0 1 0 0 6a3 3 0 0 0 0-6zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
};

export function Icon({ name }) {
    return (
        <svg
            class="sign"
            viewBox="0 0 20 20"
            width="18"
            height="18"
            aria-hidden="true"
            fill="none"
            stroke="currentColor"
            stroke-width="1.6"
            stroke-linecap="round"
            stroke-linejoin="round"
        >
            <path d={PATHS[name]} />
        </svg>
    );
}
