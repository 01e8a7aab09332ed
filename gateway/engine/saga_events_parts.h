#ifndef WEIR_ENGINE_SAGA_EVENTS_PARTS_H
#define WEIR_ENGINE_SAGA_EVENTS_PARTS_H

#include "gateway/engine/read.h"
#include "gateway/engine/saga_events.h"
#include "gateway/engine/saga_waits.h"

/* saga_events.c, saga_events_step.c and saga_events_page.c alone. */

enum saga_step_result {
    SAGA_STEP_IDLE,              /* served up to the heads */
    SAGA_STEP_MORE,
    SAGA_STEP_BUSY,              /* another gateway reads the stream just now */
};
/* One transaction: some pages of a stream, and what was found on them. *ret_found is set if there was something. */
enum err saga_events_step(const struct saga_events_def *d, struct db *db, const struct saga_reader_row *reader,
                          enum saga_step_result *ret, bool *ret_found, struct fault *f);
bool saga_events_passing(enum err e); /* it may go well the next time */

#define SAGA_STEP_ARENA ((size_t)256 << 20)
#define SAGA_HITS_MAX 1000       /* waits and starts of a step, each */

/* An await that somebody waits by. */
struct shape {
    struct saga_shape id;
    const struct saga_await *await;
};

struct start {
    const struct saga_start_row *row;
    const struct saga_start_on *on;
};

/* A wait that an event meets. */
struct hit {
    const struct shape *shape;
    struct slice instance;
    uint8_t reread_id[16];
    int32_t event;               /* of the step's */
    bool chosen;
};

struct step {
    const struct saga_events_def *d;
    struct db *db;
    struct arena *arena;
    struct fault *f;
    const struct saga_reader_row *reader;
    struct stream *stream;
    int64_t position[PARTITIONS_MAX]; /* of the row */
    int64_t pos[PARTITIONS_MAX]; /* where the next page begins */
    size_t partitions;
    struct saga_reread *rereads;
    size_t reread_n;
    const struct saga_definition **held; /* to be dropped */
    size_t held_n;
    struct shape *shapes;
    struct start *starts;
    size_t shape_n, start_n;
    struct filter filter;
    bool all_types;              /* too many patterns for a filter */
    struct saga_delivered *events; /* that are delivered */
    size_t event_n, text_bytes;
    struct hit *hits;            /* room for SAGA_HITS_MAX, */
    struct saga_delivery *begun; /* for as many starts, and events for both */
    size_t hit_n, begun_n;
    bool cut;                    /* it ends before the end of a page */
    bool up_to_date;
};

/* The page at `pos`, which moves: adds to events, hits and begun. */
enum err saga_events_page(struct step *s);

#endif
