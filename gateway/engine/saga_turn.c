#include <stdlib.h>

#include "gateway/base/random.h"
#include "gateway/engine/saga_parts.h"

/* One transaction of instances: its items are looked up, the instances locked and loaded, the items applied in their order. */

/* --- items --- */

static struct saga_item *more(struct turn *t, enum item_kind kind)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        struct saga_item *v = realloc(t->item, cap * sizeof *v);

        if (!v)
            return NULL;
        t->item = v;
        t->cap = cap;
    }
    t->item[t->n] = (struct saga_item){ .kind = kind, .input = { .step = -1 } };
    return &t->item[t->n++];
}

struct saga_item *turn_item(struct turn *t, enum item_kind kind)
{
    struct saga_item *x = more(t, kind);

    t->given = t->n;
    return x;
}

static enum err take_inbox(struct turn *t, struct fault *f)
{
    struct saga_inbox_row *v = NULL;
    struct saga_keys but;
    size_t n = 0;
    enum err e = aside_list(t->s, t->arena, &but) ?
        db_saga_inbox_take(t->db, t->arena, (int64_t)t->inbox_limit, TURN_LOADS, &but, &v, &n, &t->inbox_more, f) : ERR_NO_MEMORY;

    t->wrote |= n > 0;
    for (size_t i = 0; !e && i < n; i++) {
        struct saga_item *x = more(t, v[i].step < 0 ? ITEM_START : ITEM_INPUT);

        if (!x)
            return ERR_NO_MEMORY;
        x->key = v[i].key;
        x->event = v[i].event;
        x->input = (struct saga_input){ .what = SAGA_IN_EVENT, .step = -1, .result = v[i].event,
                                        .event = v[i].id };
        x->hit = (struct saga_hit){ .step = v[i].step, .kind = (enum saga_kind)v[i].kind };
    }
    return e;
}

/* --- starts: which saga, which version --- */

static enum err resolve_named(struct turn *t, struct fault *f)
{
    struct slice *names = arena_alloc(t->arena, (t->n + 1) * sizeof *names);
    struct saga_row *rows = NULL;
    size_t n = 0, found = 0;
    enum err e = names ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < t->n; i++)
        if (t->item[i].start)
            names[n++] = t->item[i].start->saga;
    if (e || !n || (e = db_sagas_find(t->db, t->arena, names, n, &rows, &found, f)))
        return e;
    for (struct saga_item *x = t->item; x < t->item + t->n; x++) {
        size_t k = 0;

        if (!x->start)
            continue;
        while (k < found && !slice_eq(rows[k].name, x->start->saga))
            k++;
        if (k == found) {
            x->err = fault(&x->fault, ERR_UNKNOWN_SAGA, "There is no saga of this name.");
        } else {
            x->key = (struct saga_key){ rows[k].saga_id, x->start->id };
            x->version = rows[k].version;
        }
    }
    return OK;
}

static enum err resolve_of_events(struct turn *t, struct fault *f)
{
    int64_t *ids = arena_alloc(t->arena, (t->n + 1) * sizeof *ids);
    struct saga_row *rows = NULL;
    size_t n = 0, found = 0;
    enum err e = ids ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < t->n; i++)
        if (t->item[i].kind == ITEM_START && !t->item[i].start)
            ids[n++] = t->item[i].key.saga_id;
    if (e || !n || (e = db_sagas_hold(t->db, t->arena, ids, n, &rows, &found, f)))
        return e;
    for (struct saga_item *x = t->item; x < t->item + t->n; x++) {
        size_t k = 0;

        if (x->kind != ITEM_START || x->start)
            continue;
        while (k < found && rows[k].saga_id != x->key.saga_id)
            k++;
        x->err = k == found ? ERR_UNKNOWN_SAGA : OK;
        x->version = k == found ? 0 : rows[k].version;
    }
    return OK;
}

/* --- instances --- */

static int by_key(const void *x, const void *y)
{
    return db_saga_order(&((const struct turn_run *)x)->key, &((const struct turn_run *)y)->key);
}

struct turn_run *turn_run_of(const struct turn *t, const struct saga_key *key)
{
    const struct turn_run want = { .key = *key };

    return t->run_n ? bsearch(&want, t->run, t->run_n, sizeof want, by_key) : NULL;
}

static bool list_runs(struct turn *t)
{
    size_t n = 0;

    t->run_n = 0;
    if (!(t->run = arena_zalloc(t->arena, (t->n + 1) * sizeof *t->run)))
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (!t->item[i].err)
            t->run[n++].key = t->item[i].key;
    qsort(t->run, n, sizeof *t->run, by_key);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || by_key(&t->run[i], &t->run[t->run_n - 1]) != 0)
            t->run[t->run_n++] = t->run[i];
    return true;
}

