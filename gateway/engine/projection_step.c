#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/projection_step.h"
#include "gateway/engine/read.h"

#define RACES 5                  /* another part has made one of our keys meanwhile: so often at once */
#define SCAN_FACTOR 50           /* offsets looked at for an event, where few are of the projection's types */
#define SPARE ((size_t)64 << 20) /* of memory beside pages and states */
#define SLOW_US (US_PER_S / 10)  /* a step shall not take longer */

/* --- what is folded --- */

/* The patterns go to PostgreSQL unless they are many, or match all. */
static void filter_of(const struct fold *fold, struct filter *f)
{
    size_t n;
    const struct slice *types = fold_types(fold, &n);

    for (size_t i = 0; i < n; i++)
        if (slice_is(types[i], "*"))
            n = 0;
    if (n > FILTER_MAX)
        n = 0;
    f->type_n = n;
    memcpy(f->types, types, n * sizeof *types);
}

static enum err read_events(struct step *s)
{
    const struct config *c = s->p->config;
    struct filter *filter = arena_zalloc(s->arena, sizeof *filter);
    int64_t pos[PARTITIONS_MAX] = { 0 };
    struct read_spec spec = { .from = READ_CURSOR, .pos = pos, .only = s->part->id.partition, .filter = filter,
                              .limit = (int64_t)s->part->batch, .bytes = c->projections_batch_bytes,
                              .scan = (int64_t)s->part->batch * SCAN_FACTOR };
    enum err e;

    if (!filter)
        return ERR_NO_MEMORY;
    filter_of(folder_of(s)->def.fold, filter);
    if (!filter->type_n)
        spec.filter = NULL;
    pos[spec.only] = s->from;
    e = read_page(s->db, s->arena, s->part->stream, &spec, &s->page, &s->fault);
    s->to = s->page.pos[spec.only];
    if (e == ERR_CURSOR_EXPIRED && s->part->fresh) { /* it begins with what there is */
        s->begins = true;
        s->page.n = 0;
        return OK;
    }
    if (!e && s->to > s->part->upto)
        s->to = s->part->upto;
    while (!e && s->page.n && s->page.events[s->page.n - 1].offset > s->to)
        s->page.n--;
    return e;
}

/* The step ends before this event, unless it is passed over. */
static void refuse(struct step *s, const struct event *ev, const struct fault *why)
{
    s->refused = ev;
    s->why = *why;
    s->to = ev->offset - 1;
}

/* Which events are folded, up to one that has no key. */
static enum err choose_events(struct step *s)
{
    const struct fold *fold = folder_of(s)->def.fold;
    int64_t *skips = NULL;
    size_t skip_n = 0, k = 0;
    enum err e = OK;

    if (folder_of(s)->skips)
        e = db_skips_of(s->db, s->arena, &s->part->id, s->from, s->to, &skips, &skip_n, &s->fault);
    if (!e && !(s->items = arena_alloc(s->arena, (s->page.n + 1) * sizeof *s->items)))
        e = ERR_NO_MEMORY;
    for (size_t i = 0; !e && i < s->page.n && !s->refused; i++) {
        const struct event *ev = &s->page.events[i];
        struct fault why = { 0 };

        while (k < skip_n && skips[k] < ev->offset)
            k++;
        if (k < skip_n && skips[k] == ev->offset)
            continue;
        switch (fold_read(fold, s->part->stream->row.name, ev, s->arena, &s->items[s->item_n].event, &why)) {
        case FOLD_DONE:
            s->items[s->item_n++].at = i;
            break;
        case FOLD_PASSED:
            break;
        case FOLD_REFUSED:
            if (!step_bury(s, ev, &why))
                refuse(s, ev, &why);
            break;
        case FOLD_NO_MEMORY:
            e = ERR_NO_MEMORY;
        }
    }
    return e;
}

static int by_key(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

    return slice_order(x->event.key, y->event.key);
}

/* The distinct keys, ascending. */
static enum err collect_keys(struct step *s)
{
    struct item **sorted = arena_alloc(s->arena, (s->item_n + 1) * sizeof *sorted);

    s->keys = arena_zalloc(s->arena, (s->item_n + 1) * sizeof *s->keys);
    s->key_n = 0;
    if (!sorted || !s->keys)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->item_n; i++)
        sorted[i] = &s->items[i];
    qsort(sorted, s->item_n, sizeof *sorted, by_key);
    for (size_t i = 0; i < s->item_n; i++) {
        if (!s->key_n || !slice_eq(s->keys[s->key_n - 1].key, sorted[i]->event.key))
            s->keys[s->key_n++].key = sorted[i]->event.key;
        sorted[i]->key = s->key_n - 1;
    }
    return OK;
}

/* --- states --- */

static enum err open_states(struct step *s, const struct rows *rows)
{
    size_t bytes = 0, most = (size_t)s->p->config->projections_batch_bytes;
    int at = 0;

