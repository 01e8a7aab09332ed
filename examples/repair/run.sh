#!/bin/sh
# A worker that cannot do some orders, and how they get done: triage, repair of one, a better worker, redrive of the rest.
#   run.sh [STREAM]     the stream (examples.repair) is made anew: what it had is deleted
# Start Weir with `make run`, then run this; or give WEIR_URL and WEIR_TOKEN. Needs curl and jq. The exit status is 0 only if all
# is as it says.
set -eu
cd "$(dirname "$0")"
export WEIR_URL="${WEIR_URL:-http://127.0.0.1:8080}" WEIR_STREAM="${1:-examples.repair}" WEIR_GROUP=billing WEIR_WAIT="${WEIR_WAIT:-1s}"
export WEIR_TOKEN="${WEIR_TOKEN:-$(../../build/weir token --data-dir ../../.weir --scope 'admin:*' --ttl 1h)}"
stream=$WEIR_URL/v1/streams/$WEIR_STREAM began=$(date -u +%Y-%m-%dT%H:%M:%SZ)

say() { printf '\n== %s\n' "$*"; }
weir() {                                            # weir METHOD PATH [BODY [TYPE]] prints the answer
    curl -sS --fail-with-body -X "$1" "$2" -H "Authorization: Bearer $WEIR_TOKEN" \
        -H "Content-Type: ${4:-application/json}" ${3:+--data-binary "$3"}
}
until_true() {                                      # until_true URL CONDITION: asks for 60 s
    for _ in $(seq 240); do
        if weir GET "$1" | jq -e "$2" >/dev/null; then return; fi
        sleep 0.25
    done
    echo "after 60 s still not: $2" >&2
    weir GET "$1" >&2
    return 1
}
work() {                                            # runs the worker until the group's status fulfils the condition
    ../worker/worker.sh ./charge.sh &
    trap 'kill $! 2>/dev/null || :' EXIT
    until_true "$stream/groups/$WEIR_GROUP" "$1"
    kill $!
    wait $!
}

say "A stream, and a group that retries once, soon"
weir DELETE "$stream" >/dev/null 2>&1 || :
weir PUT "$stream" '{"description":"examples/repair"}' | jq -c '{name, description}'
weir PUT "$stream/groups/$WEIR_GROUP" '{"start":"earliest","max_retries":1,"backoff":{"initial":"100ms"}}' | jq -c '{name, max_retries, backoff}'

say "Twelve orders: in every third the currency is forgotten, and one total is a text"
orders=$(jq -nc '[range(1; 13) | {type: "OrderPlaced", subject: "order-\(.)",
    data: ({total: (if . == 5 then "50,00" else . * 10 end)} + if . % 3 == 0 then {} else {currency: "EUR"} end)}]')
weir POST "$stream/events" "$orders" | jq -r '"    \(length) published"'

say "The worker does what it can; five it cannot"
work '.lag.events == 0 and .dead == 5'

say "Triage: what died, and of what"
summary=$(weir GET "$stream/dlq/summary?state=parked")
printf '%s\n' "$summary" | jq -r '.items[] | "    \(.count) of \(.group): \(.error.message)"'

say "The text is the data's fault: look at the letter, repair it, send it again"
id=$(printf '%s\n' "$summary" | jq -r '.items[] | select(.error.message | contains("not a number")).sample')
weir GET "$stream/dlq/$id" | jq '{state, reason, data: .event.data, error, attempts: [.attempts[] | {attempt, at}]}'
weir PATCH "$stream/dlq/$id" '[{"op":"test","path":"/total","value":"50,00"},{"op":"replace","path":"/total","value":50.00}]' \
    application/json-patch+json | jq -c '{was: .original_event.data, is: .event.data}'
weir POST "$stream/dlq/$id/redrive" '{"reason":"total was a text"}' | jq -c '{id, state}'
work '.lag.events == 0 and .dead == 4'

say "The missing currency is the worker's fault: its next release knows what to do, so the rest is sent again as it is"
fingerprint=$(printf '%s\n' "$summary" | jq -r '.items[] | select(.error.message | contains("currency")).fingerprint')
filter='"filter":{"fingerprint":"'$fingerprint'"}'
weir POST "$stream/dlq/redrive" "{$filter,\"dry_run\":true}" | jq -c '{matched}'
job=$(weir POST "$stream/dlq/redrive" "{$filter,\"reason\":\"release 2\"}" | jq -r .id)
export RELEASE=2
work '.lag.events == 0 and .dead == 0'
until_true "$WEIR_URL/v1/jobs/$job" '.state == "done" and .done == 4 and .failed == 0'

say "Nothing is parked any more; what was done is in the audit log"
weir GET "$stream/dlq" | jq -r '.items | group_by(.state)[] | "    \(length) \(.[0].state)"'
weir GET "$stream/dlq?state=resolved&limit=100" | jq -e '.items | length == 5' >/dev/null
weir GET "$WEIR_URL/v1/streams/_audit/events?from_time=$began&type=DeadLetter*&limit=1000" |
    jq -r '.events[] | "    \(.type) by \(.data.actor.sub // "somebody"): \(.data.changes.reason // .data.changes.patch_type)"'
