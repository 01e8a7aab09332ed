#include "gateway/engine/groups_status.h"

#include "db/retention.h"
#include "gateway/base/glob.h"
#include "gateway/base/json.h"
#include "gateway/engine/event.h"
#include "gateway/engine/groups.h"
#include "gateway/engine/groups_manage.h"

#define LOOK_EVENTS 1000             /* looked at, of all partitions together, to explain */
#define LOOK_BYTES (INT64_C(4) << 20)
#define VIEW_BYTES ((size_t)256 << 20)

/* What a call works on. */
struct view {
    struct db *db;
    struct arena *arena;             /* ours: deadlines of a large group fill megabytes */
    struct fault *fault;
    struct stream *stream;           /* a reference */
    struct group_state *state;       /* ours */
    struct head_row heads[PARTITIONS_MAX];
    int64_t now_us;
    int64_t oldest[PARTITIONS_MAX];  /* unfinished below the position, before deadlines; INT64_MAX: none */
};

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What dies of a deadline that has passed stays one of those that wait: no lane has buried it yet. */
static enum err settle(struct view *v, struct group_figures *ret)
{
    struct group_changes changes;

    group_state_figures(v->state, ret);
    memcpy(v->oldest, ret->oldest_offset, sizeof v->oldest);
    group_state_begin(v->state, v->arena, v->now_us, 0);
    group_state_expire(v->state);
    if (group_state_failed(v->state) || !group_state_changes(v->state, &changes))
        return ERR_NO_MEMORY;
    group_state_figures(v->state, ret);
    ret->retrying += (int64_t)changes.deaths_n;
    for (size_t i = 0; i < changes.deaths_n; i++)
        ret->part_retrying[changes.deaths[i].at.partition]++;
    return OK;
}

/* Events that retention has removed are of no age. */
static enum err find_age(struct view *v, struct group_status *s)
{
    int32_t partitions[2 * PARTITIONS_MAX];
    int64_t offsets[2 * PARTITIONS_MAX], oldest_us;
    size_t n = 0;
    enum err e;

    for (int32_t p = 0; p < (int32_t)s->partitions; p++) {
        if (v->oldest[p] != INT64_MAX) {
            partitions[n] = p;
            offsets[n++] = v->oldest[p];
        }
        if (s->above[p]) {
            partitions[n] = p;
            offsets[n++] = s->head[p] - s->above[p] + 1;
        }
    }
    if (!n || (e = db_group_oldest(v->db, v->arena, v->stream->row.stream_id, partitions, offsets, n, &oldest_us, v->fault)))
        return n ? e : OK;
    if (oldest_us < v->now_us)
        s->lag_us = v->now_us - oldest_us;
    return OK;
}

static enum err measure(struct view *v, struct arena *a, struct group_status *s)
{
    const struct group_figures *f = &s->figures;
    enum err e;

    s->group = *group_state_def(v->state);
    if (!(s->group.types = arena_slice(a, s->group.types)).p)
        return ERR_NO_MEMORY;
    if ((e = settle(v, &s->figures)))
        return e;
    for (size_t p = 0; p < s->partitions; p++) {
        const struct head_row *h = &v->heads[p];

        s->head[p] = h->head;
        s->above[p] = max_of(0, h->head - max_of(f->next[p], h->earliest) + 1);
        s->part_lag[p] = s->above[p] + f->part_in_flight[p] + f->part_retrying[p] + f->part_skipped[p];
        s->lag_events += s->part_lag[p];
    }
    return find_age(v, s);
}

static enum err open_view(struct view *v, struct streams *streams, struct arena *a, struct slice stream, struct slice name,
                          struct group_status *s)
{
    enum err e;

    *s = (struct group_status){ 0 };
    if (!(v->arena = arena_new(VIEW_BYTES)))
        return ERR_NO_MEMORY;
    if ((e = groups_stream(streams, v->db, v->arena, stream, &v->stream, v->fault)) ||
        (e = groups_load(v->db, v->arena, v->stream, name, &v->state, v->fault)) ||
        (e = streams_heads(v->db, v->stream->row.stream_id, v->heads, &s->partitions, v->fault)) ||
        (e = db_clock(v->db, &v->now_us, v->fault)))
        return e;
    if (!s->partitions)
        return fault(v->fault, ERR_UNKNOWN_STREAM, "The stream %.*s was deleted.", (int)stream.n, stream.p);
    if ((e = measure(v, a, s)))
        return e;
    s->group.name = name;
    return db_group_dead(v->db, &s->group, &s->dead, v->fault);
}

static void close_view(struct view *v)
{
    group_state_free(v->state);
    stream_unref(v->stream);
    arena_free(v->arena);
}

