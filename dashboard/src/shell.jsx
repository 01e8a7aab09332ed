import { useEffect, useState } from "preact/hooks";
import { reachable } from "./kit/api.js";
import { Boundary } from "./boundary.jsx";
import { Expiry, Login } from "./login.jsx";
import { Help } from "./help.jsx";
import { TokenMenu } from "./token.jsx";
import { useKeys } from "./kit/keys.js";
import { liveState } from "./kit/live.js";
import { mayAny } from "./kit/rights.js";
import { current, fits, go, hrefOf, params } from "./kit/route.js";
import { subject, token } from "./kit/session.js";
import { dark, switchTheme } from "./kit/theme.js";
import { exactTimes } from "./kit/time.js";
import { Empty } from "./parts/Empty.jsx";
import { Icon } from "./parts/Icon.jsx";
import { Page } from "./parts/Page.jsx";
import { Toasts } from "./parts/Toasts.jsx";
import { routes } from "./routes.jsx";

const allowed = (route) => route.needs.some(mayAny);

export function Shell() {
    if (token.value === null) {
        return <><Login /><Toasts /></>;
    }
    return <Inside />;
}

function Inside() {
    const [open, setOpen] = useState(false), [help, setHelp] = useState(false);
    const entries = routes.filter((route) => route.entry && allowed(route));
    const { route, found } = find(current.value.path);
    useEffect(() => {
        setOpen(false);
        scrollTo(0, 0);
    }, [current.value.path]);
    useKeys("Everywhere", {
        ...Object.fromEntries(entries.map((entry) => [`g ${entry.key}`, [() => go(entry.path), `Go to ${entry.title}`]])),
        "/": [focusSearch, "Search on this page"],
        t: [switchTimes, "Times: relative or exact"],
        "?": [() => setHelp(true), "This list"],
    });
    return (
        <div class="shell">
            <button type="button" class="skip" onClick={() => document.getElementById("main").focus()}>Skip to content</button>
            <Top open={open} onMenu={() => setOpen(!open)} onHelp={() => setHelp(true)} />
            <Navigation entries={entries} open={open} at={route?.nav} />
            <main id="main" tabIndex={-1}>
                <Expiry />
                <Unreachable />
                <Boundary key={`${subject.value} ${current.value.path}`}><Shown route={route} found={found} /></Boundary>
            </main>
            {help && <Help onClose={() => setHelp(false)} />}
            <Toasts />
        </div>
    );
}

function find(path) {
    for (const route of routes) {
        const found = fits(route.path, path);
        if (found) {
            return { route, found };
        }
    }
    return {};
}

function Shown({ route, found }) {
    if (!route) {
        return (
            <Page title="No such page"><Empty title="This link leads nowhere." hint="It may have been cut off when it was copied."
                action={<a class="button" href={hrefOf("/")}>Go to the overview</a>} /></Page>
        );
    }
    if (!allowed(route)) {
        return (
            <Page title={route.title}>
                <Empty
                    title="The token does not allow this page."
                    hint={
                        <>
                            It needs the right{" "}
                            {route.needs.map((need, i) => (
                                <>
                                    {i > 0 && " or "}
                                    <code key={need}>{need}</code>
                                </>
                            ))}{" "}
                            on some name.
                        </>
                    }
                />
            </Page>
        );
    }
    params.value = found;
    const Shows = route.page;
    return <Shows params={found} />;
}

function focusSearch() {
    document.querySelector("main input[type=search]")?.focus();
}

function switchTimes() {
    exactTimes.value = !exactTimes.value;
}

const LIVE = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };

function Top({ open, onMenu, onHelp }) {
    return (
        <header class="top">
            <button type="button" class="icon menu-toggle" aria-expanded={open} aria-controls="navigation" onClick={onMenu}>
                <Icon name="menu" />
                <span class="unseen">Menu</span>
            </button>
            <a class="brand" href={hrefOf("/")}>
                <img src="ui/favicon.svg" alt="" width="22" height="22" />
                Weir
            </a>
            <span class="top-space" />
            {LIVE[liveState.value] && (
                <span class={`live ${liveState.value}`}>
                    <span class="dot" aria-hidden="true" />
                    <span class="live-word">{LIVE[liveState.value]}</span>
                </span>
            )}
            <button
                type="button"
                class="icon wide-only"
                onClick={onHelp}
                title="Keyboard shortcuts (?)"
                aria-label="Keyboard shortcuts"
            >
                <Icon name="help" />
            </button>
            <button
                type="button"
                class="icon"
                onClick={switchTimes}
                title="Relative or exact times (t)"
                aria-label="Exact times"
                aria-pressed={exactTimes.value}
            >
                <Icon name="clock" />
            </button>
            <button
                type="button"
                class="icon"
                onClick={switchTheme}
                title={dark.value ? "Light colours" : "Dark colours"}
                aria-label={dark.value ? "Light colours" : "Dark colours"}
            >
                <Icon name={dark.value ? "sun" : "moon"} />
            </button>
            <TokenMenu />
        </header>
    );
}

function Navigation({ entries, open, at }) {
    return (
        <nav id="navigation" class={open ? "open" : ""} aria-label="Pages">
            <ul>
                {entries.map((entry) => (
                    <li key={entry.path}>
                        <a href={hrefOf(entry.path)} aria-current={entry.nav === at ? "page" : undefined}>{entry.title}</a>
                    </li>
                ))}
            </ul>
        </nav>
    );
}

function Unreachable() {
    return (
        !reachable.value && (
            <div class="banner tone-bad" role="status">
                The gateway cannot be reached. What is shown may be old; this page tries again by itself.
            </div>
        )
    );
}
