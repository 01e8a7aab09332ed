import { useId, useRef } from "preact/hooks";
import { useQueryState } from "../kit/route.js";

/* tabs: [{id, title, render()}]; which one is shown stands in the URL under `name`. */
export function Tabs({ name = "tab", label = "Views", tabs }) {
    const [at, setAt] = useQueryState(name, tabs[0].id);
    const id = useId(), list = useRef(null);
    const shown = tabs.find((tab) => tab.id === at) ?? tabs[0];
    const moved = (event) => {
        const i = tabs.indexOf(shown), to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
        if (to !== undefined) {
            event.preventDefault();
            const next = (to + tabs.length) % tabs.length;
            setAt(tabs[next].id);
            list.current.children[next].focus();
        }
    };
    return (
        <>
            <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={moved}>
                {tabs.map((tab) => (
                    <button
                        key={tab.id}
                        type="button"
                        role="tab"
                        id={`${id}-${tab.id}`}
                        aria-selected={tab === shown}
                        tabIndex={tab === shown ? 0 : -1}
                        aria-controls={tab === shown ? `${id}-panel` : undefined}
                        onClick={() => setAt(tab.id)}
                    >
                        {tab.title}
                    </button>
                ))}
            </div>
            <div class="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${shown.id}`} key={shown.id}>
                {shown.render()}
            </div>
        </>
    );
}
