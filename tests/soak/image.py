"""Builds the container image without a container daemon: goes through the Dockerfile in chroots of a Debian made by debootstrap.

Knows the instructions that our Dockerfile uses and refuses all others. A stage is a directory; so is the image. Needs root.
"""
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess

SUITE, MIRROR = "trixie", "http://deb.debian.org/debian"
TRUSTED = "/machine-ca.crt"         # whom this machine trusts: a network may have an authority of its own
RECORDED = {"USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "LABEL", "ENTRYPOINT", "CMD"}     # what the image only tells


def instructions(path):
    """[(word, rest)] with continued lines joined and comments left out."""
    with open(path, encoding="utf-8") as f:
        lines = [line for line in f.read().split("\n") if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.split("\n") if line.strip()]


def inside(root, command, environment=(), cwd="/", **options):
    """A shell command with `root` as its root; processes and mounts that it leaves go with it."""
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
           "NODE_EXTRA_CA_CERTS": TRUSTED, **dict(environment)}
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}", f"--wd={cwd}", "--mount-proc",
                           "/bin/sh", "-euc", command], env=env, stdin=subprocess.DEVNULL, check=True, **options)


class Context:
    """The build context: what git knows, less what .dockerignore leaves out."""

    def __init__(self, source):
        self.source = source
        names = subprocess.run(["git", "ls-files"], cwd=source, capture_output=True, text=True, check=True).stdout.split("\n")
        with open(os.path.join(source, ".dockerignore"), encoding="utf-8") as f:
            self.rules = [line.strip() for line in f if line.strip() and not line.startswith("#")]
        self.names = [name for name in names if name and self.kept(name)]

    def kept(self, name):
        kept = True
        for rule in self.rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            parts = name.split("/")
            prefixes = ["/".join(parts[:n + 1]) for n in range(len(parts))]
            if any(fnmatch.fnmatch(part, pattern) for part in (parts if "**/" in rule else prefixes)):
                kept = rule.startswith("!")
        return kept

    def copy(self, source, target):
        """As COPY: a directory's contents, or one file into a directory that ends with a slash."""
        found = [n for n in self.names if source == "." or n == source or n.startswith(source + "/")]
        assert found, f"COPY {source}: the build context has no such file"
        for name in found:
            rest = os.path.basename(name) if name == source else os.path.relpath(name, source)
            to = os.path.join(target, rest)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(os.path.join(self.source, name), to)


class Builder:
    def __init__(self, source, scratch, say=print):
        self.source, self.scratch, self.say = source, scratch, say
        self.context, self.stages, self.base = Context(source), {}, None
        self.arguments = {}

    def debian(self, root):
        """A fresh minimal Debian at `root`, made once by debootstrap."""
        if not self.base:
            self.base = os.path.join(self.scratch, SUITE)
            self.say(f"debootstrap {SUITE}")
            subprocess.run(["debootstrap", "--variant=minbase", SUITE, self.base, MIRROR], check=True, stdout=subprocess.DEVNULL)
            shutil.copy("/etc/resolv.conf", f"{self.base}/etc/resolv.conf")
            with open(f"{self.base}/etc/dpkg/dpkg.cfg.d/container", "w", encoding="ascii") as f:
                f.write("force-unsafe-io\n")           # as the official image has it
            shutil.copy("/etc/ssl/certs/ca-certificates.crt", self.base + TRUSTED)
        subprocess.run(["cp", "-a", "--reflink=auto", self.base, root], check=True)

    def build(self):
        """(root of the last stage, what the image tells)"""
        stage = None
        for word, rest in instructions(os.path.join(self.source, "Dockerfile")):
            self.say(f"{word} {rest[:110]}")
            if word == "FROM":
                image, _, name = re.fullmatch(r"(\S+)( AS (\S+))?", rest).groups()
                stage = self.begin(image, name or "image")
            elif word in RECORDED:
                stage["told"][word] = rest
            else:
                getattr(self, word.lower())(stage, rest)
        return stage["root"], {**stage["told"], "ENV": stage["env"]}

    def begin(self, image, name):
        root = os.path.join(self.scratch, "stage-" + name)
        if image == "scratch":
            os.mkdir(root, 0o755)
        else:
            assert image == f"debian:{SUITE}-slim", f"no such base: {image}"
            self.debian(root)
        self.stages[name] = {"root": root, "cwd": "/", "env": {}, "told": {}, "arguments": {}}
        return self.stages[name]

    def run(self, stage, command):
        inside(stage["root"], command, {**stage["arguments"], **stage["env"]}, stage["cwd"],
               stdout=subprocess.DEVNULL)

    def workdir(self, stage, path):
        stage["cwd"] = path
        os.makedirs(stage["root"] + path, exist_ok=True)

    def env(self, stage, rest):
        stage["env"].update(part.split("=", 1) for part in shlex.split(rest))

    def arg(self, stage, name):
        if name in self.arguments:
            stage["arguments"][name] = self.arguments[name]

    def copy(self, stage, rest):
        *sources, target = rest.split()
        other = sources.pop(0).removeprefix("--from=") if rest.startswith("--from=") else None
        place = stage["root"] + os.path.normpath(os.path.join(stage["cwd"], target))
        for source in sources:
            if other:
                shutil.copytree(self.stages[other]["root"] + source, place, symlinks=True, dirs_exist_ok=True)
            else:
                self.context.copy(source, place)


def words(rest):
    """The exec form of ENTRYPOINT, CMD and HEALTHCHECK … CMD."""
    return json.loads(rest[rest.index("["):])


def size_of(root):
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(root) for name in names)
