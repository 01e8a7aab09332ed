import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function ProjectionsPage() {
    return <Page title="Projections"><Empty title="This page is being built." /></Page>;
}
