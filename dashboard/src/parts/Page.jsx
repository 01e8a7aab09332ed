import { useEffect, useRef } from "preact/hooks";
import { Link } from "../kit/route.js";

/* crumbs: [{title, to}] of the pages above. The heading takes the focus, so that a screen reader says where it is. */
export function Page({ title, crumbs = [], actions, children }) {
    const heading = useRef(null);
    useEffect(() => {
        document.title = `${title} · Weir`;
    }, [title]);
    useEffect(() => {
        if (document.activeElement === document.body || document.activeElement?.closest("nav")) {
            heading.current?.focus({ preventScroll: true });
        }
    }, [title]);
    return (
        <div class="page">
            <header class="page-head">
                <div class="page-title">
                    {crumbs.length > 0 && (
                        <nav aria-label="Breadcrumb"><ol class="crumbs">
                            {crumbs.map((crumb) => <li key={crumb.to}><Link to={crumb.to}>{crumb.title}</Link></li>)}
                        </ol></nav>
                    )}
                    <h1 ref={heading} tabIndex={-1}>{title}</h1>
                </div>
                {actions && <div class="page-actions">{actions}</div>}
            </header>
            {children}
        </div>
    );
}
