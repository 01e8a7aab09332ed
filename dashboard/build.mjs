/* Builds the dashboard: node dashboard/build.mjs build/gen/ui. What lies there afterwards is what the gateway serves at /ui. */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = process.argv[2] ?? join(HERE, "..", "build", "gen", "ui");
const BUNDLED = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];

const esbuild = await import("esbuild").catch(() => {
    process.stderr.write("dashboard/build.mjs: esbuild is missing: run `make deps`\n");
    process.exit(1);
});

async function licences() {
    const texts = await Promise.all(BUNDLED.map(async (name) =>
        `${name}\n\n${await readFile(join(HERE, "node_modules", name, "LICENSE"), "utf8")}`));
    return texts.join("\n\n");
}

await mkdir(OUT, { recursive: true });
await Promise.all([
    copyFile(join(HERE, "index.html"), join(OUT, "index.html")),
    copyFile(join(HERE, "favicon.svg"), join(OUT, "favicon.svg")),
    writeFile(join(OUT, "licences.txt"), await licences()),
]);
await esbuild.build({
    entryPoints: { app: join(HERE, "src", "main.jsx") },
    outdir: OUT,
    bundle: true,
    minify: true,
    format: "iife",
    target: ["chrome109", "firefox115", "safari16"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    logLevel: "warning",
});
