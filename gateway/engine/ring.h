#ifndef WEIR_ENGINE_RING_H
#define WEIR_ENGINE_RING_H

#include "gateway/engine/event.h"
#include "gateway/engine/streams.h"

/* An event in memory, serialized once for all readers: immutable, shared by reference count.
 * text = "id: <cursor>\ndata: <the event in one line>\n\n" */
struct ring_event {
    atomic_int refs;
    int32_t partition;
    int64_t offset;
    bool exact;              /* the one-line form is byte for byte what the page form would be */
    uint32_t json_at, json_n;/* within text */
    uint32_t type_n, subject_n;
    uint32_t text_n;
    bool has_subject;
    char text[];             /* followed by type and subject, for filters */
};

static inline struct slice ring_event_type(const struct ring_event *e)
{
    return (struct slice){ e->text + e->text_n, e->type_n };
}

static inline struct slice ring_event_subject(const struct ring_event *e)
{
    return e->has_subject ? (struct slice){ e->text + e->text_n + e->type_n, e->subject_n } : SLICE_NONE;
}

void ring_event_unref(struct ring_event *e); /* NULL-safe */

/* The newest events of one watched stream, all partitions in the order in which they became known here. Entries are
 * numbered by `seq`; within a partition they are contiguous. Not locked: tail.c does that. */
struct ring_memory {         /* what all rings of a gateway share */
    atomic_size_t bytes;
    size_t max;
};

struct ring {
    struct stream *stream;
    struct ring_memory *memory; /* NULL: no common bound */
    size_t cap, bytes, bytes_max;
    uint64_t first, next;               /* seq of the oldest entry and of the next one */
    struct ring_event **slots;          /* cap of them, by seq modulo cap */
    struct cursor head;                 /* last offset in the ring for each partition; what the next reader continues from */
    int64_t base[PARTITIONS_MAX];       /* the last offset that is no longer (or never was) in the ring */
    int64_t target[PARTITIONS_MAX];     /* the highest offset known to be committed */
    bool warm;                          /* head and base are set */
};

bool ring_init(struct ring *r, struct stream *s, size_t cap, size_t bytes_max);
void ring_clear(struct ring *r);        /* frees what it holds; the struct is the caller's */
/* First sight of the heads: nothing is in the ring yet. */
void ring_warm(struct ring *r, const int64_t *heads);
/* Appends ev if it follows the ring's head in its partition; false: there is a gap, or it is there already. The oldest
 * entries make room. */
bool ring_push(struct ring *r, const struct event *ev, struct buf *scratch);
/* Gives up what is missing between head and target (too much to fetch): readers behind go to the database. */
void ring_skip_to_target(struct ring *r);
bool ring_behind(const struct ring *r);  /* head < target somewhere */
/* Can a reader at these positions (of one partition, or of all: -1) go on in the ring, from `first`? Then *ret_ahead is how many
 * entries, now or to come, it has seen already. */
bool ring_attach(const struct ring *r, const int64_t *pos, int only, int64_t *ret_ahead);

#endif
