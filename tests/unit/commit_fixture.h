#ifndef WEIR_TESTS_COMMIT_FIXTURE_H
#define WEIR_TESTS_COMMIT_FIXTURE_H

#include "gateway/engine/commit_batch.h"
#include "tests/unit/log_fixture.h"

#define NOW INT64_C(1769903999000001)
#define BATCH_MAX 64

/* The requests of a batch, all of one stream, and what is stored: lot_decide is asked without a database. */
struct world {
    struct arena *arena;
    struct stream *stream;
    struct batch batch;
    struct lot *g;
    struct publish pub[BATCH_MAX], *list[BATCH_MAX];
    struct event events[BATCH_MAX][BATCH_MAX];
};
extern struct world w;

void world_begin(int partitions);
int world_end(void **state); /* a teardown */

/* Begins a request; events follow. */
struct publish *request(int64_t if_version);
struct event *add(const char *id, const char *content, const char *subject, int64_t expected, int32_t partition);
/* As after the first round trip: every head known, nothing else; then what is stored. */
void looked(int64_t head);
void stored_id(const char *id, const char *content, int32_t partition, int64_t offset, int64_t version);
struct slot_subject *stored_subject(const char *subject, int32_t partition, int64_t version);
/* Every partition's accepted events have the offsets that follow its head, one by one, and the sums agree. */
void assert_no_gap(void);

#endif