static void take_step(struct turn_run *r, const struct saga_step_row *row)
{
    struct saga_task *k;

    if (row->step < 0 || (size_t)row->step >= r->def->def.step_n || row->kind < 0 || row->kind >= SAGA_KINDS)
        return;
    k = &r->run->task[row->kind][row->step];
    *k = (struct saga_task){ .status = (enum saga_status)row->status, .attempts = row->attempts, .unknown = row->unknown,
                             .due_us = row->due_us, .owner = row->owner, .begun_us = row->begun_us, .ended_us = row->ended_us,
                             .ended_seq = row->ended_seq, .result = row->result, .error = row->error, .early = row->early,
                             .answer = row->answer, .round = row->round, .event = row->event };
    r->rows[row->kind] |= UINT64_C(1) << row->step;
}

static struct saga_run *run_new(struct turn *t, struct turn_run *r)
{
    struct saga_run *run = saga_run_new(t->arena, &r->def->def);
    int64_t random = 0;

    if (!run || !random_id(&random))
        return NULL;
    run->random = (uint64_t)random;
    run->id = r->key.id;
    run->version = r->def->version;
    return run;
}

static enum err take_instance(struct turn *t, struct turn_run *r, const struct saga_instance_row *row, struct fault *f)
{
    enum err e = saga_def_get(t->s, t->db, row->key.saga_id, row->version, &r->def, f);

    r->broken = e == ERR_BAD_DEFINITION;
    if (e)
        return e == ERR_UNKNOWN_SAGA || r->broken ? OK : e; /* unknown: it is being removed with its instances */
    if (!(r->run = run_new(t, r)))
        return ERR_NO_MEMORY;
    r->exists = true;
    r->row = *row;
    r->run->input = row->input;
    r->run->state = (enum saga_state)row->state;
    r->run->seq = row->seq;
    r->run->pivot_sent = row->pivot_sent;
    r->run->cause = row->cause;
    r->run->deadline_us = row->deadline_us;
    r->run->created_us = row->created_us;
    r->run->updated_us = row->updated_us;
    r->run->ended_us = row->ended_us;
    return OK;
}

static enum err load(struct turn *t, struct fault *f)
{
    struct saga_instance_row *rows;
    struct saga_step_row *steps;
    struct saga_key *keys = arena_alloc(t->arena, (t->run_n + 1) * sizeof *keys);
    struct turn_run *r = NULL;
    size_t n, step_n;
    enum err e;

    if (!keys)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < t->run_n; i++)
        keys[i] = t->run[i].key;
    if ((e = db_saga_load(t->db, t->arena, keys, t->run_n, TURN_LOADS, &rows, &n, &steps, &step_n, f)))
        return e;
    for (size_t i = 0; !e && i < n; i++)
        if ((r = turn_run_of(t, &rows[i].key)))
            e = take_instance(t, r, &rows[i], f);
    for (size_t i = 0; !e && i < step_n; i++) {
        if (i == 0 || db_saga_order(&steps[i].key, &steps[i - 1].key) != 0)
            r = turn_run_of(t, &steps[i].key);
        if (r && r->run)
            take_step(r, &steps[i]);
    }
    return e;
}

/* --- applying --- */

static void told(struct saga_item *x, const struct turn_run *r)
{
    x->after = r->run->state;
    x->seq = r->run->seq;
}

static void start_again(struct saga_item *x, const struct turn_run *r)
{
    if (x->start && memcmp(x->hash, r->row.hash, sizeof x->hash) != 0)
        x->err = x->start->keyed ?
            fault(&x->fault, ERR_IDEMPOTENCY_KEY_REUSED, "An instance was started with another input under this Idempotency-Key.") :
            fault(&x->fault, ERR_CONFLICT, "There is an instance of this id, which was started with another input.");
    told(x, r);
}

static enum err apply_start(struct turn *t, struct saga_item *x, struct turn_run *r)
{
    const struct saga_input in = { .what = SAGA_IN_START, .step = -1 };
    enum err e = OK;

