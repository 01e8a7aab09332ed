#!/bin/sh
# What the worker does with an order, which it finds on standard input. The first release cannot do one that has no currency;
# RELEASE=2 takes euros for granted.
set -eu
jq -r --arg release "${RELEASE:-1}" '
    (.data.currency // {"2": "EUR"}[$release]) as $currency
    | if $currency == null then "\(.subject) has no currency" | halt_error
      elif (.data.total | type) != "number" then "the total of \(.subject) is not a number" | halt_error
      else "    charged \(.subject): \(.data.total) \($currency)" end'
