import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function SagasPage() {
    return <Page title="Sagas"><Empty title="This page is being built." /></Page>;
}
