#ifndef WEIR_ENGINE_COMMIT_FLIGHT_H
#define WEIR_ENGINE_COMMIT_FLIGHT_H

#include "gateway/engine/commit_batch.h"

/* One round trip of a batch: the statements queued so far and their results, in order. What commit_write.c and commit_outcome.c
 * share; the lane's thread. */
#define STATEMENTS_MAX 12 /* a lot's in one flush, BEGIN, COMMIT and NOTIFY included */

struct flight {
    struct batch *b;
    struct db *db;
    struct rows *rows;
    size_t n, max;
    bool failed;    /* out of memory while queueing */
};

bool flight_begin(struct flight *f, struct batch *b, struct db *db); /* false: out of memory */
void flight_queued(struct flight *f, bool ok);                       /* after a db_… that queues: its result */
void flight_say(struct flight *f, const struct stmt *s);             /* a statement without arguments */
enum err flight_flush(struct flight *f);                             /* errors as db_flush's */
void flight_end(struct flight *f);                                   /* frees the rows */

/* The slots as rows, in the batch's arena; NULL: out of memory. *ret_n: how many have something for the statement. */
struct publish_head *flight_heads(struct batch *b, const struct lot *g, bool changed_only, size_t *ret_n);
struct publish_event *flight_events(struct batch *b, const struct lot *g);

#endif
