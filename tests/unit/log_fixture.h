#ifndef WEIR_TESTS_LOG_FIXTURE_H
#define WEIR_TESTS_LOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/engine/event.h"
#include "gateway/engine/streams.h"

/* A stream's definition without a database; one reference, the caller's. */
struct stream *stream_made(const char *name, int64_t id, int partitions);

/* An event of type "T" as it is after its commit; id is "e<partition>-<offset>". Its strings are static. */
struct event event_made(int32_t partition, int64_t offset);

#endif
