#!/bin/sh
# Installs what Weir needs to build, run and test on Debian or Ubuntu. Quick when all is there; safe to repeat.
# libmicrohttpd must be 1.0.1 or newer: where the distribution has an older one, Debian's own newer source package is fetched
# and verified by apt (from the mirror that this machine uses already) and built into ./deps, for static linking.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

packages="gcc make pkg-config libjansson-dev libpq-dev libjwt-dev libssl-dev libgnutls28-dev libcurl4-openssl-dev zlib1g-dev libpcre2-dev libcmocka-dev
postgresql-client debootstrap python3 python3-yaml python3-pytest python3-pytest-xdist python3-jsonschema openssl curl jq git ca-certificates
chromium fonts-dejavu-core"
mhd_packages=dpkg-dev
mhd_suite=trixie
policy=/usr/sbin/policy-rc.d   # asked before a package starts its service
ours=

say() { printf '%s\n' "deps: $*" >&2; }
die() { say "$*"; exit 1; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
have_mhd() { [ -f deps/lib/libmicrohttpd.a ] || pkg-config --exists 'libmicrohttpd >= 1.0.1' 2>/dev/null; }

# PostgreSQL 15 or newer, by whatever way it was installed.
have_postgres() {
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        version=${initdb#/usr/lib/postgresql/}
        [ -x "$initdb" ] && [ "${version%%/*}" -ge 15 ] && return 0
    done
    return 1
}

missing() {
    for p in $packages; do installed "$p" || printf '%s ' "$p"; done
    have_postgres || printf 'postgresql '
    command -v node >/dev/null || printf 'nodejs '
    command -v npm >/dev/null || printf 'npm '
    [ -x /usr/sbin/nginx ] || printf 'nginx-light '
    command -v clang-format-14 >/dev/null || printf 'clang-format-14 '
    if ! have_mhd; then
        if packaged_mhd; then printf 'libmicrohttpd-dev '; else
            for p in $mhd_packages; do installed "$p" || printf '%s ' "$p"; done
        fi
    fi
}

packaged_mhd() {
    candidate=$(apt-cache policy libmicrohttpd-dev 2>/dev/null | sed -n 's/^ *Candidate: //p')
    [ -n "$candidate" ] && dpkg --compare-versions "$candidate" ge 1.0.1
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    if ! installed postgresql-common; then   # Debian would start a cluster of its own, which nobody here asks for
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    if [ ! -e "$policy" ]; then              # nor shall nginx serve: the tests start one of their own
        ours=$policy
        printf '#!/bin/sh\nexit 101\n' >"$ours" && chmod +x "$ours"
    fi
    say "apt-get install $*"
    apt-get install -qq -y --no-install-recommends "$@" >"$log" 2>&1 || return 1
    case " $* " in *nginx*) systemctl disable -q nginx 2>/dev/null || true ;; esac
}

# The URI and keyring of this machine's own Debian sources, so that mirrors and proxies stay in force.
build_mhd() {
    uri=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
          awk '$1 !~ /security|updates|backports/ && $2 == "main" { print $3; exit }')
    [ -n "$uri" ] || die "libmicrohttpd 1.0.1 is not packaged here and no Debian mirror is configured: install it, then run again"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keyring" ] || die "no $keyring: install debian-archive-keyring"
    mkdir -p "$tmp/lists/partial" "$tmp/src"
    echo "deb-src [signed-by=$keyring] $uri $mhd_suite main" >"$tmp/sources.list"
    set -- -qq -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$tmp/lists" \
           -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o APT::Sandbox::User=root
    say "building libmicrohttpd of Debian $mhd_suite into deps/"
    apt-get "$@" update >"$log" 2>&1 || { cat "$log" >&2; die "cannot read the source list of Debian $mhd_suite"; }
    (cd "$tmp/src" && apt-get "$@" source libmicrohttpd >"$log" 2>&1) ||
        { cat "$log" >&2; die "cannot fetch or verify the source of libmicrohttpd"; }
    (cd "$tmp"/src/libmicrohttpd-*/ &&
        ./configure --prefix="$root/deps" --disable-shared --with-pic --enable-https --enable-epoll=yes --disable-doc \
                    --disable-examples --disable-tools --disable-curl --disable-nls CFLAGS='-O2 -g' &&
        make -j"$(nproc)" -C src/microhttpd && make -C src/microhttpd install && make -C src/include install &&
        make install-pkgconfigDATA) >"$log" 2>&1 || { tail -n 40 "$log" >&2; die "libmicrohttpd does not build"; }
    pkg-config --modversion deps/lib/pkgconfig/libmicrohttpd.pc >deps/stamp
    say "libmicrohttpd $(cat deps/stamp) is in deps/"
}

