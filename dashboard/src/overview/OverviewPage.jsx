import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function OverviewPage() {
    return <Page title="Overview"><Empty title="This page is being built." /></Page>;
}
