import { Empty } from "../parts/Empty.jsx";
import { Page } from "../parts/Page.jsx";

export function LettersPage() {
    return <Page title="Dead letters"><Empty title="This page is being built." /></Page>;
}
