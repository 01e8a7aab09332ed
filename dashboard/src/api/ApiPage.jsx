import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function ApiPage() {
    return <Page title="API"><Empty title="This page is being built." /></Page>;
}
