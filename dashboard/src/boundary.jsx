import { Component } from "preact";
import { Fault } from "./parts/Fault.jsx";
import { Page } from "./parts/Page.jsx";

/* A page that fails takes nothing else with it. */
export class Boundary extends Component {
    state = { error: null };

    static getDerivedStateFromError(error) {
        return { error };
    }

    render({ children }, { error }) {
        return error ? (
            <Page title="This page failed">
                <Fault error={error} retry={() => this.setState({ error: null })} />
            </Page>
        ) : (
            children
        );
    }
}
