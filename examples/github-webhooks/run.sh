#!/bin/sh
# Replays 329 GitHub webhooks through Weir, twice, and compares every payload that comes out with what went in.
#   run.sh [URL [TOKEN]]     or WEIR_URL and WEIR_TOKEN; WEIR_STREAM (github) names the stream
# Needs Node 18 or newer. The exit status is 0 only if nothing differs.
set -eu
cd "$(dirname "$0")"
export WEIR_URL="${1:-${WEIR_URL:-http://127.0.0.1:8080}}" WEIR_TOKEN="${2:-${WEIR_TOKEN:-}}"
[ -n "$WEIR_TOKEN" ] || { echo "usage: run.sh URL TOKEN (weir dev prints one)" >&2; exit 2; }
[ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund --silent

node create.js
node subscribe.js & subscriber=$!
trap 'kill $subscriber 2>/dev/null || :' EXIT
node publish.js                 # while the subscriber reads
node publish.js 1               # again, each event in another mode: all duplicates
wait $subscriber
trap - EXIT
node pages.js
