#!/usr/bin/python3
"""Builds what the gateway serves from memory: the OpenAPI document as YAML and JSON, the pages of /docs and the dashboard.

Writes build/gen/assets.c (see gateway/http/assets.h) and beside it the files that it takes in with .incbin.
"""
import gzip
import hashlib
import json
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
VIEWER = HERE / "viewer"
SWAGGER = VIEWER / "node_modules" / "swagger-ui-dist"

HTML, CSS, JS = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
TEXT, SVG = "text/plain; charset=utf-8", "image/svg+xml"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML 1.2's plain scalars, as far as it matters: dates are strings, only true and false are booleans."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp" and
            (tag != "tag:yaml.org,2002:bool" or first in "tTfF")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader)


def licences():
    names = ("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt")
    return b"Swagger UI\n\n" + b"\n\n".join((SWAGGER / name).read_bytes() for name in names)


def dashboard(bundle):
    """What dashboard/build.mjs has made: /ui and its files."""
    if not (bundle / "app.js").is_file():
        sys.exit(f"openapi/assets.py: {bundle} is missing: run `make`, which builds it first")
    kinds = {".js": JS, ".css": CSS, ".svg": SVG, ".txt": TEXT}
    files = [("/ui", HTML, (bundle / "index.html").read_bytes())]
    for path in sorted(bundle.iterdir()):
        if path.suffix in kinds:
            files.append((f"/ui/{path.name}", kinds[path.suffix], path.read_bytes()))
    return files


def assets(out):
    """(path, content type, bytes) of everything that is served."""
    document = json.dumps(load_yaml(HERE / "openapi.yaml"), ensure_ascii=False, separators=(",", ":"))
    return [
        ("/openapi.yaml", "application/yaml", (HERE / "openapi.yaml").read_bytes()),
        ("/openapi.json", "application/json", document.encode()),
        ("/docs", HTML, (VIEWER / "index.html").read_bytes()),
        ("/docs/weir.css", CSS, (VIEWER / "weir.css").read_bytes()),
        ("/docs/weir.js", JS, (VIEWER / "weir.js").read_bytes()),
        ("/docs/favicon.svg", SVG, (VIEWER / "favicon.svg").read_bytes()),
        ("/docs/swagger-ui.css", CSS, (SWAGGER / "swagger-ui.css").read_bytes()),
        ("/docs/swagger-ui-bundle.js", JS, (SWAGGER / "swagger-ui-bundle.js").read_bytes()),
        ("/docs/licences.txt", TEXT, licences()),
        *dashboard(out / "ui"),
    ]


def blob(out, name, content):
    """Writes the bytes to a file and returns the assembly that takes them in and the C that names them."""
    (out / name).write_bytes(content)
    label = "asset_" + "".join(c if c.isalnum() else "_" for c in name)
    return (f'__asm__(".pushsection .rodata\\n{label}: .incbin \\"{out / name}\\"\\n.popsection");\n'
            f"extern const char {label}[] __attribute__((visibility(\"hidden\")));\n"), f"{{ {label}, {len(content)} }}"


def row(out, path, content_type, content):
    name = path.strip("/").replace("/", "-")
    tag = hashlib.sha256(content).hexdigest()[:32]
    packed = gzip.compress(content, 9, mtime=0)
    code, plain = blob(out, name, content)
    zipped = "{ 0 }"
    if len(packed) < len(content):
        more, zipped = blob(out, name + ".gz", packed)
        code += more
    tags = f'"\\"{tag}\\"", "\\"{tag}-gz\\""'
    return code, f'    {{ "{path}", "{content_type}", {plain}, {zipped},\n      {tags} }},\n'


def main(out):
    if not SWAGGER.is_dir():
        sys.exit("openapi/assets.py: swagger-ui-dist is missing: run `make deps`")
    out.mkdir(parents=True, exist_ok=True)
    (out / "assets").mkdir(exist_ok=True)
    rows = [row(out / "assets", *asset) for asset in assets(out)]
    code = '/* Made by openapi/assets.py. */\n#include "gateway/http/assets.h"\n\n' + "".join(code for code, _ in rows)
    code += "\nconst struct asset assets[] = {\n" + "".join(line for _, line in rows) + "};\n"
    code += "const size_t asset_count = sizeof assets / sizeof *assets;\n"
    (out / "assets.c").write_text(code)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/gen"))
