/* What is said of projections on several pages. */
import { at } from "../kit/json.js";
import { duration } from "../kit/time.js";

export const CRUMBS = [{ title: "Projections", to: "/projections" }];
export const NAME = /^[a-z0-9][a-z0-9._-]{0,119}$/;
export const to = (name, ...more) => ["/projections", ...[name, ...more].map(encodeURIComponent)].join("/");

const DEFINITION = ["description", "streams", "key", "initial", "on", "on_error", "start", "indexes", "snapshot_every",
    "verify_every", "paused"];
const FOLDED = ["streams", "key", "initial", "on", "on_error", "start", "snapshot_every"];

/* The body of a PUT that changes nothing, out of the text of a GET: numbers keep their digits. */
export function definitionOf(text) {
    const given = DEFINITION.filter((name) => (at(text, name) ?? "null") !== "null");
    return `{${given.map((name) => `"${name}":${at(text, name)}`).join(",")}}`;
}

/* Which members that decide what is folded differ, by their value. */
export function foldedAnew(before, after) {
    const value = (text, name) => JSON.stringify(JSON.parse(at(text, name) ?? "null"));
    return FOLDED.filter((name) => at(after, name) !== undefined && value(before, name) !== value(after, name));
}

/* The age of the oldest event that was not looked at. */
export const behind = (lag) => (lag.events ? duration(lag.seconds * 1000) : "up to date");

export const toneOfLag = (lag) => (lag.seconds > 300 ? "bad" : lag.seconds > 60 ? "warn" : undefined);

/* `error` names an event where there is one: retention may have removed it. */
export const skipOf = (error) => (error.stream !== null && error.offset !== null ?
    { stream: error.stream, partition: error.partition, offset: error.offset } : null);

export const eventOf = ({ stream, partition, offset }) => `/streams/${encodeURIComponent(stream)}/events/${partition}/${offset}`;

export const starter = (stream) => `{
  "description": "Where each one stands",
  "streams": [${JSON.stringify(stream)}],
  "key": "subject",
  "initial": {},
  "on": {
    "*": [
      { "set": { "/last": { "from": "/type" }, "/at": { "from": "/time" } } },
      { "count": "/events" }
    ]
  },
  "on_error": "stop",
  "indexes": ["/last"]
}
`;
