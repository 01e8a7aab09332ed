import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function SchemasPage() {
    return <Page title="Schemas"><Empty title="This page is being built." /></Page>;
}
