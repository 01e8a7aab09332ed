import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function GroupsPage() {
    return <Page title="Groups"><Empty title="This page is being built." /></Page>;
}