    for (size_t k = 0; k < s->key_n; k++) {
        struct keyed *x = &s->keys[k];
        struct locked_state row = { 0 };

        if (at < rows->n)
            db_locked_state(rows, at, &row);
        x->there = row.key.p && slice_eq(row.key, x->key);
        if (x->there && !row.state.p)
            return ERR_NO_MEMORY; /* more than a step may hold: the next one is smaller */
        if (!x->there)
            row = (struct locked_state){ 0 };
        at += x->there;
        x->before = row.state;
        bytes += row.state.n;
        x->version = row.version;
        if (!(x->state = fold_open(folder_of(s)->def.fold, s->arena, row.state, row.version,
                                   (size_t)s->p->config->projections_state_bytes)))
            return ERR_NO_MEMORY;
    }
    if (bytes > most && s->part->batch > 1) /* the next one shall have less to hold */
        s->part->batch = s->part->batch * most / bytes + 1;
    return OK;
}

/* ERR_DB_RETRY: the step has become shorter. */
static enum err apply_events(struct step *s)
{
    s->letters.buried_n = s->letters.chosen_n;
    for (size_t i = 0; i < s->item_n; i++) {
        const struct event *ev = &s->page.events[s->items[i].at];
        struct keyed *x = &s->keys[s->items[i].key];
        struct fault why = { 0 };
        enum fold_result r = fold_apply(x->state, &s->items[i].event, &why);

        if (r == FOLD_NO_MEMORY)
            return ERR_NO_MEMORY;
        if (r == FOLD_REFUSED && step_bury(s, ev, &why))
            continue;
        if (r == FOLD_REFUSED) {
            refuse(s, ev, &why);
            s->item_n = i;
            return ERR_DB_RETRY;
        }
        x->offset = ev->offset;
        x->subject_version = s->letters.redriven ? 0 : ev->version; /* a snapshot is of what came in order */
    }
    return OK;
}

/* --- the transaction --- */

static struct step_row row_of(const struct step *s)
{
    return (struct step_row){ .id = s->part->id, .epoch = s->part->epoch, .from = s->from, .to = s->to,
                              .folded = (int64_t)s->item_n, .idle_us = s->p->config->projections_lease_us,
                              .begins = s->begins, .bytes = s->p->config->projections_batch_bytes };
}

static enum err transact(struct step *s, bool *ret_ours)
{
    const struct step_row row = row_of(s);
    struct rows rows = { 0 };
    struct slice *keys = arena_alloc(s->arena, (s->item_n + 1) * sizeof *keys);
    enum err e = keys ? collect_keys(s) : ERR_NO_MEMORY;

    for (size_t k = 0; !e && k < s->key_n; k++)
        keys[k] = s->keys[k].key;
    if (e || (e = db_step_begin(s->db, s->arena, &row, keys, s->key_n, ret_ours, &s->build_state, &rows, &s->fault)) || !*ret_ours)
        return e;
    if (!(e = open_states(s, &rows)) && !(e = apply_events(s)))
        e = step_write_states(s);
    if (e)
        db_rollback(s->db);
    rows_free(&rows);
    return e;
}

static bool is_work(const struct step *s)
{
    return s->to > s->from || s->letters.redriven;
}

/* The step up to an event that is refused, until there is none, or nothing before it. */
static enum err fold_page(struct step *s, bool *ret_ours)
{
    enum err e = ERR_DB_RETRY;

    *ret_ours = true;
    for (int races = 0; (e == ERR_DB_RETRY || e == ERR_DB_UNIQUE) && races < RACES && is_work(s); races++) {
        size_t before = s->item_n;

        e = transact(s, ret_ours);
        races -= s->item_n < before;
    }
    return !is_work(s) && s->refused ? OK : e;
}

/* --- failing --- */

static void describe(const struct step *s, struct buf *b)
{
    const struct event *ev = s->refused;

    BUF_LIT(b, "{\"stream\":");
    buf_json_string(b, s->part->stream->row.name);
    buf_printf(b, ",\"partition\":%d,\"offset\":\"%lld\"", s->part->id.partition, (long long)(ev ? ev->offset : s->from + 1));
    buf_member_text(b, "id", ev ? ev->id : SLICE_NONE);
    buf_member_text(b, "type", ev ? ev->type : SLICE_NONE);
    buf_member_text(b, "detail", slice_of(s->why.detail));
    if (*s->why.pointer)
        buf_member_text(b, "pointer", slice_of(s->why.pointer));
    buf_member_time(b, "at", clock_unix_us());
    buf_char(b, '}');
}

/* The build stops here, with the event named; whoever folds another part of it finds out. */
static enum err fail_build(struct step *s)
{
    struct step_row row = row_of(s);
    struct buf b = { 0 };
    bool failed = false;
    enum err e;