    if (r->run) {
        start_again(x, r);
        return OK;
    }
    if (!r->def && (e = saga_def_get(t->s, t->db, x->key.saga_id, x->version, &r->def, &x->fault))) {
        r->broken = e == ERR_BAD_DEFINITION;
        return r->broken ? OK : e;
    }
    if (!x->start && (x->err = turn_event_input(t, x, r->def)))
        return x->err == ERR_NO_MEMORY ? ERR_NO_MEMORY : OK;
    if ((!x->start && !saga_input_hash(x->given, x->hash)) || !turn_trace(t, x) || !(r->run = run_new(t, r)))
        return ERR_NO_MEMORY;
    r->run->input = x->given;
    r->row = (struct saga_instance_row){ .key = r->key, .version = x->version, .input = x->given, .traceparent = x->traceparent };
    memcpy(r->row.hash, x->hash, sizeof r->row.hash);
    x->applied = saga_apply(r->run, &in, t->now_us, &x->fault);
    x->created = true;
    told(x, r);
    return OK;
}

static enum err apply_input(struct turn *t, struct saga_item *x, struct turn_run *r)
{
    bool meets;
    enum err e;

    x->applied = SAGA_UNCHANGED;
    if (!r->run) {
        x->err = fault(&x->fault, ERR_UNKNOWN_INSTANCE, "There is no instance of this id.");
        return OK;
    }
    x->before = r->run->state;
    if (x->event.p && ((e = turn_event_meets(t, x, r, &meets)) || !meets))
        return e;
    x->applied = saga_apply(r->run, &x->input, t->now_us, &x->fault);
    if (x->applied == SAGA_DENIED)
        x->err = ERR_CONFLICT;
    told(x, r);
    return OK;
}

static enum err apply_item(struct turn *t, struct saga_item *x, struct turn_run *r)
{
    enum err e = OK;

    if (!r->broken && x->kind == ITEM_START)
        e = apply_start(t, x, r);
    else if (!r->broken && x->kind == ITEM_INPUT)
        e = apply_input(t, x, r);
    if (r->broken)
        x->err = fault(&x->fault, ERR_INTERNAL, "This release cannot read the definition that the instance goes by.");
    r->wants_time |= x->kind == ITEM_LOOK;
    return e;
}

static enum err apply(struct turn *t, struct fault *f)
{
    bool keeps = false;            /* events of instances that are broken: they stay in the inbox */
    enum err e = OK;

    for (struct saga_item *x = t->item; !e && x < t->item + t->n; x++) {
        struct turn_run *r = x->err ? NULL : turn_run_of(t, &x->key);

        if (!r)
            continue;
        if ((e = apply_item(t, x, r)))
            *f = x->fault;
        keeps |= r->broken && x >= t->item + t->given;
    }
    if (!e && keeps)
        return fault(f, ERR_DB_RETRY, "There are events of instances that have to be set aside.");
    if (!e)
        e = turn_time(t, f);
    for (size_t i = 0; !e && i < t->run_n; i++)
        if (t->run[i].run && saga_run_failed(t->run[i].run))
            e = ERR_NO_MEMORY;
    return e;
}

/* --- the whole --- */

enum err turn_make(struct turn *t, bool begins, struct fault *f)
{
    enum err e;

    t->admitted_last = &t->admitted;
    t->xid = 0;
    for (size_t i = 0; i < t->n; i++)
        t->item[i].err = OK, t->item[i].created = false;
    if (!(t->arena = arena_new(TURN_ARENA)))
        return ERR_NO_MEMORY;
    if ((e = db_saga_begin(t->db, begins, t->s->config->sagas_lease_us / 2, &t->xid, &t->now_us, f)) ||
        (t->inbox_limit && (e = take_inbox(t, f))) || (e = resolve_named(t, f)) || (e = resolve_of_events(t, f)))
        return e;
    if (!list_runs(t))
        return ERR_NO_MEMORY;
    if (t->run_n && ((e = load(t, f)) || (e = apply(t, f)) || (e = turn_settle(t, f))))
        return e;
    return OK;
}

void turn_undo(struct turn *t)
{
    for (struct saga_attempt *at; (at = t->admitted);) {
        t->admitted = at->next;
        for (size_t i = 0; i < t->given; i++)
            if (t->item[i].slot_used && at->call.slot.target && t->item[i].slot.target == at->call.slot.target) {
                t->item[i].slot_used = false; /* it stays reserved for the next try */
                at->call.slot = (struct outbound_slot){ 0 };
                break;
            }
        saga_attempt_free(at);
    }
    turn_end(t);
    t->n = t->given;
}

void turn_end(struct turn *t)
{
    for (size_t i = 0; i < t->run_n; i++)
        saga_def_unref(t->run[i].def);
    arena_free(t->arena);
    t->arena = NULL;
    t->run = NULL;
    t->run_n = 0;
    t->wrote = t->waited = t->inbox_more = false;
    t->admitted = NULL;
    t->admitted_n = 0;
    t->admitted_last = &t->admitted;
}
