/* One line of a list of facts: <dl class="facts">. */
export function Fact({ title, children }) {
    return (
        <div>
            <dt>{title}</dt>
            <dd>{children}</dd>
        </div>
    );
}
