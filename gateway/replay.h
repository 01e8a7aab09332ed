#ifndef WEIR_REPLAY_H
#define WEIR_REPLAY_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/engine/cursor.h"
#include "gateway/http_client.h"

/* weir replay, inside gateway/replay*.c: a range of a stream is read page by page and published to another one. One thread.
 * Functions that return false have put a sentence into replay.why. */

struct replay {
    struct http_client *http;
    char why[HTTP_WHY];
    const char *to;                 /* the stream that is published to */
    int64_t window_us;              /* its dedup window; 0: nothing is taken for granted (a dry run) */
    int64_t ahead_us;               /* the gateway's clock, less ours */
    bool reached;                   /* there was an answer: a silence is an outage, not a wrong URL */
    int64_t copied, there;          /* events published; events that were there already */
};

/* replay_calls.c */
struct replay_stream {
    int partitions;
    int64_t earliest[PARTITIONS_MAX], head[PARTITIONS_MAX];
    int64_t dedup_window_us;
};
/* Waits and asks again on 429, 502, 503, 504 and on silence, for minutes; one that is to be sent once not when it may have been heard.
 * true: an answer of another status. */
bool replay_call(struct replay *r, const struct http_call *call, struct http_answer *ret);
bool replay_get(struct replay *r, const char *path, struct http_answer *ret); /* true: 200 */
bool replay_refused(struct replay *r, const char *what, const struct http_answer *a); /* always false */
bool replay_describe(struct replay *r, const char *stream, struct replay_stream *ret);

/* replay_page.c */
struct replay_event {
    size_t at, n;                   /* where it is in the page's text */
    struct slice id;                /* in the page's arena */
    int partition;
    int64_t offset, recorded_us;
    uint8_t key[16];                /* of its source and id */
};

struct replay_page {
    struct arena *arena;
    struct buf text;                /* the events as they are published: without what Weir adds to them */
    struct replay_event *v;
    size_t n, capacity;
    char cursor[CURSOR_TEXT];
    bool up_to_date;
};

/* A part of a stream, read forwards once. Zero-initialise. */
struct replay_range {
    const char *stream, *filters;   /* filters: "&type=…&subject=…", or "" */
    char where[CURSOR_TEXT + 16];   /* the next page: "after=…" or "from_time=…" */
    int partitions;
    int64_t end[PARTITIONS_MAX];    /* the last offset that belongs to it */
    bool done[PARTITIONS_MAX];      /* nothing of it is left there */
};

/* The first event of a partition from there on, whatever its type: *ret_offset 0 if there is none. The page is used up. */
bool replay_probe(struct replay *r, const char *stream, const char *where, int partition, struct replay_page *page,
                  int64_t *ret_offset, int64_t *ret_recorded_us);
/* Sets partitions and end: before what `where` says, at most what is described; where NULL: all of that. */
bool replay_range_bound(struct replay *r, struct replay_range *g, const struct replay_stream *s, const char *where,
                        struct replay_page *page);
/* The next events that belong to it; page->n is 0 when it has ended. */
bool replay_range_next(struct replay *r, struct replay_range *g, struct replay_page *page);
void replay_page_free(struct replay_page *page);

/* replay_known.c: what is in the destination, as far as its own memory of ids (dedup_window) does not reach. 16 bytes an event. */
struct replay_known {
    uint8_t (*slots)[16];
    size_t n, capacity;             /* capacity: a power of two, or 0 */
    struct replay_page page;
    const char *filters;
    int64_t from_us;                /* what is older is no copy of what is read; then what has been looked at */
    bool looked;
};
bool replay_known_catch_up(struct replay *r, struct replay_known *k);
bool replay_known_has(const struct replay_known *k, const uint8_t key[16]);
void replay_known_free(struct replay_known *k);

/* replay_send.c: publishes events of a page, in order, in as few requests as the gateway takes. */
bool replay_send(struct replay *r, const struct replay_page *page, const struct replay_event *const *v, size_t n);

#endif
