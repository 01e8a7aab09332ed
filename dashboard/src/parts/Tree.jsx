/* nodes: [{key, label, children?: nodes, open?}] as lists in lists, which every screen reader knows. */
export function Tree({ nodes, label }) {
    return <ul class="tree" aria-label={label}>{nodes.map((node) => <Node key={node.key} node={node} />)}</ul>;
}

function Node({ node }) {
    if (!node.children?.length) {
        return <li><div class="tree-leaf">{node.label}</div></li>;
    }
    return (
        <li>
            <details open={node.open ?? true}>
                <summary>{node.label}</summary>
                <ul>{node.children.map((child) => <Node key={child.key} node={child} />)}</ul>
            </details>
        </li>
    );
}
