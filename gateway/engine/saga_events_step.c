#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/engine/saga_events_parts.h"

#define PAGES_MAX 50             /* of a step that goes back */

bool saga_events_passing(enum err e)
{
    return e == ERR_DATABASE_UNAVAILABLE || e == ERR_DATABASE_FULL || e == ERR_DB_RETRY || e == ERR_DB_UNIQUE ||
           e == ERR_OUTCOME_UNKNOWN || e == ERR_NO_MEMORY;
}

/* --- who waits --- */

static enum err hold(struct step *s, int64_t saga_id, int32_t version, const struct saga_definition **ret)
{
    enum err e = s->d->definition(s->d->arg, s->db, saga_id, version, ret, s->f);

    if (!e)
        s->held[s->held_n++] = *ret;
    return e;
}

static void add_patterns(struct step *s, const struct slice *v, size_t n)
{
    for (size_t i = 0; i < n && !s->all_types; i++) {
        bool known = false;

        for (size_t k = 0; k < s->filter.type_n && !known; k++)
            known = slice_eq(s->filter.types[k], v[i]);
        if (known)
            continue;
        s->all_types = slice_is(v[i], "*") || s->filter.type_n == FILTER_MAX;
        if (!s->all_types)
            s->filter.types[s->filter.type_n++] = v[i];
    }
}

static enum err add_shape(struct step *s, const struct saga_shape *id)
{
    const struct saga_definition *def = NULL;
    unsigned number = 2 * (unsigned)id->step + (unsigned)id->kind;
    enum err e = hold(s, id->saga_id, id->version, &def);

    if (e)
        return e;
    if (number >= 2 * SAGA_STEPS_MAX || !def->await[number])
        return fault(s->f, ERR_INTERNAL, "Its definition has no such await.");
    s->shapes[s->shape_n++] = (struct shape){ *id, def->await[number] };
    add_patterns(s, def->await[number]->type, def->await[number]->type_n);
    add_patterns(s, def->await[number]->failure, def->await[number]->failure_n);
    return OK;
}

static enum err add_start(struct step *s, const struct saga_start_row *row)
{
    const struct saga_definition *def = NULL;
    enum err e = hold(s, row->saga_id, row->version, &def);

    if (e || !def->start_on)
        return e;
    s->starts[s->start_n++] = (struct start){ row, def->start_on };
    add_patterns(s, def->start_on->type, def->start_on->type_n);
    return OK;
}

/* A saga that cannot be read keeps back no other. */
static enum err pass_over(struct step *s, int64_t saga_id, enum err e)
{
    if (!e || saga_events_passing(e))
        return e;
    log_error("events are not looked at for a saga", L_INT("saga", saga_id), L_INT("err", e), L_STR("why", s->f->detail));
    return OK;
}

static enum err read_interest(struct step *s)
{
    struct saga_shape *shapes;
    struct saga_start_row *starts;
    size_t n = 0, m = 0;
    enum err e = db_saga_interest(s->db, s->arena, s->reader->stream_id, s->partitions, &shapes, &n, &starts, &m, s->f);

    if (e)
        return e;
    s->held = arena_alloc(s->arena, (n + m + 1) * sizeof *s->held);
    s->shapes = arena_alloc(s->arena, (n + 1) * sizeof *s->shapes);
    s->starts = arena_alloc(s->arena, (m + 1) * sizeof *s->starts);
    if (!s->held || !s->shapes || !s->starts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; !e && i < n; i++)
        e = pass_over(s, shapes[i].saga_id, add_shape(s, &shapes[i]));
    for (size_t i = 0; !e && i < m; i++)
        e = pass_over(s, starts[i].saga_id, add_start(s, &starts[i]));
    return e;
}

/* --- one step --- */

static int by_instance(const void *a, const void *b)
{
    const struct hit *x = *(struct hit *const *)a, *y = *(struct hit *const *)b;
    int c;

    if (x->shape->id.saga_id != y->shape->id.saga_id)
        return x->shape->id.saga_id < y->shape->id.saga_id ? -1 : 1;
    if ((c = slice_order(x->instance, y->instance)))
        return c;
    return x->event != y->event ? (x->event > y->event) - (x->event < y->event) : (x > y) - (x < y);
}

static bool same_instance(const struct hit *x, const struct hit *y)
{
    return x->shape->id.saga_id == y->shape->id.saga_id && slice_eq(x->instance, y->instance);
}

/* Of one instance: each event goes to one wait, the first that is left, and each wait takes one event. */
static void choose(struct hit **v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool free = true;

        for (size_t k = 0; k < i && free; k++)
            free = !v[k]->chosen || (v[k]->event != v[i]->event && (v[k]->shape->id.step != v[i]->shape->id.step ||
                                                                     v[k]->shape->id.kind != v[i]->shape->id.kind));
        v[i]->chosen = free;
    }
}

static enum err choose_all(struct step *s, struct saga_delivery **ret, size_t *ret_n)
{
    struct hit **v = arena_alloc(s->arena, (s->hit_n + 1) * sizeof *v);
    struct saga_delivery *d = arena_alloc(s->arena, (s->hit_n + 1) * sizeof *d);

