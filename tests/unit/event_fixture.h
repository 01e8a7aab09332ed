#ifndef WEIR_TESTS_EVENT_FIXTURE_H
#define WEIR_TESTS_EVENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/json.h"
#include "gateway/engine/event.h"

/* What the last call left. Events live until the next call of parse…() or parsed_free(). */
struct parsed {
    struct arena *arena;
    struct events events;
    struct fault fault;
};
extern struct parsed parsed;
extern struct event_limits limits;       /* 1 MiB, 100 events, depth 64 */

#define NOW INT64_C(1769903999000001)    /* 2026-01-31T23:59:59.000001Z */
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

enum err parse_slice(enum event_format format, struct slice body);
enum err parse(enum event_format format, const char *body);
/* Headers as "name: value" lines. content_type may be NULL. */
enum err parse_binary(const char *headers, const char *content_type, struct slice body);
void parsed_free(void);

/* The event of stream "orders", partition 3, offset 42, recorded NOW, version 7; valid JSON, or the test fails.
 * Good until the next call. */
const char *rendered(const struct event *ev, bool one_line);
void assert_parsed(enum err e); /* OK, or the test fails with the fault */
void assert_refused(enum err e, enum err want, const char *pointer, const char *words, const char *what);

#endif
