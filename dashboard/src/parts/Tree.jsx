import { useState } from "preact/hooks";

/* nodes: [{key, label, children?: nodes, open?}] as lists in lists, which every screen reader knows. A label may hold links. */
export function Tree({ nodes, label }) {
    return <ul class="tree" aria-label={label}>{nodes.map((node) => <Node key={node.key} node={node} />)}</ul>;
}

function Node({ node }) {
    const [open, setOpen] = useState(node.open ?? true);
    const below = node.children?.length > 0;
    return (
        <li>
            <div class="tree-label">
                {below ? <button type="button" class="icon tree-turn" aria-expanded={open} aria-label={open ? "Fold" : "Unfold"}
                    onClick={() => setOpen(!open)}>{open ? "▾" : "▸"}</button> : <span class="tree-turn" />}
                {node.label}
            </div>
            {below && open && <ul>{node.children.map((child) => <Node key={child.key} node={child} />)}</ul>}
        </li>
    );
}
