import { usePoll } from "../kit/poll.js";
import { loadVersion } from "./load.js";

/* A version never changes: asked for once. undefined: none is asked for. */
export function useVersion(subject, version) {
    return usePoll((signal) => (version === undefined ? null : loadVersion(subject, version, signal)), 0, [subject, version]);
}
