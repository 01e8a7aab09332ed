#ifndef WEIR_ENGINE_PROJECTION_LETTERS_H
#define WEIR_ENGINE_PROJECTION_LETTERS_H

#include "db/projection_letters.h"
#include "gateway/engine/event.h"

/* Dead letters of projections (on_error "dlq"). An event that cannot be folded is parked in the transaction of the step that passes it over.
 * One that was redriven is folded by the part of its partition, in the transaction that resolves the letter, or parks it again. Other
 * builds take a letter's event where it was resolved, and pass over what is parked or discarded. While another build is made or compared
 * none folds what was redriven: whichever is read in the end does. (Who adds a build raises the epochs of the one that is read, so that
 * it looks again.) docs/projections.md */
#define PROJECTION_GROUP "projection:"

#define REDRIVEN_MAX 100 /* letters in one step */

struct step;

/* Of a step. */
struct burial {
    const struct event *event;
    const struct fold_letter *again; /* a redriven letter; NULL: a new one */
    struct fault why;
};
struct step_letters {
    struct fold_letter *v;
    size_t n;
    const struct event **folded;     /* of v[i]: the event that is folded for it, redriven; NULL: none */
    size_t redriven;                 /* how many of these come from before the step */
    struct burial *buried;
    size_t buried_n, chosen_n;       /* chosen: of these, before anything was applied */
};

/* Puts the letters' events in place of the log's. */
enum err step_letters_merge(struct step *s);
/* The event becomes a letter; false: it stops the projection, or memory is out. */
bool step_bury(struct step *s, const struct event *ev, const struct fault *why);
/* Queues what becomes of letters; *ret_n: how many statements. */
enum err step_letters_queue(struct step *s, size_t *ret_n);
/* Keys into which redriven letters were folded: their events did not come in order. */
enum err step_letters_mixed(struct step *s, struct slice **ret, size_t *ret_n);

/* Inside a transaction, of a projection's group whose letters are redriven: it stays, and hears of them. ERR_UNKNOWN_PROJECTION. */
enum err projection_letters_claim(struct db *db, struct arena *a, struct slice group, struct fault *f);

#endif
