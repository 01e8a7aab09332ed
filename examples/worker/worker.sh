#!/bin/sh
# worker.sh COMMAND…    runs COMMAND for each event of a consumer group, with the event on its standard input. Exit status 0: it is done.
# Anything else: it failed, and what COMMAND wrote to its standard error says why. SIGTERM: finishes what it has, then ends.
#   WEIR_GROUP=billing worker.sh jq -er '"\(.subject) \(.data.total // error("data has no total"))"'
set -eu
group=${WEIR_URL:-http://127.0.0.1:8080}/v1/streams/${WEIR_STREAM:-orders}/groups/${WEIR_GROUP:-billing}
call() {                                            # the body is standard input; whatever it is, it may be sent again
    curl -sS --fail-with-body --retry 20 --retry-delay 1 --retry-connrefused "$group/$1" -H "Authorization: Bearer $WEIR_TOKEN" \
        -H 'Content-Type: application/json' --data-binary @-
}

trap 'stop=1' TERM INT
until [ "${stop-}" ]; do
    got=$(echo '{"max":10,"wait":"'"${WEIR_WAIT:-5s}"'","consumer":"worker.sh"}' | call receive) || { echo "$got" >&2; exit 1; }
    printf '%s\n' "$got" | jq -r '.deliveries[]? | "\(.delivery_id) \(.event)"' | while read -r id event; do
        if why=$(printf '%s\n' "$event" | "$@" 2>&1 >&3); then
            echo '{"delivery_ids":["'"$id"'"]}' | call ack
        else
            printf '%s' "$why" | jq -Rs --arg id "$id" '{delivery_ids: [$id], error: {type: "exit", message: .}}' | call nack
        fi >/dev/null
    done 3>&1
done
