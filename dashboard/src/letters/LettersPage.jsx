import { useRef, useState } from "preact/hooks";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Pager } from "../parts/Pager.jsx";
import { streamsWithLetters, summaries } from "./ask.js";
import { FilterBar, useLetterFilter } from "./filter.jsx";
import { KindsTable } from "./KindsTable.jsx";
import "./letters.css";

const STREAMS_A_PAGE = 20;
const EVERY = 5000;
const NAMES_EVERY = 30000;          /* the list of streams changes seldom */

/* Names are asked for now and then, summaries of the first `most` streams at each poll. */
function useTriage(query, most) {
    const known = useRef({ at: 0, names: [] });

    return usePoll(async (signal) => {
        if (Date.now() - known.current.at > NAMES_EVERY) {
            known.current = { names: await streamsWithLetters(signal), at: Date.now() };
        }
        const { names } = known.current;
        return { streams: names.length, found: await summaries(names.slice(0, most), query, signal) };
    }, most > STREAMS_A_PAGE ? 3 * EVERY : EVERY, [JSON.stringify(query), most]);
}

const sum = (kinds, state) => kinds.reduce((n, kind) => n + kind.states[state], 0);

function Figures({ kinds, streams }) {
    return (
        <div class="figures">
            <Figure label="Parked letters" value={count(sum(kinds, "parked"))} tone={sum(kinds, "parked") ? "bad" : "good"} />
            <Figure label="Kinds" value={count(kinds.length)} />
            <Figure label="Streams" value={count(streams)} />
            <Figure label="Being redriven" value={count(sum(kinds, "redriven"))} />
        </div>
    );
}

function Nothing({ narrowed }) {
    return narrowed ? <Empty title="No letter fits this filter." hint="Clear the filter, or look for another state." /> :
        <Empty title="No dead letters are parked." hint="What a consumer group gives up on, or rejects, waits here to be repaired, sent again or discarded." />;
}

export function LettersPage() {
    const filter = useLetterFilter();
    const [most, setMost] = useState(STREAMS_A_PAGE);
    const { data, error, loading, stale, reload } = useTriage(filter.query, most);
    const kinds = data?.found.flatMap((one) => one.items).sort((a, b) => b.count - a.count) ?? [];
    const streams = new Set(kinds.map((kind) => kind.stream)).size;
    const narrowed = Object.keys(filter.filter).length > 0 || filter.state !== "parked";
    const shown = { ...filter.filter, state: filter.state === "parked" ? undefined : filter.state };

    return (
        <Page title="Dead letters" actions={<Link to="/jobs" class="button">Jobs</Link>}>
            <FilterBar {...filter} />
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Looking for dead letters" />}
            {data && <Figures kinds={kinds} streams={streams} />}
            {data && (
                <Card title="What they died of">
                    <KindsTable kinds={kinds} query={shown} across empty={<Nothing narrowed={narrowed} />} />
                    {data.found.some((one) => one.more) && <p class="muted">Of some streams only the 100 most frequent kinds are shown: open the stream.</p>}
                    <Pager more={data.streams > most} onMore={() => setMost(most + STREAMS_A_PAGE)}
                        shown={data.streams > most ? `Of the ${most} streams with the latest deaths, of ${data.streams}` : undefined} />
                </Card>
            )}
        </Page>
    );
}
