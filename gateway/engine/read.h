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

/* Where a reader begins. */
enum read_from { READ_CURSOR, READ_EARLIEST, READ_LATEST, READ_TIME };

struct read_spec {
    enum read_from from;            /* all but READ_CURSOR set pos */
    int64_t time_us;                /* READ_TIME */
    int64_t pos[PARTITIONS_MAX];    /* the last offset seen, for every partition */
    int only;                       /* one partition, or -1 */
    const struct filter *filter;    /* NULL: all */
    int64_t limit;                  /* events */
    int64_t bytes;                  /* stored bytes; at least one event comes */
    int64_t scan;                   /* offsets looked at */
};

struct read_page {
    struct event *events;           /* in order within a partition; they live as long as the arena */
    size_t n;
    int64_t start[PARTITIONS_MAX];  /* where this page began */
    int64_t pos[PARTITIONS_MAX];    /* where the next one begins */
    bool up_to_date;                /* pos were the heads */
};

/* One page from PostgreSQL; blocks. ERR_CURSOR_EXPIRED: f->earliest is set, and ret->pos to the same. ERR_CURSOR_UNKNOWN:
 * beyond the head. ERR_UNKNOWN_STREAM: deleted. Never leaves out an event: what it passes over was filtered or is told by an
 * error. */
enum err read_page(struct db *db, struct arena *a, struct stream *s, const struct read_spec *spec, struct read_page *ret,
                   struct fault *f);

#endif
