"""The image of the Dockerfile: built without a daemon, run read-only as its user, with nothing but its own files."""
import os
import shutil
import signal
import socket
import subprocess
import time

import image
import pytest
from rig import harness
from postgres import Postgres

MEGABYTE = 1 << 20
MOST = 64 * MEGABYTE
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("debootstrap"), reason="chroot needs root, and debootstrap")


@pytest.fixture(scope="module")
def built():
    scratch = harness.scratch("image-")
    builder = image.Builder(harness.ROOT, scratch)
    builder.arguments["VERSION"] = "9.8.7"
    root, told = builder.build()
    os.makedirs(f"{root}/proc", exist_ok=True)         # a container runtime brings these mount points
    os.makedirs(f"{root}/dev", exist_ok=True)
    os.makedirs(f"{root}/socket", exist_ok=True)
    return root, told


def container(root, told, arguments, sockets="/tmp", **settings):
    """Runs as a runtime would: read-only root, own processes, the image's user and environment; PostgreSQL's socket at /socket."""
    user = told["USER"].partition(":")[0]
    script = ('mount --bind "$0" "$0" && mount --bind "$1" "$0/socket" && mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && '
              'mount -o remount,bind,ro "$0" && root=$0 && shift && '
              f'exec setpriv --no-new-privs chroot --userspec={user}:{user} "$root" "$@"')
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **told["ENV"], **settings}
    return subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", script, root, sockets, *arguments],
                            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def outcome(process, seconds=30):
    out, _ = process.communicate(timeout=seconds)
    return process.returncode, out


def test_the_image_is_small_and_has_no_shell(built):
    root, _ = built
    size = image.size_of(root)
    print(f"# {size / MEGABYTE:.1f} MiB")
    assert size < MOST
    assert os.listdir(f"{root}/usr/bin") == ["weir"]
    for name in ("sh", "bash", "apt", "dpkg", "perl", "python3"):
        assert not any(os.path.lexists(f"{root}{folder}/{name}") for folder in ("/bin", "/sbin", "/usr/bin", "/usr/sbin"))
    modes = [os.lstat(os.path.join(folder, name)).st_mode for folder, _, names in os.walk(root) for name in names]
    assert not any(mode & 0o6000 for mode in modes)            # nothing runs as another user
    packages = os.listdir(f"{root}/var/lib/dpkg/status.d")
    assert {"libc6", "libpq5", "libmicrohttpd12t64"} <= set(packages)
    assert all(os.path.getsize(f"{root}/usr/share/doc/{name}/copyright") for name in [*packages, "weir"])


def test_the_image_tells_its_version(built):
    assert outcome(container(*built, ["weir", "--version"])) == (0, "weir 9.8.7\n")


def test_the_image_serves_read_only_as_its_user(built):
    root, told = built
    postgres = Postgres()
    os.chmod(postgres.dir, 0o755)
    postgres.start()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    settings = {"WEIR_DATABASE_URL": "postgresql://weir@/postgres?host=/socket", "WEIR_AUTH_HS256_SECRET": harness.SECRET,
                "WEIR_HTTP_PORT": str(port), "WEIR_STREAMS_AUTO_CREATE": "true"}
    check = image.words(told["HEALTHCHECK"])
    served = container(root, told, [*image.words(told["ENTRYPOINT"]), *image.words(told["CMD"])], postgres.dir, **settings)
    try:
        deadline = time.monotonic() + 60
        while outcome(container(root, told, check, **settings))[0]:
            assert served.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        place = type("Place", (), {"host": "127.0.0.1", "port": port, "token": harness.mint(), "context": None})
        client = harness.Client(place)
        client.publish("image", {"type": "A", "data": {"n": 1}})
        assert client.read("image")["events"][0]["data"] == {"n": 1}
        with open(f"/proc/{weir_below(served.pid)}/status", encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f)
        assert status["Uid"].split() == ["65532"] * 4 and int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1"
        client.get("/docs/swagger-ui.css").expect(200)
        os.kill(weir_below(served.pid), getattr(signal, told["STOPSIGNAL"]))
        assert outcome(served)[0] == 0
    finally:
        if served.poll() is None:
            served.kill()
            served.wait()
        postgres.close()


def weir_below(pid):
    """The id of the program that `unshare` waits for."""
    while True:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = f.read().split()
        if not children:
            return pid
        pid = int(children[0])
