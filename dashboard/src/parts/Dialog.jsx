import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./Icon.jsx";

/* A modal dialog of the browser's own: it keeps the focus inside, closes by Escape and gives the focus back. Shown while mounted.
 * must: it cannot be closed by the reader. */
export function Dialog({ title, onClose, children, wide, must }) {
    const id = useId(), dialog = useRef(null);
    useEffect(() => {
        const before = document.activeElement;
        dialog.current.showModal();
        dialog.current.querySelector("[data-first]")?.focus();
        return () => before?.isConnected && before.focus();
    }, []);
    const leave = (event) => {
        event.preventDefault();                // the owner unmounts it
        if (!must) {
            onClose?.();
        }
    };
    const closed = () => (must ? dialog.current?.showModal() : onClose?.());   // a browser may close it without asking
    /* A click beside it closes it: not the second one of the double click that opened it, nor where something may be typed. */
    const typed = () => dialog.current.querySelector("input, textarea, select");
    const pressed = (event) => event.target === dialog.current && event.detail < 2 && !must && !typed() && onClose?.();
    return (
        <dialog
            ref={dialog}
            class={wide ? "wide" : undefined}
            aria-labelledby={id}
            onCancel={leave}
            onClose={closed}
            onMouseDown={pressed}
        >
            <div class="dialog-inside">
                <header class="dialog-head">
                    <h2 id={id}>{title}</h2>
                    {!must && (
                        <button type="button" class="icon" aria-label="Close" onClick={() => onClose?.()}>
                            <Icon name="close" />
                        </button>
                    )}
                </header>
                {children}
            </div>
        </dialog>
    );
}
