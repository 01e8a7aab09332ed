import { useEffect, useId, useRef, useState } from "preact/hooks";

/* A button that opens a list of acts: items [{title, act, disabledWhy?}]. Arrow keys move, Escape closes. */
export function Menu({ label, mark = "▾", items, class: more = "" }) {
    const [open, setOpen] = useState(false);
    const id = useId(), frame = useRef(null);
    useEffect(() => {
        if (!open) {
            return undefined;
        }
        frame.current.querySelector("[role=menuitem]")?.focus();
        const outside = (event) => !frame.current?.contains(event.target) && setOpen(false);
        document.addEventListener("pointerdown", outside);
        return () => document.removeEventListener("pointerdown", outside);
    }, [open]);
    const close = () => {
        setOpen(false);
        frame.current.querySelector("button").focus();
    };
    const pressed = (event) => {
        if (!open) {
            return;
        }
        const all = [...frame.current.querySelectorAll("[role=menuitem]")], at = all.indexOf(document.activeElement);
        const to = {
            ArrowDown: (at + 1) % all.length,
            ArrowUp: (at - 1 + all.length) % all.length,
            Home: 0,
            End: all.length - 1,
        }[event.key];
        if (to !== undefined) {
            event.preventDefault();
            all[to].focus();
        } else if (event.key === "Escape") {
            event.preventDefault();
            event.stopPropagation();
            close();
        } else if (event.key === "Tab") {
            setOpen(false);
        }
    };
    return (
        <span class={`menu ${more}`} ref={frame} onKeyDown={pressed}>
            <button
                type="button"
                class="menu-button"
                aria-label={label}
                aria-haspopup="menu"
                aria-expanded={open}
                aria-controls={open ? id : undefined}
                onClick={() => setOpen(!open)}
            >
                {mark}
            </button>
            {open && (
                <span class="menu-items" role="menu" id={id} aria-label={label}>
                    {items.map((item) => (
                        <button
                            key={item.title}
                            type="button"
                            role="menuitem"
                            tabIndex={-1}
                            aria-disabled={item.disabledWhy ? "true" : undefined}
                            title={item.disabledWhy}
                            onClick={() => {
                                if (!item.disabledWhy) {
                                    close();
                                    item.act();
                                }
                            }}
                        >
                            {item.title}
                        </button>
                    ))}
                </span>
            )}
        </span>
    );
}
