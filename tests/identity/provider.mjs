// An identity provider for the tests. Keys and tokens are made by jose, an implementation that is not ours; documents are served
// over TLS (PROVIDER_KEY, PROVIDER_CERT) and over plain HTTP. Commands come as JSON lines on stdin, answers go to stdout.
import { createServer as createHttps } from "node:https";
import { createServer as createHttp } from "node:http";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import * as crypto from "node:crypto";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

const keys = new Map();        // name → {alg, privateKey}
const documents = new Map();   // path → {status, headers, body, delay, hang, hold}
const hits = new Map();        // path → times asked for
const hanging = new Set();
const held = new Set();         // answers that wait for the command

function serve(request, response) {
  const found = documents.get(request.url);
  hits.set(request.url, (hits.get(request.url) ?? 0) + 1);
  if (found?.hang) {
    hanging.add(response);
    return;
  }
  const answer = () => {
    response.writeHead(found?.status ?? 404, { "Content-Type": "application/json", ...found?.headers });
    response.end(found?.body ?? "{}");
  };
  if (found?.hold) held.add(() => { found.hold = false; answer(); });
  else setTimeout(answer, found?.delay ?? 0);
}

const tls = { key: readFileSync(process.env.PROVIDER_KEY), cert: readFileSync(process.env.PROVIDER_CERT) };
const servers = [createHttps(tls, serve), createHttp(serve)];

const commands = {
  async generate({ name, alg }) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: name, alg, use: "sig" };
    keys.set(name, { alg, privateKey });
    return jwk;
  },
  // header: replaces the usual one; alg and kid are the key's unless it says otherwise
  async sign({ name, claims, header }) {
    const { alg, privateKey } = keys.get(name);
    return new SignJWT(claims).setProtectedHeader({ alg, kid: name, typ: "at+jwt", ...header }).sign(privateKey);
  },
  // For forgers: any key, any way to sign, any bytes. kind: what crypto.generateKeyPairSync takes.
  forge_key({ name, kind, options }) {
    const { publicKey, privateKey } = crypto.generateKeyPairSync(kind, options);
    keys.set(name, { privateKey });
    return { jwk: publicKey.export({ format: "jwk" }), pem: publicKey.export({ type: "spki", format: "pem" }) };
  },
  public_pem({ name }) {
    return crypto.createPublicKey(keys.get(name).privateKey).export({ type: "spki", format: "pem" });
  },
  // how: "pkcs1", "pss" (salt: its bytes), "ecdsa" (raw r||s), "der", "eddsa"; text and answer are base64
  forge_signature({ name, how, text, hash, salt }) {
    const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = crypto.constants;
    const ways = {
      pkcs1: { padding: RSA_PKCS1_PADDING }, pss: { padding: RSA_PKCS1_PSS_PADDING, saltLength: salt ?? 32 },
      ecdsa: { dsaEncoding: "ieee-p1363" }, der: { dsaEncoding: "der" }, eddsa: {},
    };
    const digest = how === "eddsa" ? null : (hash ?? "sha256");
    return crypto.sign(digest, Buffer.from(text, "base64"), { key: keys.get(name).privateKey, ...ways[how] }).toString("base64");
  },
  document({ path, ...rest }) {
    documents.set(path, rest);
  },
  hits({ path }) {
    return hits.get(path) ?? 0;
  },
  release() {
    hanging.forEach((response) => response.destroy());
    hanging.clear();
  },
  answer() {
    held.forEach((answer) => answer());
    held.clear();
  },
};

const ports = await Promise.all(servers.map((s) => new Promise((done) => s.listen(0, "127.0.0.1", () => done(s.address().port)))));
console.log(JSON.stringify({ https: ports[0], http: ports[1] }));
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, op, ...rest } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ id, value: (await commands[op](rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ id, error: String(error) }));
  }
}).on("close", () => process.exit(0));
