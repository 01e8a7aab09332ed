#!/bin/sh
# subscribe.sh FILE      prints each event, one JSON a line. FILE keeps the cursor: started again, it goes on from there.
set -eu
url=${WEIR_URL:-http://127.0.0.1:8080} stream=${WEIR_STREAM:-orders}
while :; do
    after=$(cat "$1" 2>/dev/null || echo earliest)
    curl -sSN --fail-with-body "$url/v1/streams/$stream/events?after=$after" \
        -H "Authorization: Bearer $WEIR_TOKEN" -H 'Accept: text/event-stream' |
    while IFS= read -r line; do
        case $line in
            'id: '*) id=${line#id: } ;;
            'event: '*) event=${line#event: } ;;
            'data: '*) data=${line#data: } ;;
            '') [ -z "${event-}" ] && [ -n "${data-}" ] && printf '%s\n' "$data"
                [ -z "${id-}" ] || { echo "$id" >"$1.new" && mv "$1.new" "$1"; }      # only now: it has been handled
                id= event= data= ;;
            '{'*) printf '%s\n' "$line" >&2 ;;      # a refusal: application/problem+json
        esac
    done
    sleep 2
done
