#include "gateway/base/log.h"
#include "gateway/engine/commit_batch.h"

#define STATEMENTS_MAX 12 /* a group's in one flush, BEGIN, COMMIT and NOTIFY included */

/* Statements queued so far and their results, in order. */
struct flight {
    struct batch *b;
    struct db *db;
    struct rows *rows;
    size_t n, max;
    bool failed;    /* out of memory while queueing */
};

static bool flight_begin(struct flight *f, struct batch *b, struct db *db)
{
    *f = (struct flight){ .b = b, .db = db, .max = b->group_n * STATEMENTS_MAX + STATEMENTS_MAX };
    return (f->rows = arena_zalloc(b->arena, f->max * sizeof *f->rows)) != NULL;
}

static void queued(struct flight *f, bool ok)
{
    f->failed |= !ok;
    f->n += ok;
}

static void queue_plain(struct flight *f, const struct stmt *s)
{
    db_queue(f->db, s, NULL);
    f->n++;
}

static enum err flush(struct flight *f)
{
    struct fault fault = { 0 };
    enum err e;

    if (f->failed) { /* nothing was sent: begin anew on a clean connection */
        db_abandon(f->db);
        return ERR_NO_MEMORY;
    }
    e = db_flush(f->db, f->rows, f->n, &fault);
    if (e && e != ERR_DB_UNIQUE && e != ERR_DB_RETRY)
        log_warn("commit failed", L_STR("why", fault.detail), L_INT("requests", f->b->n));
    return e;
}

static void free_rows(struct flight *f)
{
    for (size_t i = 0; i < f->n; i++)
        rows_free(&f->rows[i]);
    f->n = 0;
}

/* The slots as rows; n is how many have something for the statement. */
static struct publish_head *head_rows(struct batch *b, const struct group *g, bool changed_only, size_t *ret_n)
{
    struct publish_head *v = arena_alloc(b->arena, g->part_n * sizeof *v);

    *ret_n = 0;
    for (size_t i = 0; v && i < g->part_n; i++)
        if (!changed_only || g->part[i].n)
            v[(*ret_n)++] = (struct publish_head){
                .partition = g->part[i].partition, .head = g->part[i].head + g->part[i].n, .n = g->part[i].n,
                .bytes = g->part[i].bytes, .recorded_us = g->part[i].recorded_us, .first_offset = g->part[i].head + 1 };
    return v;
}

static struct publish_event *event_rows(struct batch *b, const struct group *g)
{
    struct publish_event *v = arena_alloc(b->arena, (g->accepted_n + 1) * sizeof *v);
    int64_t behind[PARTITIONS_MAX] = { 0 };

    for (size_t i = g->accepted_n; v && i-- > 0;) {
        const struct event *ev = g->accepted[i];

        v[i] = (struct publish_event){
            .partition = ev->partition, .offset = ev->offset, .back = behind[ev->partition]++, .recorded_us = ev->recorded_us,
            .version = ev->version, .id = ev->id, .source = ev->source, .type = ev->type, .subject = ev->subject,
            .attributes = ev->attributes.p ? ev->attributes : SLICE(""), .data_format = (int16_t)ev->data_format,
            .data = ev->data_format == DATA_NONE ? SLICE_NONE : ev->data };
    }
    return v;
}

static void queue_notify(struct flight *f)
{
    size_t max = f->b->group_n * PARTITIONS_MAX, n = 0;
    int64_t *streams = arena_alloc(f->b->arena, max * sizeof *streams);
    int32_t *partitions = arena_alloc(f->b->arena, max * sizeof *partitions);

    for (const struct group *g = f->b->groups; streams && partitions && g < f->b->groups + f->b->group_n; g++)
        for (size_t i = 0; i < g->part_n; i++)
            if (g->part[i].n) {
                streams[n] = g->stream->row.stream_id;
                partitions[n++] = g->part[i].partition;
            }
    queued(f, streams && partitions && db_heads_notify(f->db, f->b->arena, streams, partitions, n));
}

/* --- events that need no decision: one round trip --- */

static void plain_accept(struct group *g)
{
    g->accepted_n = 0;
    for (size_t i = 0; i < g->part_n; i++)
        g->part[i].n = g->part[i].bytes = 0;
    for (size_t i = 0; i < g->pub_n; i++)
        for (size_t k = 0; k < g->pub[i]->events.n; k++) {
            struct event *ev = &g->pub[i]->events.v[k];
            struct slot_part *part = &g->part[g->part_of[ev->partition]];

            ev->duplicate = false;
            part->n++;
            part->bytes += (int64_t)(ev->attributes.n + ev->data.n);
            g->accepted[g->accepted_n++] = ev;
        }
}