# promtool checks the alert rules. Its package is a whole server with its web page: only this program is taken out of it.
have_promtool() { [ -x deps/bin/promtool ] || command -v promtool >/dev/null; }
fetch_promtool() {
    say "taking promtool out of the package prometheus into deps/bin"
    (cd "$tmp" && apt-get download -qq -o APT::Sandbox::User=root prometheus) >"$log" 2>&1 &&
        dpkg-deb --fsys-tarfile "$tmp"/prometheus_*.deb | tar -x -C "$tmp" ./usr/bin/promtool &&
        install -D "$tmp/usr/bin/promtool" deps/bin/promtool
}

# The viewer of the API pages, the dashboard, the browser's driver, the identity provider, the test suites and the clients of the
# tests: exactly what the lock file says.
npm_install() {
    lock=$1/package-lock.json
    { [ -f "$lock" ] && ! cmp -s "$lock" "$1/node_modules/.weir-lock"; } || return 0
    say "npm ci in $1"
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund >"$log" 2>&1 || { cat "$log" >&2; die "npm ci failed"; }
    cp "$lock" "$1/node_modules/.weir-lock"
}

# The Python clients that are tested against, as they are installed by its users: exactly what requirements.txt says, beside it.
pip_install() {
    lock=$1/requirements.txt
    { [ -f "$lock" ] && ! cmp -s "$lock" "$1/python/.weir-lock"; } || return 0
    say "pip install in $1"
    rm -rf "$1/python"
    PIP_ROOT_USER_ACTION=ignore /usr/bin/python3 -m pip install -q --disable-pip-version-check --no-compile --no-deps --require-hashes \
        --only-binary :all: --target "$1/python" -r "$lock" >"$log" 2>&1 || { cat "$log" >&2; die "pip install failed"; }
    cp "$lock" "$1/python/.weir-lock"
}

command -v apt-get >/dev/null || die "only Debian and Ubuntu are known here; the list of packages is in deploy/deps.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp" $ours' EXIT
log=$tmp/log

want=$(missing)
if [ -n "$want" ]; then
    [ "$(id -u)" = 0 ] || die "missing; as root run: apt-get update && apt-get install -y --no-install-recommends $want"
    # shellcheck disable=SC2086
    if ! apt_install $want; then
        apt-get update -qq >"$log" 2>&1 || cat "$log" >&2
        want=$(missing)                      # fresh lists may know a newer libmicrohttpd
        # shellcheck disable=SC2086
        apt_install $want || { cat "$log" >&2; die "apt-get install failed"; }
    fi
fi

# What is fetched and built from here on does not need one another: all at once, each with a log of its own.
jobs=
at_once() {
    log=$tmp/log.$(echo "$*" | tr -c 'a-z\n' _)
    "$@" &
    jobs="$jobs $!"
}
libmicrohttpd() { have_mhd || build_mhd; }
alert_checker() {
    have_promtool || fetch_promtool || { [ "$(id -u)" = 0 ] && apt-get update -qq >"$log" 2>&1 && fetch_promtool; } ||
        { cat "$log" >&2; say "promtool cannot be fetched: the tests of the alert rules will fail"; }
}
at_once libmicrohttpd
at_once alert_checker
for place in openapi/viewer dashboard tests/browser tests/identity tests/oracles tests/outbound tests/registry; do at_once npm_install $place; done
at_once pip_install tests/outbound
at_once pip_install tests/registry
failed=0
for job in $jobs; do wait "$job" || failed=1; done
exit $failed
