import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function StreamsPage() {
    return <Page title="Streams"><Empty title="This page is being built." /></Page>;
}