static void refuse_deleted(struct group *g)
{
    for (size_t i = 0; i < g->pub_n; i++)
        g->pub[i]->err = fault(&g->pub[i]->fault, ERR_UNKNOWN_STREAM, "The stream was deleted.");
    g->accepted_n = 0;
}

/* The new heads came back: count the events down from them. */
static void plain_settle(struct group *g, const struct rows *heads)
{
    int64_t next[PARTITIONS_MAX];

    for (int i = 0; i < heads->n; i++) {
        int p = row_int4(heads, i, 0);
        struct slot_part *part = &g->part[g->part_of[p]];

        part->head = row_int8(heads, i, 1) - part->n;
        part->recorded_us = row_time(heads, i, 2);
        part->locked = true;
        next[p] = part->head;
    }
    for (size_t i = 0; i < g->accepted_n; i++) {
        struct event *ev = g->accepted[i];

        if (g->part[g->part_of[ev->partition]].locked) {
            ev->offset = ++next[ev->partition];
            ev->recorded_us = g->part[g->part_of[ev->partition]].recorded_us;
        }
    }
    for (size_t i = 0; i < g->pub_n; i++)
        g->pub[i]->err = OK;
    if (heads->n != (int)g->part_n)
        refuse_deleted(g);
}

static enum err write_plain(struct batch *b, struct db *db)
{
    struct flight f;
    size_t n, at;
    enum err e;

    if (!flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    queue_plain(&f, &DB_BEGIN);
    for (struct group *g = b->groups; g < b->groups + b->group_n; g++) {
        int64_t id = g->stream->row.stream_id;
        struct publish_head *heads;
        struct publish_event *events;

        plain_accept(g);
        heads = head_rows(b, g, false, &n);
        events = event_rows(b, g);
        if (g->part_n > 1) /* an UPDATE of several rows locks them in any order */
            queued(&f, heads && db_heads_lock(db, b->arena, id, heads, n));
        queued(&f, heads && db_heads_advance(db, b->arena, id, heads, n, b->now_us));
        queued(&f, events && db_events_append(db, b->arena, id, events, g->accepted_n));
    }
    queue_notify(&f);
    queue_plain(&f, &DB_COMMIT);
    e = flush(&f);
    at = 1;
    for (struct group *g = b->groups; !e && g < b->groups + b->group_n; g++) {
        at += g->part_n > 1;
        plain_settle(g, &f.rows[at]);
        at += 2;
    }
    free_rows(&f);
    return e;
}

/* --- lock first, look second, then write --- */

static void see_heads(struct group *g, const struct rows *r)
{
    for (size_t i = 0; i < g->part_n; i++)
        g->part[i].locked = false;
    for (int i = 0; i < r->n; i++) {
        struct slot_part *part = &g->part[g->part_of[row_int4(r, i, 0)]];

        part->locked = true;
        part->head = row_int8(r, i, 1);
        part->recorded_us = row_time(r, i, 2);
    }
}

static void see_ids(struct group *g, const struct rows *r, int64_t now_us)
{
    for (size_t i = 0; i < g->id_n; i++)
        g->ids[i].known = g->ids[i].ours = g->ids[i].expired = false;
    for (int i = 0; i < r->n; i++) {
        struct slot_id *id = &g->ids[row_int4(r, i, 0) - 1];

        if (row_time(r, i, 6) <= now_us) {
            id->expired = true;
            continue;
        }
        id->known = true;
        memcpy(id->fingerprint, row_uuid(r, i, 1), 16);
        id->partition = row_int4(r, i, 2);
        id->offset = row_int8(r, i, 3);
        id->version = row_null(r, i, 4) ? 0 : row_int8(r, i, 4);
        id->recorded_us = row_time(r, i, 5);
    }
}

static void see_subjects(struct group *g, const struct rows *r)
{
    for (size_t i = 0; i < g->subject_n; i++) {
        g->subjects[i].stored = false;
        g->subjects[i].version = g->subjects[i].stored_version = 0;
    }
    for (int i = 0; i < r->n; i++) {
        struct slot_subject *s = group_subject(g, row_text(r, i, 0));

        s->stored = true;
        s->partition = row_int4(r, i, 1);
        s->version = s->stored_version = row_int8(r, i, 2);
    }
}

static enum err look(struct batch *b, struct db *db)
{
    struct flight f;
    struct publish_head *heads;
    size_t n, at = 1;
    enum err e;

