#ifndef WEIR_TESTS_DB_LOG_SUPPORT_H
#define WEIR_TESTS_DB_LOG_SUPPORT_H

#include <semaphore.h>
#include <stdatomic.h>

#include "gateway/engine/commit.h"
#include "gateway/engine/read.h"
#include "gateway/engine/retention.h"
#include "tests/db/support.h"

/* A database of its own, with the program's schema; `side` is in it too. */
void log_open(const char *database);
void log_close(void);

/* What a gateway process has of the log: lanes, tail, definitions; everything real. */
struct gateway {
    struct config config;
    struct db_config db_config;
    struct db *db;             /* the caller's thread's */
    struct streams *streams;
    struct tail *tail;
    struct commit *commit;
};
void gateway_start(struct gateway *g);
void gateway_stop(struct gateway *g);

/* Makes the stream anew if need be, and gives a reference. */
struct stream *stream_here(struct gateway *g, const char *name, int partitions, int64_t dedup_window_us);

/* A publish request from its JSON body, as the handler makes it. */
struct asked {
    struct publish p;
    struct arena *arena;
    sem_t answered;
};
struct asked *draft(struct stream *s, int64_t if_version, const char *body); /* not handed in yet */
struct asked *ask(struct gateway *g, struct stream *s, int64_t if_version, const char *body, ...)
    __attribute__((format(printf, 4, 5)));
enum err answer(struct asked *a);     /* waits */
void asked_free(struct asked *a);
/* All at once; the outcome. */
enum err publish(struct gateway *g, struct stream *s, const char *body, ...) __attribute__((format(printf, 3, 4)));

/* Until released, what touches the stream's heads waits: requests gather behind it in their lane. */
void heads_hold(const struct stream *s);
void heads_awaited(void); /* until one waits for them */
void heads_release(void);

/* Each partition holds the offsets from earliest to head, once each, in the order of their times, and its bytes add up. */
void assert_log_whole(void);

#endif
