/* Definitions as text, each value spelled as it was sent. */
import { members, pretty } from "../kit/json.js";

const OF_THE_ANSWER = ["name", "version", "newest", "instances", "created", "updated"];

/* What was defined, of what the API tells about it. */
export function definitionText(answer) {
    const kept = members(answer).filter(
        ([name, value]) => !OF_THE_ANSWER.includes(name) && !(value === "null" && name !== "steps"),
    );
    return pretty(`{${kept.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`);
}

/* The place of what a JSON Pointer leads to: {from, line}. What is not there is looked for in what it would be in. */
export function placeOf(text, pointer) {
    let from = 0,
        inner = text;
    for (const step of pointer
        .split("/")
        .slice(1)
        .map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"))) {
        const found = placed(inner).find(([name]) => String(name) === step);
        if (!found) {
            break;
        }
        from += found[1];
        inner = found[2];
    }
    return { from, to: from + inner.length, line: text.slice(0, from).split("\n").length };
}

/* members() with where each value stands: they come in order, so each is the next one of its spelling after the one before. */
function placed(text) {
    let at = 0;
    return members(text).map(([name, value]) => {
        if (typeof name === "string") {
            at =
                text.indexOf(JSON.stringify(name), at) < 0
                    ? at
                    : text.indexOf(JSON.stringify(name), at) + JSON.stringify(name).length;
        }
        const from = text.indexOf(value, at);
        at = from + value.length;
        return [name, from, value];
    });
}

export const EXAMPLE = `{
  "description": "What it is for.",
  "steps": [
    { "name": "reserve",
      "action": { "http": { "method": "POST", "url": "https://inventory.example/reservations",
        "body": { "order": "{{saga.id}}", "items": "{{input.items}}" } } },
      "compensation": { "http": { "method": "DELETE", "url": "https://inventory.example/reservations/{{saga.id}}" } } },
    { "name": "release", "approval": {}, "timeout": "1d" },
    { "name": "ship", "pivot": true,
      "action": { "http": { "method": "POST", "url": "https://shipping.example/shipments",
        "body": { "order": "{{saga.id}}" } } } }
  ],
  "timeout": "3d"
}
`;
