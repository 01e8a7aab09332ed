#include "gateway/engine/commit_flight.h"

#include <inttypes.h>
#include <stdio.h>

static void queue_notify(struct flight *f)
{
    size_t max = f->b->lot_n * PARTITIONS_MAX, n = 0;
    int64_t *streams = arena_alloc(f->b->arena, max * sizeof *streams);
    int32_t *partitions = arena_alloc(f->b->arena, max * sizeof *partitions);

    for (const struct lot *g = f->b->lots; streams && partitions && g < f->b->lots + f->b->lot_n; g++)
        for (size_t i = 0; i < g->part_n; i++)
            if (g->part[i].n) {
                streams[n] = g->stream->row.stream_id;
                partitions[n++] = g->part[i].partition;
            }
    flight_queued(f, streams && partitions && db_heads_notify(f->db, f->b->arena, streams, partitions, n));
}

/* The same where the new heads are known here: PostgreSQL need not look them up again. */
static void queue_notify_known(struct flight *f)
{
    const size_t max = 8000; /* as PostgreSQL bounds a notification */
    char *text = arena_alloc(f->b->arena, max), *end = text;

    for (const struct lot *g = f->b->lots; text && g < f->b->lots + f->b->lot_n; g++)
        for (size_t i = 0; i < g->part_n; i++)
            if (g->part[i].n && end - text < (ptrdiff_t)max)
                end += snprintf(end, max - (size_t)(end - text), "%sh%" PRId64 ":%" PRId32 ":%" PRId64, end > text ? ";" : "",
                                g->stream->row.stream_id, g->part[i].partition, g->part[i].head + g->part[i].n);
    if (text && end - text >= (ptrdiff_t)max)
        end = text;          /* too much to tell: look at all */
    flight_queued(f, text && db_notify_queue(f->db, f->b->arena, (struct slice){ text, (size_t)(end - text) }));
}

/* --- events that need no decision: one round trip --- */

static void plain_accept(struct lot *g)
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

void lot_refuse(struct lot *g)
{
    for (size_t i = 0; i < g->pub_n; i++)
        g->pub[i]->err = fault(&g->pub[i]->fault, ERR_UNKNOWN_STREAM, "The stream was deleted.");
    g->accepted_n = 0;
}

/* The new heads came back: count the events down from them. */
static void plain_settle(struct lot *g, const struct rows *heads)
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
        lot_refuse(g);
}

/* One partition of one stream, as most batches are: one statement. */
static enum err write_append(struct batch *b, struct db *db)
{
    struct flight f;
    struct lot *g = b->lots;
    struct publish_head *head;
    struct publish_event *events;
    size_t n;
    enum err e;

    if (!flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    plain_accept(g);
    head = flight_heads(b, g, false, &n);
    events = flight_events(b, g);
    flight_queued(&f, head && events && db_log_append(db, b->arena, g->stream->row.stream_id, head, b->now_us, events,
                                                       g->accepted_n));
    if (!(e = flight_flush(&f)))
        plain_settle(g, &f.rows[0]);
    flight_end(&f);
    return e;
}

static enum err write_plain(struct batch *b, struct db *db)
{
    struct flight f;
    size_t n, at;
    enum err e;