    *ret = d;
    *ret_n = 0;
    if (!v || !d)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->hit_n; i++)
        v[i] = &s->hits[i];
    qsort(v, s->hit_n, sizeof(struct hit *), by_instance);
    for (size_t i = 0, n; i < s->hit_n; i += n) {
        for (n = 1; i + n < s->hit_n && same_instance(v[i], v[i + n]); n++)
            ;
        choose(v + i, n);
    }
    for (size_t i = 0; i < s->hit_n; i++) {
        const struct hit *h = &s->hits[i];

        if (!h->chosen)
            continue;
        d[*ret_n] = (struct saga_delivery){ .id = { h->shape->id.saga_id, h->instance, h->shape->id.step, h->shape->id.kind },
                                            .event = h->event };
        memcpy(d[(*ret_n)++].reread_id, h->reread_id, sizeof h->reread_id);
    }
    return OK;
}

static bool behind(const struct step *s)
{
    for (size_t i = 0; i < s->partitions; i++)
        if (s->pos[i] < s->position[i])
            return true;
    return false;
}

/* Back to what was seen by whoever began to wait, then on. */
static enum err read_pages(struct step *s)
{
    enum err e = OK;
    int pages = 0;

    for (size_t i = 0; i < s->reread_n; i++)
        for (size_t k = 0; k < s->partitions; k++)
            s->pos[k] = s->rereads[i].after[k] < s->pos[k] ? s->rereads[i].after[k] : s->pos[k];
    s->events = arena_alloc(s->arena, (2 * SAGA_HITS_MAX + 1) * sizeof *s->events);
    s->hits = arena_alloc(s->arena, (SAGA_HITS_MAX + 1) * sizeof *s->hits);
    s->begun = arena_alloc(s->arena, (SAGA_HITS_MAX + 1) * sizeof *s->begun);
    if (!s->events || !s->hits || !s->begun)
        return ERR_NO_MEMORY;
    do
        e = saga_events_page(s);
    while (!e && !s->cut && behind(s) && ++pages < PAGES_MAX);
    return e;
}

static enum err finish(struct step *s, bool *ret_found)
{
    int64_t again[PARTITIONS_MAX];
    struct saga_step_end end = { .stream_id = s->reader->stream_id, .position = s->pos, .partitions = s->partitions,
                                 .events = s->events, .event_n = s->event_n, .starts = s->begun, .start_n = s->begun_n,
                                 .leave = !s->shape_n && !s->start_n, .rereads = s->rereads, .reread_n = s->reread_n,
                                 .again = behind(s) ? again : NULL };
    struct saga_delivery *waits;
    size_t n;
    enum err e = choose_all(s, &waits, &n);

    if (e)
        return e;
    memcpy(again, s->pos, sizeof again);
    end.waits = waits;
    end.wait_n = n;
    for (size_t i = 0; i < s->partitions; i++)
        s->pos[i] = s->pos[i] > s->position[i] ? s->pos[i] : s->position[i];
    if (!(e = db_saga_step_end(s->db, s->arena, &end, s->f)))
        *ret_found |= n > 0 || s->begun_n > 0;
    return e;
}

static enum err transact(struct step *s, enum saga_step_result *ret, bool *ret_found)
{
    enum err e = db_saga_reader_take(s->db, s->reader->stream_id, s->position, PARTITIONS_MAX, &s->partitions, s->f);

    if (e)
        return e;
    *ret = SAGA_STEP_BUSY;
    if (!s->partitions)
        return OK;
    if (!(e = db_saga_rereads(s->db, s->arena, s->reader->stream_id, s->partitions, &s->rereads, &s->reread_n, s->f)) &&
        !(e = read_interest(s))) {
        memcpy(s->pos, s->position, sizeof s->pos);
        s->up_to_date = !s->shape_n && !s->start_n;
        e = s->up_to_date ? OK : read_pages(s);
    }
    if (!e)
        e = finish(s, ret_found);
    else
        db_rollback(s->db);
    for (size_t i = 0; i < s->held_n; i++)
        s->d->drop(s->d->arg, s->held[i]);
    *ret = s->up_to_date ? SAGA_STEP_IDLE : SAGA_STEP_MORE;
    return e;
}

static enum err stream_of(struct step *s)
{
    s->stream = streams_cached(s->d->streams, s->reader->name);
    if (!s->stream || s->stream->row.stream_id != s->reader->stream_id) {
        stream_unref(s->stream);
        s->stream = NULL;
        return streams_load(s->d->streams, s->db, s->reader->name, &s->stream, s->f);
    }
    return OK;
}

enum err saga_events_step(const struct saga_events_def *d, struct db *db, const struct saga_reader_row *reader,
                          enum saga_step_result *ret, bool *ret_found, struct fault *f)
{
    struct step s = { .d = d, .db = db, .reader = reader, .f = f, .arena = arena_new(SAGA_STEP_ARENA) };
    enum err e = s.arena ? stream_of(&s) : ERR_NO_MEMORY;

    *ret = SAGA_STEP_MORE;
    if (!e && s.stream->row.stream_id == reader->stream_id)
        e = transact(&s, ret, ret_found);
    stream_unref(s.stream);
    arena_free(s.arena);
    if (e == ERR_UNKNOWN_STREAM) { /* deleted meanwhile: its reader is tidied up */
        *ret = SAGA_STEP_IDLE;
        return OK;
    }
    return e;
}
