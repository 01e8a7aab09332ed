import { Empty } from "../parts/Empty.jsx";

/* narrowed: by a filter, or to another state than parked. everywhere: in all streams. */
export function NoLetters({ narrowed, everywhere }) {
    if (narrowed) {
        return <Empty title="No letter fits this filter." hint="Clear the filter, or look for another state." />;
    }
    return everywhere ? (
        <Empty title="No dead letters are parked."
            hint="What a consumer group gives up on, or rejects, waits here to be repaired, sent again or discarded." />
    ) : <Empty title="No letter is parked here." hint="Letters that were dealt with are found under another state." />;
}