enum err groups_status(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct slice name,
                       struct group_status *ret, struct fault *f)
{
    struct view v = { .db = db, .fault = f };
    enum err e = open_view(&v, streams, a, stream, name, ret);

    close_view(&v);
    return e;
}

/* --- why nothing is delivered --- */

static bool takes_type(struct arena *a, struct slice types, struct slice type)
{
    struct slice inside, pattern;
    struct json j;
    bool escaped, any = false;

    json_begin(&j, types, 2);
    if (!json_array_begin(&j))
        return true;
    while (json_array_next(&j) && json_scan_string(&j, &inside, &escaped)) {
        any = true;
        if (json_unescape(a, inside, escaped, &pattern) && glob_match(pattern, type))
            return true;
    }
    return !any;
}

/* Offers what follows the positions to the copy, as a lane does. `more`: there is something that was not looked at. */
static enum err look_ahead(struct view *v, struct group_explanation *x, bool *more)
{
    const struct group_status *s = &x->status;
    int32_t partitions[PARTITIONS_MAX], p;
    int64_t next[PARTITIONS_MAX], seen[PARTITIONS_MAX] = { 0 };
    struct page_row row;
    struct handed h;
    struct rows rows = { 0 };
    struct page_plan plan;
    size_t n = 0;
    enum err e;

    for (p = 0; p < (int32_t)s->partitions; p++)
        if (s->above[p] && group_state_wants(v->state, p)) {
            partitions[n] = p;
            next[n++] = s->head[p] - s->above[p] + 1;
        }
    if (!n)
        return OK;
    plan = (struct page_plan){ partitions, next, n, LOOK_EVENTS / (int64_t)n + 1, LOOK_BYTES / (int64_t)n, false };
    if (!db_group_page(v->db, v->arena, v->stream->row.stream_id, &plan))
        return ERR_NO_MEMORY;
    e = db_flush(v->db, &rows, 1, v->fault);
    for (int i = 0; !e && !x->deliverable && i < rows.n; i++) {
        db_group_event(&rows, i, &p, &row);
        if (takes_type(v->arena, s->group.types, row.type)) {
            uint64_t key = group_key_hash(event_order_key(v->arena, row.attributes, row.subject));

            x->deliverable = group_state_offer(v->state, p, row.offset, key, true, &h) == OFFER_TAKEN;
        } else {
            x->passed++;
        }
        seen[p] = row.offset;
    }
    for (size_t i = 0; !e && i < n; i++)
        *more |= seen[partitions[i]] < s->head[partitions[i]];
    rows_free(&rows);
    return group_state_failed(v->state) ? ERR_NO_MEMORY : e;
}

static void give_reasons(struct view *v, struct group_explanation *x)
{
    const struct group_status *s = &x->status;
    struct group_figures f;
    int64_t above = 0;

    group_state_figures(v->state, &f); /* after what was looked at */
    for (size_t p = 0; p < s->partitions; p++) {
        above += s->above[p];
        if (f.part_skipped[p] >= s->group.max_skipped)
            x->full |= UINT64_C(1) << p;
    }
    x->blocked_keys = f.blocked_keys;
    x->blocker_n = group_state_blockers(v->state, x->blockers, EXPLAIN_BLOCKERS);
    x->retry_us = group_state_retry_due(v->state);
    x->why = (s->group.paused ? WHY_PAUSED : 0u) | (f.in_flight >= s->group.max_in_flight ? WHY_IN_FLIGHT : 0u) |
             (f.retrying >= s->group.max_retrying ? WHY_RETRYING : 0u) | (x->full ? WHY_SKIPPED : 0u) |
             (f.skipped ? WHY_KEYS : 0u) | (f.retrying ? WHY_BACKOFF : 0u) | (x->passed ? WHY_TYPES : 0u) |
             (above == 0 ? WHY_NOTHING : 0u);
}

static enum err explain(struct view *v, struct group_explanation *x)
{
    struct handed h;
    bool more = false;
    enum err e = OK;

    group_state_open(v->state, v->now_us, SLICE(""), 1);
    x->deliverable = group_state_take(v->state, &h);
    if (!x->deliverable && (e = look_ahead(v, x, &more)))
        return e;
    x->deliverable = (x->deliverable || more) && !x->status.group.paused;
    if (!x->deliverable)
        give_reasons(v, x);
    return OK;
}

enum err groups_explain(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct slice name,
                        struct group_explanation *ret, struct fault *f)
{
    struct view v = { .db = db, .fault = f };
    enum err e;

    *ret = (struct group_explanation){ .retry_us = INT64_MAX };
    if (!(e = open_view(&v, streams, a, stream, name, &ret->status)))
        e = explain(&v, ret);
    close_view(&v);
    return e;
}
