#ifndef WEIR_ENGINE_READ_H
#define WEIR_ENGINE_READ_H

#include "gateway/engine/event.h"
#include "gateway/engine/streams.h"

/* Type and subject patterns (`*`: any run); in one list any may match, both lists must. Slices of the request. */
#define FILTER_MAX 32
struct filter {
    struct slice types[FILTER_MAX], subjects[FILTER_MAX];
    size_t type_n, subject_n;
};
bool filter_match(const struct filter *f, struct slice type, struct slice subject); /* f may be NULL */

/* An event as it was read back (db/read.h); its slices are the row's. */
struct page_row;
struct event event_of_row(const struct page_row *row, int32_t partition);

/* Where a reader begins. */
enum read_from { READ_CURSOR, READ_EARLIEST, READ_LATEST, READ_TIME };

struct read_spec {
    enum read_from from;            /* all but READ_CURSOR set pos */
    int64_t time_us;                /* READ_TIME */
    int64_t *pos;                   /* of one stream only: the last offset seen, for every partition */
    int only;                       /* one partition, or -1 */
    const struct filter *filter;    /* NULL: all */
    int64_t limit;                  /* events */
    int64_t bytes;                  /* stored bytes; at least one event comes */
    int64_t scan;                   /* offsets looked at */
};

struct read_page {
    struct event *events;           /* in order within a partition, else by `recorded`; they live as long as the arena */
    size_t n;
    int64_t start[PARTITIONS_MAX];  /* where this page began; of one stream only, as pos */
    int64_t pos[PARTITIONS_MAX];    /* where the next one begins */
    bool up_to_date;                /* pos were the heads */
};

/* One of several streams that are read together: `pos` instead of the spec's, start and end instead of the page's. The arrays
 * have an element for each partition. */
struct read_member {
    struct stream *stream;
    const int64_t *pos;
    int64_t *start, *end;
    bool up_to_date;
};

/* One page from PostgreSQL, shared fairly among the partitions that have something; blocks. ERR_CURSOR_EXPIRED: every `end` is set
 * to where one can go on. ERR_CURSOR_UNKNOWN: beyond the head. ERR_UNKNOWN_STREAM: *ret_gone was deleted. Never leaves out an
 * event: what it passes over was filtered or is told by an error. Sets events, n and up_to_date of the page. */
enum err read_members(struct db *db, struct arena *a, struct read_member *m, size_t n, const struct read_spec *spec,
                      struct read_page *ret, size_t *ret_gone, struct fault *f);
/* The same of one stream. ERR_CURSOR_EXPIRED: f->earliest is set, and ret->pos to the same. */
enum err read_page(struct db *db, struct arena *a, struct stream *s, const struct read_spec *spec, struct read_page *ret,
                   struct fault *f);

#endif
