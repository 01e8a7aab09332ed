#include <stdlib.h>

#include "gateway/engine/saga_parts.h"

/* By hand: in a transaction of the caller's, on his thread. What becomes ready by it, the lane finds. */

static enum err input_of(struct sagas *s, struct db *db, struct arena *a, const struct saga_key *key, const struct saga_act *act,
                         struct saga_input *ret, struct fault *f)
{
    static const enum saga_input_kind what[] = { [SAGA_ACT_CANCEL] = SAGA_IN_CANCEL, [SAGA_ACT_RETRY] = SAGA_IN_RETRY,
                                                 [SAGA_ACT_SKIP] = SAGA_IN_SKIP, [SAGA_ACT_SIGNAL] = SAGA_IN_SIGNAL,
                                                 [SAGA_ACT_DECIDE] = SAGA_IN_DECISION };
    struct saga_instance_row *row;
    struct saga_step_row *steps;
    struct saga_def *d;
    size_t n, step_n;
    enum err e;

    *ret = (struct saga_input){ .what = what[act->kind], .step = -1, .result = act->result, .approve = act->approve,
                                .comment = act->comment, .actor = act->actor };
    if (!act->step.p)
        return OK;
    if ((e = db_saga_load(db, a, key, 1, 0, &row, &n, &steps, &step_n, f))) /* which version: from here on it is locked */
        return e;
    if (!n)
        return fault(f, ERR_UNKNOWN_INSTANCE, "There is no instance of this id.");
    if ((e = saga_def_get(s, db, key->saga_id, row->version, &d, f)))
        return e == ERR_BAD_DEFINITION ? ERR_INTERNAL : e;
    ret->step = saga_step_number(&d->def, act->step);
    saga_def_unref(d);
    return ret->step < 0 ? fault(f, ERR_UNKNOWN_STEP, "The saga has no step of this name.") : OK;
}

static enum err act_in(struct turn *t, struct saga_acted *ret, struct fault *f)
{
    struct saga_item *x;
    size_t n;
    enum err e = turn_make(t, false, f);

    x = &t->item[0];
    if (!e && x->err) {
        *f = x->fault;
        e = x->err;
    }
    if (e || (e = turn_queue(t, &n, f)) || (n && (e = db_flush(t->db, NULL, n, f))))
        return e;
    ret->before = x->before;
    ret->after = x->after;
    ret->seq = x->seq;
    ret->changed = x->applied == SAGA_CHANGED;
    return OK;
}

enum err sagas_act(struct sagas *s, struct db *db, struct arena *a, struct slice saga, struct slice id, const struct saga_act *act,
                   struct saga_acted *ret, struct fault *f)
{
    struct turn *t = calloc(1, sizeof *t);
    struct saga_item *x = NULL;
    struct saga_row *row;
    size_t n;
    enum err e = ERR_NO_MEMORY;

    *ret = (struct saga_acted){ .turn = t };
    if (t) {
        t->s = s;
        t->db = db;
        x = turn_item(t, ITEM_INPUT);
    }
    if (x && !(e = db_sagas_find(db, a, &saga, 1, &row, &n, f)) && !n)
        e = fault(f, ERR_UNKNOWN_SAGA, "There is no saga of this name.");
    if (e)
        return e;
    x->key = (struct saga_key){ row->saga_id, id };
    e = input_of(s, db, a, &x->key, act, &x->input, f);
    return e ? e : act_in(t, ret, f);
}

void sagas_acted(struct saga_acted *done, bool committed)
{
    struct turn *t = done->turn;

    if (!t)
        return;
    if (committed)
        saga_count(t);
    turn_undo(t); /* nothing was admitted */
    free(t->item);
    free(t);
    done->turn = NULL;
}
