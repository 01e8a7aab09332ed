#!/bin/sh
# Order fulfilment, read from four streams: each order as far as it is, orders by state, revenue of each day; followed as it changes.
#   run.sh          the streams examples.orders, .inventory, .warehouse, .shipping are made anew: what they had is deleted
# Start Weir with `make run`, then run this; or give WEIR_URL and WEIR_TOKEN. Needs curl and jq. The exit status is 0 only if all
# is as it says.
set -eu
cd "$(dirname "$0")"
export WEIR_URL="${WEIR_URL:-http://127.0.0.1:8080}"
export WEIR_TOKEN="${WEIR_TOKEN:-$(../../build/weir token --data-dir ../../.weir --scope 'admin:*' --ttl 1h)}"
orders=$WEIR_URL/v1/projections/examples.orders revenue=$WEIR_URL/v1/projections/examples.revenue
seen=$(mktemp)
trap 'kill "${watcher-}" 2>/dev/null || :; rm -f "$seen"' EXIT

say() { printf '\n== %s\n' "$*"; }
weir() {                                            # weir METHOD URL [curl's arguments] prints the answer
    method=$1 url=$2
    shift 2
    curl -sS --fail-with-body -X "$method" "$url" -H "Authorization: Bearer $WEIR_TOKEN" -H 'Content-Type: application/json' "$@"
}
publish() {                                         # publish STREAM FILE prints the cursor after what was published
    curl -sS --fail "$WEIR_URL/v1/streams/examples.$1/events" -H "Authorization: Bearer $WEIR_TOKEN" \
        -H 'Content-Type: application/x-ndjson' --data-binary "@$2" -o /dev/null -D - | tr -d '\r' | sed -n 's/^[Ww]eir-[Cc]ursor: //p'
}
order() {                                           # order ID CURSOR: its state, once what is before the cursor has been folded
    weir GET "$orders/state/$1?wait=20s&at_least=$2"
}
by_state() {                                        # by_state STATUS: "order-1 order-2"
    weir GET "$orders/state?where=/status=$1" | jq -r '[.items[].key] | sort | join(" ")'
}

say "Four streams, and two projections of them"
for name in orders revenue; do weir DELETE "$WEIR_URL/v1/projections/examples.$name" >/dev/null 2>&1 || :; done
for stream in orders inventory warehouse shipping; do
    weir DELETE "$WEIR_URL/v1/streams/examples.$stream" >/dev/null 2>&1 || :
    weir PUT "$WEIR_URL/v1/streams/examples.$stream" -d '{"partitions":2,"description":"examples/order-read-model"}' | jq -c '{name}'
done
for name in orders revenue; do weir PUT "$WEIR_URL/v1/projections/examples.$name" -d "@$name.json" | jq -c '{name, description}'; done

say "A dashboard follows the orders"
curl -sSN "$orders/changes" -H "Authorization: Bearer $WEIR_TOKEN" -H 'Accept: text/event-stream' >"$seen" &
watcher=$!

say "Six orders, and what became of them"
for stream in shipping warehouse inventory orders; do   # shipped before it is placed: the order of streams does not matter
    order order-1 "$(publish $stream events/$stream.ndjson)" >/dev/null
    wc -l <events/$stream.ndjson | sed "s/ *\(.*\)/    \1 published to examples.$stream/"
done
at=$(publish orders events/orders.ndjson)           # a client that repeats itself: nothing is published or counted twice
order order-2 "$at" | jq -e '.state | {status, total, parcel, attempts}'

say "Orders by state"
for status in 1-placed 2-reserved 3-packed 4-shipped 9-cancelled; do printf '    %-12s %s\n' $status "$(by_state $status)"; done
[ "$(by_state 1-placed) | $(by_state 4-shipped)" = "order-6 | order-1 order-2" ]

say "Revenue of each day: sums of decimals are decimals"
weir GET "$revenue/state/2025-03-02?wait=20s&at_least=$at" >/dev/null
days=$(weir GET "$revenue/state" | jq -r '.items[] | "    \(.key) \(.state.orders) orders"')
echo "$days"
weir GET "$revenue/state" | grep -q '"revenue":140.00' # as text: jq would say 140
weir GET "$revenue/state" | grep -q '"revenue":255.00,"refunded":45.05'

say "Order 5 gets a lighter parcel; who publishes reads what it published"
printf '{"id":"5-shipped","type":"ShipmentCreated","subject":"order-5","data":{"carrier":"Freight","tracking":"F-1"}}\n' >"$seen.event"
at=$(publish shipping "$seen.event")
rm "$seen.event"
order order-5 "$at" | jq -ec '.state | {status, problem, carrier: .parcel.carrier}'
order order-5 "$at" | jq -e '.state.status == "4-shipped" and .state.problem == null' >/dev/null

say "All of it folded anew, beside what is read"
before=$(weir GET "$orders/state" | jq -cS '[.items[] | {key, state}]')
build=$(weir GET "$orders" | jq .build)
weir POST "$orders/rebuild" -d '{}' >/dev/null
for _ in $(seq 100); do
    if weir GET "$orders" | jq -e ".build > $build" >/dev/null; then break; fi
    sleep 0.1
done
weir GET "$orders" | jq -e ".build > $build" >/dev/null
[ "$(weir GET "$orders/state" | jq -cS '[.items[] | {key, state}]')" = "$before" ]
echo "    the same"

say "What the dashboard was told last of each order"
sed -n 's/^data: *//p' "$seen" | jq -rs '[.[] | select(.key)] | group_by(.key)[] | last | "    \(.key) \(.state.status)"'
grep -q '"status":"4-shipped"' "$seen"