    if (b->lot_n == 1 && b->lots->part_n == 1)
        return write_append(b, db);
    if (!flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    flight_say(&f, &DB_BEGIN);
    for (struct lot *g = b->lots; g < b->lots + b->lot_n; g++) {
        int64_t id = g->stream->row.stream_id;
        struct publish_head *heads;
        struct publish_event *events;

        plain_accept(g);
        heads = flight_heads(b, g, false, &n);
        events = flight_events(b, g);
        if (g->part_n > 1) /* an UPDATE of several rows locks them in any order */
            flight_queued(&f, heads && db_heads_lock(db, b->arena, id, heads, n));
        flight_queued(&f, heads && db_heads_advance(db, b->arena, id, heads, n, b->now_us));
        flight_queued(&f, events && db_events_append(db, b->arena, id, events, g->accepted_n));
    }
    queue_notify(&f);
    flight_say(&f, &DB_COMMIT);
    e = flight_flush(&f);
    at = 1;
    for (struct lot *g = b->lots; !e && g < b->lots + b->lot_n; g++) {
        at += g->part_n > 1;
        plain_settle(g, &f.rows[at]);
        at += 2;
    }
    flight_end(&f);
    return e;
}

/* --- lock first, look second, then write --- */

static void see_heads(struct lot *g, const struct rows *r)
{
    for (size_t i = 0; i < g->part_n; i++)
        g->part[i].locked = false;
    for (int i = 0; i < r->n; i++) {
        struct slot_part *part = &g->part[g->part_of[row_int4(r, i, 0)]];

        part->locked = true;
        part->head = row_int8(r, i, 1);
        part->recorded_us = row_time(r, i, 2);
        if (part->head < g->stream->lane[part->partition].head) /* set back, and maybe its month's row with it */
            g->stream->lane[part->partition].month = -1;
    }
}

static void see_ids(struct lot *g, const struct rows *r, int64_t now_us)
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

/* The rows stay until all is decided: answers may be large. */
static void see_keys(struct lot *g, struct rows *r, int64_t now_us)
{
    g->key_rows = *r;
    *r = (struct rows){ 0 };
    for (size_t i = 0; i < g->key_n; i++) {
        g->keys[i].known = g->keys[i].expired = false;
        g->keys[i].ours = NULL;
    }
    for (int i = 0; i < g->key_rows.n; i++) {
        struct slot_key *k = &g->keys[row_int4(&g->key_rows, i, 0) - 1];

        k->expired = row_time(&g->key_rows, i, 2) <= now_us;
        if (k->expired)
            continue;
        k->known = true;
        memcpy(k->fingerprint, row_uuid(&g->key_rows, i, 1), 16);
        k->status = row_int2(&g->key_rows, i, 3);
        k->answer = row_text(&g->key_rows, i, 4);
        k->cursor = row_text(&g->key_rows, i, 5);
    }
}

static void see_subjects(struct lot *g, const struct rows *r)
{
    for (size_t i = 0; i < g->subject_n; i++) {
        g->subjects[i].stored = false;
        g->subjects[i].version = g->subjects[i].stored_version = 0;
    }
    for (int i = 0; i < r->n; i++) {
        struct slot_subject *s = lot_subject(g, row_text(r, i, 0));

        s->stored = true;
        s->partition = row_int4(r, i, 1);
        s->version = s->stored_version = row_int8(r, i, 2);
    }
}

static void queue_look(struct flight *f, const struct lot *g)
{
    struct batch *b = f->b;
    int64_t id = g->stream->row.stream_id;
    struct publish_id *ids = arena_zalloc(b->arena, (g->id_n + 1) * sizeof *ids);
    struct publish_subject *subjects = arena_zalloc(b->arena, (g->subject_n + 1) * sizeof *subjects);
    struct publish_answer *keys = arena_zalloc(b->arena, (g->key_n + 1) * sizeof *keys);
    size_t n;
    struct publish_head *heads = flight_heads(b, g, false, &n);

    for (size_t i = 0; ids && i < g->id_n; i++)
        memcpy(ids[i].key, g->ids[i].key, 16);
    for (size_t i = 0; subjects && i < g->subject_n; i++)
        subjects[i].subject = g->subjects[i].subject;
    for (size_t i = 0; keys && i < g->key_n; i++) {
        memcpy(keys[i].key, g->keys[i].key, 16);
        memcpy(keys[i].fingerprint, g->keys[i].wanted, 16);
    }
    flight_queued(f, heads && db_heads_lock(f->db, b->arena, id, heads, n));
    if (g->key_n)
        flight_queued(f, keys && db_idempotency_look(f->db, b->arena, id, keys, g->key_n));
    if (g->id_n)
        flight_queued(f, ids && db_dedup_look(f->db, b->arena, id, ids, g->id_n, b->now_us));
    if (g->subject_n)
        flight_queued(f, subjects && db_subjects_look(f->db, b->arena, id, subjects, g->subject_n));
}

/* Leaves the transaction open. */
static enum err look(struct batch *b, struct db *db)
{
    struct flight f;
    size_t at = 1;
    enum err e;