    if (!flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    queue_plain(&f, &DB_BEGIN);
    for (struct group *g = b->groups; g < b->groups + b->group_n; g++) {
        int64_t id = g->stream->row.stream_id;
        struct publish_id *ids = arena_zalloc(b->arena, (g->id_n + 1) * sizeof *ids);
        struct publish_subject *subjects = arena_zalloc(b->arena, (g->subject_n + 1) * sizeof *subjects);

        heads = head_rows(b, g, false, &n);
        for (size_t i = 0; ids && i < g->id_n; i++)
            memcpy(ids[i].key, g->ids[i].key, 16);
        for (size_t i = 0; subjects && i < g->subject_n; i++)
            subjects[i].subject = g->subjects[i].subject;
        queued(&f, heads && db_heads_lock(db, b->arena, id, heads, n));
        if (g->id_n)
            queued(&f, ids && db_dedup_look(db, b->arena, id, ids, g->id_n, b->now_us));
        if (g->subject_n)
            queued(&f, subjects && db_subjects_look(db, b->arena, id, subjects, g->subject_n));
    }
    e = flush(&f);
    for (struct group *g = b->groups; !e && g < b->groups + b->group_n; g++) {
        see_heads(g, &f.rows[at++]);
        if (g->id_n)
            see_ids(g, &f.rows[at++], b->now_us);
        if (g->subject_n)
            see_subjects(g, &f.rows[at++]);
    }
    free_rows(&f);
    return e;
}

static void queue_ids(struct flight *f, const struct group *g)
{
    struct batch *b = f->b;
    int64_t id = g->stream->row.stream_id;
    struct publish_id *made = arena_alloc(b->arena, (g->id_n + 1) * sizeof *made);
    struct publish_id *over = arena_alloc(b->arena, (g->id_n + 1) * sizeof *over);
    size_t made_n = 0, over_n = 0;

    for (size_t i = 0; made && over && i < g->id_n; i++) {
        const struct slot_id *s = &g->ids[i];
        struct publish_id row = { .partition = s->partition, .offset = s->offset, .version = s->version,
                                  .recorded_us = s->recorded_us };

        if (!s->ours)
            continue;
        memcpy(row.key, s->key, 16);
        memcpy(row.fingerprint, s->fingerprint, 16);
        made[made_n++] = row;
        if (s->expired)
            over[over_n++] = row;
    }
    if (over_n)
        queued(f, db_dedup_expire(f->db, b->arena, id, over, over_n, b->now_us));
    if (made_n || !made || !over)
        queued(f, made && over && db_dedup_insert(f->db, b->arena, id, made, made_n, b->now_us + g->stream->row.dedup_window_us));
}

static void queue_subjects(struct flight *f, const struct group *g)
{
    struct batch *b = f->b;
    int64_t id = g->stream->row.stream_id;
    struct publish_subject *v = arena_alloc(b->arena, (g->subject_n + 1) * sizeof *v);
    size_t n = 0, made = 0;

    for (int stored = 0; v && stored < 2; stored++) { /* new ones first, in the order of their names */
        for (size_t i = 0; i < g->subject_n; i++) {
            const struct slot_subject *s = &g->subjects[i];

            if (s->stored == (bool)stored && s->version != s->stored_version)
                v[n++] = (struct publish_subject){ s->subject, s->partition, s->version, s->last_offset };
        }
        if (!stored)
            made = n;
    }
    if (!v)
        queued(f, false);
    else {
        if (made)
            queued(f, db_subjects_insert(f->db, b->arena, id, v, made));
        if (n > made)
            queued(f, db_subjects_update(f->db, b->arena, id, v + made, n - made));
    }
}

static void queue_group(struct flight *f, const struct group *g)
{
    struct batch *b = f->b;
    int64_t id = g->stream->row.stream_id;
    size_t n, month_n = 0;
    struct publish_head *heads = head_rows(b, g, true, &n), *months = arena_alloc(b->arena, (g->part_n + 1) * sizeof *months);
    struct publish_event *events = event_rows(b, g);

    if (!heads || !months || !events) {
        queued(f, false);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (g->stream->lane[heads[i].partition].month != month_index(heads[i].recorded_us))
            months[month_n++] = heads[i];
    queued(f, db_heads_set(f->db, b->arena, id, heads, n));
    queued(f, db_events_insert(f->db, b->arena, id, g->stream->row.subject_reads, events, g->accepted_n));
    if (g->id_n)
        queue_ids(f, g);
    if (g->subject_n)
        queue_subjects(f, g);
    if (month_n)
        queued(f, db_months_insert(f->db, b->arena, id, months, month_n));
}

static enum err write_decided(struct batch *b, struct db *db)
{
    struct flight f;
    bool any = false;
    enum err e = look(b, db);

    if (e)
        return e;
    if (!flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    for (struct group *g = b->groups; g < b->groups + b->group_n; g++) {
        group_decide(g, b->now_us);
        any |= g->accepted_n > 0;
        if (g->accepted_n)
            queue_group(&f, g);
    }
    if (any)
        queue_notify(&f);
    queue_plain(&f, any ? &DB_COMMIT : &DB_ROLLBACK);
    e = flush(&f);
    free_rows(&f);
    return e;
}

enum err batch_write(struct batch *b, struct db *db)
{
    enum err e = b->plain ? write_plain(b, db) : write_decided(b, db);

    for (struct group *g = b->groups; !e && g < b->groups + b->group_n; g++)
        for (size_t i = 0; i < g->part_n; i++)
            if (g->part[i].n && g->part[i].locked)
                g->stream->lane[g->part[i].partition] =
                    (struct lane_partition){ g->part[i].head + g->part[i].n, month_index(g->part[i].recorded_us) };
    return e;
}

/* --- was it committed? --- */

/* Where offset and time were decided here they must be these: another gateway may have recorded the same id since. */
static bool is_row_of(const struct rows *r, int k, const struct event *ev, bool decided)
{
    return row_int4(r, k, 0) == ev->partition && slice_eq(row_text(r, k, 3), ev->id) && slice_eq(row_text(r, k, 4), ev->source) &&
           (!decided || (row_int8(r, k, 1) == ev->offset && row_time(r, k, 2) == ev->recorded_us));
}

static bool all_found(struct group *g, const struct rows *r, bool decided)
{
    for (size_t i = 0; i < g->accepted_n; i++) {
        struct event *ev = g->accepted[i];
        int k = 0;

        while (k < r->n && !is_row_of(r, k, ev, decided))
            k++;
        if (k == r->n)
            return false;
        ev->offset = row_int8(r, k, 1);
        ev->recorded_us = row_time(r, k, 2);
    }
    return true;
}

static enum err look_for(struct batch *b, struct group *g, struct db *db)
{
    struct flight f;
    int64_t after = INT64_MAX;
    size_t n;
    struct publish_head *heads = head_rows(b, g, false, &n);
    struct publish_event *events = event_rows(b, g);
    enum err e;

    for (size_t i = 0; i < g->part_n; i++)
        if (g->part[i].head < after)
            after = g->part[i].head < 0 ? 0 : g->part[i].head;
    if (!heads || !events || !flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    queue_plain(&f, &DB_BEGIN);
    queued(&f, db_heads_lock(db, b->arena, g->stream->row.stream_id, heads, n)); /* waits for our lost transaction */
    queued(&f, db_outcome_look(db, b->arena, g->stream->row.stream_id, heads, n, after, b->now_us, events, g->accepted_n));
    queue_plain(&f, &DB_COMMIT);
    e = flush(&f);
    g->found = !e && all_found(g, &f.rows[2], !b->plain);
    free_rows(&f);
    return e;
}

enum err batch_outcome(struct batch *b, struct db *db, bool *ret_committed)
{
    enum err e;

    *ret_committed = false;
    for (struct group *g = b->groups; g < b->groups + b->group_n; g++) {
        if (g->accepted_n && (e = look_for(b, g, db)))
            return e;
        *ret_committed |= g->accepted_n && g->found;
    }
    /* One transaction: what is missing of it met a deleted stream on the plain way, which decides nothing beforehand. */
    for (struct group *g = b->groups; *ret_committed && g < b->groups + b->group_n; g++)
        if (g->accepted_n && !g->found)
            refuse_deleted(g);
    return OK;
}
