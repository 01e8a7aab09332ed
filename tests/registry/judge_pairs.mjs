// What `tests/unit/test_compat_random.c` says of pairs of schemas, judged by ajv. A line of input is one pair:
//   {"old": schema, "new": schema, "compatible": bool, "fill": bool, "documents": [...], "counterexamples": [...]}
// With `fill` the reader fills in defaults. A broken claim is printed; the last line is a summary.
import { createInterface } from "node:readline";
import Ajv from "ajv";
import Ajv04 from "ajv-draft-04";
import Ajv2019 from "ajv/dist/2019.js";
import Ajv2020 from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { createRequire } from "node:module";

const draft06 = createRequire(import.meta.url)("ajv/dist/refs/json-schema-draft-06.json");
const judges = new Map();                        // compiling the metaschemas takes longer than anything else

function makeJudge(said, fill) {
  const late = /20(19|20)-/.test(said);
  const Class = said.includes("draft-04") ? Ajv04 : said.includes("2019-09") ? Ajv2019 : said.includes("2020-12") ? Ajv2020 : Ajv;
  // allErrors: with one error at a time ajv forgets `contains` where an array is shorter than its prefixItems.
  const ajv = new (Class.default ?? Class)({ strict: false, logger: false, useDefaults: fill, addUsedSchema: false, allErrors: true,
                                             validateFormats: !late, ignoreKeywordsWithRef: !late });
  if (said.includes("draft-06")) ajv.addMetaSchema(draft06);
  (formats.default ?? formats)(ajv);
  return ajv;
}

// Of defaults only those are filled in that a required property has; ajv knows those of tuples too.
function keepRequired(schema) {
  if (typeof schema !== "object" || schema === null) return;
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    if (!schema.required?.includes?.(name) && typeof property === "object") delete property.default;
  for (const item of Array.isArray(schema.items) ? schema.items : []) delete item.default;
  for (const value of Object.values(schema)) keepRequired(value);
}

// Beside $ref nothing counts up to draft 7; ajv looks at the type all the same.
function dropBesideRef(schema) {
  if (typeof schema !== "object" || schema === null) return;
  if (typeof schema.$ref === "string") delete schema.type;
  for (const value of Object.values(schema)) dropBesideRef(value);
}

function judge(schema, fill = false) {
  const said = schema.$schema ?? "", key = `${fill} ${said}`;
  if (!/20(19|20)-/.test(said)) dropBesideRef(schema);
  if (!judges.has(key)) judges.set(key, makeJudge(said, fill));
  if (fill) keepRequired(schema);
  const ajv = judges.get(key), validate = ajv.compile(schema);
  ajv.removeSchema(schema);
  return validate;
}

const count = { pairs: 0, unusable: 0, compatible: 0, accepted: 0, breaking: 0, counterexamples: 0, broken: 0 };

function broken(why, pair, document) {
  count.broken++;
  if (count.broken <= 20) console.log(why, JSON.stringify({ old: pair.old, new: pair.new, document }));
}

// ajv takes what `if` evaluates for evaluated even where it fails, and is at odds with the specification about what `contains`
// evaluates: such schemas are left to our own validator.
const misjudged = schema => /"if":/.test(schema) && /"unevaluated/.test(schema) ||
                            /"contains":/.test(schema) && /"unevaluatedItems":/.test(schema);

function check(pair) {
  if (misjudged(JSON.stringify(pair.old)) || misjudged(JSON.stringify(pair.new))) throw new Error("misjudged");
  const before = judge(structuredClone(pair.old)), after = judge(structuredClone(pair.new), pair.fill);
  let accepted = 0, breaking = 0;
  const claims = [];
  for (const document of pair.documents) {
    const text = JSON.stringify(document);
    if (!before(document)) continue;
    accepted += pair.compatible;
    if (after(JSON.parse(text))) continue;
    breaking = 1;
    if (pair.compatible) claims.push(["not compatible", document]);
  }
  for (const document of pair.counterexamples)
    if (!before(document) || after(document)) claims.push(["no counterexample", document]);
  count.pairs++;
  count.compatible += pair.compatible;
  count.accepted += accepted;
  count.breaking += breaking;
  count.counterexamples += pair.counterexamples.length;
  for (const [why, document] of claims) broken(why, pair, document);
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    check(JSON.parse(line));
  } catch {                                      // no schema; or a reference that leads round in a circle
    count.unusable++;
  }
}
console.log(Object.entries(count).map(([name, n]) => `${name} ${n}`).join(" "));
