import { useEffect, useRef, useState } from "preact/hooks";
import { path } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { Card } from "../parts/Card.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Figure } from "../parts/Figure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Pager } from "../parts/Pager.jsx";
import { streamsWithLetters, summaries } from "./ask.js";
import { FilterBar, useLetterFilter } from "./filter.jsx";
import { KindsTable } from "./KindsTable.jsx";
import { NoLetters } from "./NoLetters.jsx";
import "./letters.css";

const STREAMS_A_PAGE = 20;
const EVERY = 5000;
const NAMES_EVERY = 10000;          /* the list of streams changes seldom */

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

function Figures({ kinds, part }) {
    const hint = part ? "of what is shown" : undefined;
    const parked = sum(kinds, "parked");

    return (
        <div class="figures">
            <Figure label="Parked letters" value={count(parked)} tone={parked ? "bad" : "good"} hint={hint} />
            <Figure label="Being redriven" value={count(sum(kinds, "redriven"))} hint={hint} />
            <Figure label="Kinds of failures" value={count(kinds.length)} hint={hint} />
            <Figure label="Streams" value={count(new Set(kinds.map((kind) => kind.stream)).size)} hint={hint} />
        </div>
    );
}

function Kinds({ data, filter, most, onMore }) {
    const kinds = data.found.flatMap((one) => one.items).sort((a, b) => b.count - a.count);
    const cut = data.found.some((one) => one.more), more = data.streams > most;

    return (
        <>
            <Figures kinds={kinds} part={cut || more} />
            <Card title="What they died of">
                <KindsTable kinds={kinds} query={filter.shared} across
                    empty={<NoLetters narrowed={filter.narrowed} everywhere />} />
                {cut && <p class="muted">Of some streams only the 100 most frequent kinds are shown: open the stream.</p>}
                <Pager more={more} onMore={onMore}
                    shown={more ? `Of the ${most} streams with the latest deaths, of ${data.streams}` : undefined} />
            </Card>
        </>
    );
}

/* /letters?stream=orders&group=billing is a shorter way to say /letters/orders?group=billing */
function useStreamOfQuery() {
    const { query: { stream, ...query } } = useRoute();

    useEffect(() => {
        if (stream) {
            go(path`/letters/${stream}`, { query, replace: true });
        }
    }, [stream]);
}

export function LettersPage() {
    const filter = useLetterFilter();
    const [most, setMost] = useState(STREAMS_A_PAGE);
    const { data, error, loading, stale, reload } = useTriage(filter.query, most);

    useStreamOfQuery();
    return (
        <Page title="Dead letters" actions={<Link to="/jobs" class="button">Jobs</Link>}>
            <FilterBar {...filter} />
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Looking for dead letters" />}
            {data && <Kinds data={data} filter={filter} most={most} onMore={() => setMost(most + STREAMS_A_PAGE)} />}
        </Page>
    );
}
