#!/bin/sh
# publish.sh TYPE SUBJECT DATA [ID]      prints the receipt. With an id it is safe to send the same again.
#   publish.sh OrderPlaced order-7 '{"total":12.50}' order-7-placed
set -eu
url=${WEIR_URL:-http://127.0.0.1:8080} stream=${WEIR_STREAM:-orders}
curl -sS --fail-with-body --retry 5 "$url/v1/streams/$stream/events" \
    -H "Authorization: Bearer $WEIR_TOKEN" -H 'Content-Type: application/json' \
    -H 'ce-specversion: 1.0' -H 'ce-source: /examples/curl' -H "ce-id: ${4:-$(cat /proc/sys/kernel/random/uuid)}" \
    -H "ce-type: $1" -H "ce-subject: $2" --data-binary "$3"
echo
