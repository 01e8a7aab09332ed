#ifndef WEIR_ENGINE_PROJECTION_STEP_H
#define WEIR_ENGINE_PROJECTION_STEP_H

#include "gateway/engine/projection_letters.h"
#include "gateway/engine/projection_parts.h"

/* A step while it is made: projection_step.c reads and folds, projection_write.c writes. */

/* An event that is folded, and into which of the keys. */
struct item {
    struct fold_event event;
    size_t at, key;              /* of the page; of the step's keys */
};

struct keyed {
    struct slice key, before;    /* before: the state as it is stored */
    struct fold_state *state;
    bool there;                  /* it is stored already */
    int64_t version;             /* that is stored */
    int64_t offset;              /* of the last event folded into it; 0: none */
    int64_t subject_version;     /* of that event */
};

/* One step of a part. */
struct step {
    struct projections *p;
    struct fold_part *part;
    struct db *db;
    struct arena *arena;
    struct fault fault;
    struct read_page page;
    struct item *items;
    struct keyed *keys;
    size_t item_n, key_n;
    int64_t from, to;
    int build_state;
    bool begins;                 /* the part begins at `to`: nothing before is kept */
    bool moved;                  /* it is committed up to `to` */
    const struct event *refused; /* the step ends before it; NULL: none */
    struct fault why;
    struct step_letters letters;
};

static inline const struct folder *folder_of(const struct step *s)
{
    return s->part->folder;
}

/* projection_write.c: what the step has made of the states it has locked, and COMMIT. */
enum err step_write_states(struct step *s);

#endif
