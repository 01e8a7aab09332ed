import { count } from "../kit/format.js";
import { duration } from "../kit/time.js";

const OLD_SECONDS = 300;

/* How a group is doing, worst first: { level 0..3, tone, text }. */
export function standing({ paused }, figures) {
    if (!figures) {
        return { level: 0, tone: undefined, text: "" };
    }
    const { lagEvents, lagSeconds, inFlight, retrying, dead } = figures;

    if (lagSeconds >= OLD_SECONDS && !paused) {
        return {
            level: 3,
            tone: "bad",
            text:
                paused === false && inFlight + retrying === 0 ? "Nobody receives" : `Behind by ${duration(lagSeconds * 1000)}`,
        };
    }
    if (dead > 0) {
        return { level: 2, tone: "bad", text: dead === 1 ? "1 dead letter" : `${count(dead)} dead letters` };
    }
    if (paused) {
        return { level: lagEvents ? 2 : 1, tone: "warn", text: "Paused" };
    }
    if (retrying > 0) {
        return { level: 1, tone: "warn", text: "Retrying" };
    }
    if (lagEvents > 0 && inFlight === 0) {
        return { level: 0, tone: "info", text: "Events wait" };
    }
    return { level: 0, tone: "good", text: lagEvents ? "Working" : "Up to date" };
}

/* What the codes of `explain` mean, and what helps. */
export const REASONS = {
    paused: { title: "The group is paused", help: "Nothing is handed out until it is resumed.", enough: true },
    "in-flight-cap": {
        title: "As many events are in flight as may be",
        help: "Workers hold them until they ack or the deadline passes. Find out why they do not finish, or raise max_in_flight.",
    },
    "retry-cap": {
        title: "Too many events wait for a retry",
        help: "Nothing new goes out until some are done or dead. Look at what fails before you raise max_retrying.",
    },
    "skip-cap": {
        title: "Too many events wait behind blocked keys",
        help: "In these partitions only retries go out. Finish or reject what blocks the keys, or raise max_skipped.",
    },
    "keys-blocked": {
        title: "Keys are blocked",
        help: "Events of one key go out in order: those behind wait until the first is acked or dead.",
    },
    backoff: { title: "Retries wait for their backoff", help: "They go out by themselves when it is over." },
    "filtered-by-type": {
        title: "Events are passed over by their type",
        help: "Only the types in the settings are handed out.",
    },
    "nothing-new": {
        title: "There is nothing new",
        help: "Every event of the stream has been looked at. Publish one to see it arrive.",
    },
};

export const BLOCKER_STATES = { delivered: "with a worker", waiting: "waits for its retry", ready: "next in turn" };