    row.from = s->to; /* what stood before the event is committed */
    describe(s, &b);
    if (b.failed)
        return ERR_NO_MEMORY;
    row.epoch++; /* of the fence */
    if (!(e = db_exec(s->db, &DB_BEGIN, NULL, NULL, &s->fault)) &&
        !(e = db_parts_fence(s->db, s->arena, row.id.projection_id, &row.id.build, 1, &s->fault)) &&
        !(e = db_build_fail(s->db, &row, (struct slice){ b.p, b.n }, &failed, &s->fault)) && failed &&
        !(e = db_builds_release(s->db, row.id.projection_id, &s->fault)))
        e = projection_tell(s->db, row.id.projection_id, &s->fault);
    if (!e && failed)
        e = db_exec(s->db, &DB_COMMIT, NULL, NULL, &s->fault);
    if (e || !failed)
        db_rollback(s->db);
    if (!e && failed)
        log_warn("a projection has failed", L_INT("projection", row.id.projection_id), L_SLICE("stream", s->part->stream->row.name),
                 L_INT("partition", row.id.partition), L_STR("why", s->why.detail));
    if (!e && failed)
        metric_add(M_PROJECTION_FAILURES, 1);
    buf_free(&b);
    return e;
}

/* Where nothing more can be read: never passed over silently. */
static enum err fail_reading(struct step *s, enum err e)
{
    if (e == ERR_CURSOR_EXPIRED)
        fault(&s->why, e, "Events were removed by retention before they were folded, from this offset on: rebuild the projection "
                          "to go on with what there is.");
    else
        fault(&s->why, e, "The log ends before this offset: the database was set back.");
    s->to = s->from;
    return fail_build(s);
}

/* --- one step --- */

/* Whatever it was, a smaller step may do: one that takes longer than the lease is ended by PostgreSQL. */
static enum step_end late(struct step *s, enum err e)
{
    bool smaller = s->part->batch > 1;

    s->part->batch = s->part->batch / 2 + (s->part->batch < 2);
    if (e == ERR_NO_MEMORY && smaller)
        return STEP_MORE;
    s->part->doubt = true;
    if (e != ERR_DATABASE_UNAVAILABLE && e != ERR_DB_RETRY && e != ERR_DB_UNIQUE && e != ERR_OUTCOME_UNKNOWN)
        log_error("a step of a projection failed", L_INT("projection", s->part->id.projection_id), L_INT("err", e),
                  L_STR("why", s->fault.detail));
    return STEP_LATE;
}

/* Larger steps while there is more than fits, smaller ones when they take long: others wait for the thread. */
static void adapt(struct step *s, int64_t took_us)
{
    size_t most = (size_t)s->p->config->projections_batch_events;

    if (took_us > SLOW_US && s->part->batch > 1)
        s->part->batch /= 2;
    else if (s->page.n >= s->part->batch && !s->refused && took_us < SLOW_US / 2)
        s->part->batch *= 2;
    if (s->part->batch > most)
        s->part->batch = most;
}

static enum step_end go(struct step *s)
{
    int64_t began = clock_mono_us();
    bool ours = true;
    enum err e = read_events(s);

    if (e == ERR_UNKNOWN_STREAM)
        return STEP_LOST;
    if (e == ERR_CURSOR_EXPIRED || e == ERR_CURSOR_UNKNOWN)
        return (e = fail_reading(s, e)) ? late(s, e) : STEP_LOST;
    if (e || (e = step_letters_merge(s)) || (e = choose_events(s)))
        return late(s, e);
    s->letters.chosen_n = s->letters.buried_n;
    if (is_work(s)) {
        if ((e = fold_page(s, &ours)))
            return late(s, e);
        if (!ours)
            return STEP_LOST;
        s->moved = true;
        s->part->first = s->begins ? s->to : s->part->first;
        adapt(s, clock_mono_us() - began);
        metric_add(M_PROJECTION_FOLDED, (int64_t)s->item_n);
        metric_add(M_PROJECTION_STEPS, 1);
    }
    s->part->fresh &= s->to == s->from;
    if (s->refused)
        return (e = fail_build(s)) ? late(s, e) : STEP_LOST;
    if (s->to >= s->part->upto)
        return STEP_LOST; /* as far as it shall come */
    return s->page.up_to_date && s->letters.redriven < REDRIVEN_MAX ? STEP_IDLE : STEP_MORE;
}

/* What became of the last step? */
static enum err find_out(struct step *s, bool *ret_ours)
{
    int64_t epoch;
    enum err e = db_part_get(s->db, &s->part->id, &s->from, &epoch, &s->fault);

    *ret_ours = !e && epoch == s->part->epoch;
    s->part->doubt = e;
    return e;
}

enum step_end projection_step(struct projections *p, struct fold_part *part, struct db *db, int64_t *ret_position)
{
    struct step s = { .p = p, .part = part, .db = db, .from = part->position };
    enum step_end end = STEP_LATE;
    bool ours = true;

    *ret_position = s.from;
    if (!(s.arena = arena_new((size_t)(8 * p->config->projections_batch_bytes + 32 * p->config->projections_state_bytes) + SPARE)))
        return STEP_LATE;
    s.to = s.from;
    if (!part->doubt || !find_out(&s, &ours))
        end = ours ? go(&s) : STEP_LOST;
    *ret_position = s.moved ? s.to : s.from;
    if (s.moved && s.build_state == BUILD_ACTIVE)
        watches_progress(p, part->id.projection_id, &(struct place){ part->id.stream_id, s.to, part->id.partition });
    arena_free(s.arena);
    return end;
}
