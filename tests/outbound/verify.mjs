// Verifies calls with the library that receivers use: one JSON line {secret, headers, body} each, one line "true" or "false" of each.
import { createRequire } from "node:module";
import readline from "node:readline";

const { Webhook } = createRequire(import.meta.url)("standardwebhooks");

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(body, headers);
    console.log("true");
  } catch {
    console.log("false");
  }
}