    if (!flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    flight_say(&f, &DB_BEGIN);
    for (struct lot *g = b->lots; g < b->lots + b->lot_n; g++)
        queue_look(&f, g);
    e = flight_flush(&f);
    for (struct lot *g = b->lots; !e && g < b->lots + b->lot_n; g++) {
        see_heads(g, &f.rows[at++]);
        if (g->key_n)
            see_keys(g, &f.rows[at++], b->now_us);
        if (g->id_n)
            see_ids(g, &f.rows[at++], b->now_us);
        if (g->subject_n)
            see_subjects(g, &f.rows[at++]);
    }
    flight_end(&f);
    return e;
}

static void queue_ids(struct flight *f, const struct lot *g)
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
        flight_queued(f, db_dedup_expire(f->db, b->arena, id, over, over_n, b->now_us));
    if (made_n || !made || !over)
        flight_queued(f, made && over &&
                             db_dedup_insert(f->db, b->arena, id, made, made_n, b->now_us + g->stream->row.dedup_window_us));
}

static void queue_subjects(struct flight *f, const struct lot *g)
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
        flight_queued(f, false);
    else {
        if (made)
            flight_queued(f, db_subjects_insert(f->db, b->arena, id, v, made));
        if (n > made)
            flight_queued(f, db_subjects_update(f->db, b->arena, id, v + made, n - made));
    }
}

static void queue_answers(struct flight *f, const struct lot *g)
{
    struct batch *b = f->b;
    int64_t id = g->stream->row.stream_id;
    struct publish_answer *kept = arena_alloc(b->arena, g->key_n * sizeof *kept);
    struct publish_answer *over = arena_alloc(b->arena, g->key_n * sizeof *over);
    size_t kept_n = 0, over_n = 0;

    for (size_t i = 0; kept && over && i < g->key_n; i++) {
        const struct slot_key *k = &g->keys[i];
        struct publish_answer row = { .status = (int16_t)k->status, .answer = k->answer, .cursor = k->cursor };

        if (!k->ours)
            continue;
        memcpy(row.key, k->key, 16);
        memcpy(row.fingerprint, k->fingerprint, 16);
        kept[kept_n++] = row;
        if (k->expired)
            over[over_n++] = row;
    }
    if (over_n)
        flight_queued(f, db_idempotency_expire(f->db, b->arena, id, over, over_n, b->now_us));
    flight_queued(f, kept_n && db_idempotency_insert(f->db, b->arena, id, kept, kept_n, b->now_us + b->key_window_us));
}

static void queue_events(struct flight *f, const struct lot *g)
{
    struct batch *b = f->b;
    int64_t id = g->stream->row.stream_id;
    size_t n, month_n = 0;
    struct publish_head *heads = flight_heads(b, g, true, &n), *months = arena_alloc(b->arena, (g->part_n + 1) * sizeof *months);
    struct publish_event *events = flight_events(b, g);

    if (!heads || !months || !events) {
        flight_queued(f, false);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (g->stream->lane[heads[i].partition].month != month_index(heads[i].recorded_us))
            months[month_n++] = heads[i];
    flight_queued(f, db_heads_set(f->db, b->arena, id, heads, n));
    flight_queued(f, db_events_insert(f->db, b->arena, id, g->stream->row.subject_reads, events, g->accepted_n));
    if (g->id_n)
        queue_ids(f, g);
    if (g->subject_n)
        queue_subjects(f, g);
    if (month_n)
        flight_queued(f, db_months_insert(f->db, b->arena, id, months, month_n));
}

static enum err write_decided(struct batch *b, struct db *db)
{
    struct flight f;
    bool events = false, answers = false, begun;
    enum err e = look(b, db);

    if (e)
        return e;
    begun = flight_begin(&f, b, db);
    for (struct lot *g = b->lots; g < b->lots + b->lot_n; g++) {
        if (begun)
            lot_decide(g, b->now_us);
        if (begun && g->accepted_n)
            queue_events(&f, g);
        if (begun && g->kept_n)
            queue_answers(&f, g);
        rows_free(&g->key_rows);
        events |= g->accepted_n > 0;
        answers |= g->kept_n > 0;
    }
    if (!begun) {
        db_abandon(db); /* its transaction is open */
        return ERR_NO_MEMORY;
    }
    if (events)
        queue_notify_known(&f);
    flight_say(&f, events || answers ? &DB_COMMIT : &DB_ROLLBACK);
    e = flight_flush(&f);
    flight_end(&f);
    return e;
}

enum err batch_write(struct batch *b, struct db *db)
{
    enum err e = b->plain ? write_plain(b, db) : write_decided(b, db);

    for (struct lot *g = b->lots; !e && g < b->lots + b->lot_n; g++)
        for (size_t i = 0; i < g->part_n; i++)
            if (g->part[i].n && g->part[i].locked)
                g->stream->lane[g->part[i].partition] =
                    (struct lane_partition){ g->part[i].head + g->part[i].n, month_index(g->part[i].recorded_us) };
    return e;
}
