/* What an operator should look at, the worst first: [{key, tone, text, hint, to, query}] */
import { path } from "../kit/api.js";
import { duration } from "../kit/time.js";
import { count } from "../kit/format.js";

const SLOW = 60, VERY_SLOW = 600;              // seconds that the oldest unfinished event waits
const ORDER = ["bad", "warn"];                  // then by rank: what stands still before what is slow; then by how much
const s = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

function ofGroups(groups) {
    return groups.flatMap(({ stream, group, lag, seconds, dead }) => [
        dead > 0 && {
            key: `dead ${stream} ${group}`,
            tone: "bad",
            rank: 3,
            weight: dead,
            text: s(dead, "dead letter", "dead letters"),
            where: `${group} on ${stream}`,
            hint: "They wait for a decision.",
            to: path`/letters/${stream}`,
            query: { group },
        },
        lag > 0 &&
            seconds >= SLOW && {
                key: `lag ${stream} ${group}`,
                tone: seconds >= VERY_SLOW ? "bad" : "warn",
                rank: 4,
                weight: seconds,
                text: `Lags by ${s(lag, "event", "events")}`,
                where: `${group} on ${stream}`,
                hint: `The oldest waits for ${duration(seconds * 1000)}.`,
                to: path`/groups/${stream}/${group}`,
            },
    ]);
}

function ofProjections(projections) {
    return projections.flatMap(({ projection, lag, seconds, failed, paused }) => {
        const to = path`/projections/${projection}`;
        return [
            failed && {
                key: `failed ${projection}`,
                tone: "bad",
                rank: 0,
                weight: 0,
                text: "Projection has stopped",
                where: projection,
                hint: "It stands at an event that it cannot fold.",
                to,
            },
            !failed &&
                paused && {
                    key: `paused ${projection}`,
                    tone: "warn",
                    rank: 0,
                    weight: 0,
                    text: "Projection is paused",
                    where: projection,
                    hint: "Nothing is folded.",
                    to,
                },
            !failed &&
                !paused &&
                seconds >= SLOW && {
                    key: `lag ${projection}`,
                    tone: "warn",
                    rank: 4,
                    weight: seconds,
                    text: `Lags by ${s(lag, "event", "events")}`,
                    where: projection,
                    hint: `The oldest waits for ${duration(seconds * 1000)}.`,
                    to,
                },
        ];
    });
}

function ofSagas(sagas, targets) {
    return [
        ...sagas.map(
            ({ saga, state, count: n }) =>
                state === "paused" &&
                n > 0 && {
                    key: `paused ${saga}`,
                    tone: "bad",
                    rank: 1,
                    weight: n,
                    text: `${s(n, "instance is", "instances are")} paused`,
                    where: saga,
                    hint: "A step needs an operator.",
                    to: path`/sagas/${saga}`,
                    query: { state: "paused" },
                },
        ),
        ...targets.map(
            ({ target, breaker }) =>
                breaker > 0 && {
                    key: `target ${target}`,
                    tone: breaker === 1 ? "bad" : "warn",
                    rank: 2,
                    weight: 0,
                    text: breaker === 1 ? "Calls are not made" : "Is being tried again",
                    where: target,
                    hint: "Its circuit breaker is open.",
                    to: "/targets",
                },
        ),
    ];
}

export function attention({ groups, projections, sagas, targets }) {
    return [...ofGroups(groups), ...ofProjections(projections), ...ofSagas(sagas, targets)].filter(Boolean)
        .sort((a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone) || a.rank - b.rank || b.weight - a.weight);
}
