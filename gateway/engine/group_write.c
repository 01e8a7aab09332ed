#include <openssl/rand.h>
#include <stdlib.h>
#include <time.h>

#include "db/outbox.h"
#include "db/publish.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/uuid.h"
#include "gateway/base/log.h"
#include "gateway/engine/error_mask.h"
#include "gateway/engine/event.h"
#include "gateway/engine/group_lane.h"

#define KEPT_STATES 8         /* rows of group_states that stay: a lost COMMIT is looked for among them */
#define RECONNECT_US 100000

/* Statements of one flush. */
struct flight {
    struct db *db;
    struct arena *arena;
    size_t n;
    bool failed;
};

static void queued(struct flight *f, bool ok)
{
    f->failed |= !ok;
    f->n += ok;
}

static void say(struct flight *f, const struct stmt *s)
{
    db_queue(f->db, s, NULL);
    f->n++;
}

/* Answers are rendered while PostgreSQL commits. */
static enum err flush(struct flight *f, struct wave *w)
{
    if (f->failed) {
        db_abandon(f->db);
        return ERR_NO_MEMORY;
    }
    return db_flush_while(f->db, NULL, f->n, wave_render, w, w->fault);
}

/* --- burials --- */

struct burials {
    struct death_row *fresh, *again;  /* from the log; redriven letters */
    size_t fresh_n, again_n;
};

static struct slice masked(struct arena *a, struct slice message)
{
    struct buf b = { 0 };
    struct slice s;

    error_mask(&b, message);
    s = b.failed ? SLICE_NONE : b.n ? arena_slice(a, (struct slice){ b.p, b.n }) : SLICE("");
    buf_free(&b);
    return s;
}

static bool prepare_burials(struct wave *w, struct burials *ret)
{
    const struct group_changes *c = &w->changes;
    char text[37];

    ret->fresh = arena_alloc(w->arena, c->deaths_n * sizeof *ret->fresh + 1);
    ret->again = arena_alloc(w->arena, c->deaths_n * sizeof *ret->again + 1);
    if (!ret->fresh || !ret->again)
        return false;
    for (const struct death *d = c->deaths; d < c->deaths + c->deaths_n; d++) {
        struct death_row *r = d->has_letter ? &ret->again[ret->again_n++] : &ret->fresh[ret->fresh_n++];

        *r = (struct death_row){ .at = d->at, .key = (int64_t)d->key, .reason = slice_of(d->reason), .error = d->error,
                                 .error_type = d->error_type.p ? d->error_type : SLICE(""),
                                 .masked = masked(w->arena, d->error_message), .entry = d->entry };
        if (!r->masked.p)
            return false;
        uuid7(w->now_us, text);
        if (d->has_letter)
            memcpy(r->letter, d->letter, sizeof r->letter);
        else
            uuid_parse(slice_of(text), r->letter);
    }
    return true;
}

/* Events that died before (a seek has brought them back) keep their letter. */
static enum err find_known(struct wave *w, struct burials *b)
{
    struct cell *c = w->cell;
    struct rows r = { 0 };
    enum err e;

    if (!b->fresh_n)
        return OK;
    if (!db_letters_known(c->lane->db, w->arena, c->stream->row.stream_id, slice_of(c->name), b->fresh, b->fresh_n))
        return ERR_NO_MEMORY;
    e = db_flush(c->lane->db, &r, 1, w->fault);
    for (int i = 0; !e && i < r.n; i++)
        memcpy(b->fresh[row_int4(&r, i, 0) - 1].letter, row_uuid(&r, i, 1), 16);
    rows_free(&r);
    return e;
}

static void queue_burials(struct wave *w, struct flight *f, const struct burials *b)
{
    struct cell *c = w->cell;
    const int64_t stream = c->stream->row.stream_id;
    const struct slice group = slice_of(c->name);

    if (b->fresh_n) {
        queued(f, db_letters_bury(f->db, w->arena, stream, c->group_id, group, w->now_us, b->fresh, b->fresh_n));
        queued(f, db_outbox_letters(f->db, w->arena, stream, c->stream->row.name, &b->fresh->letter,
                                    sizeof *b->fresh, b->fresh_n));
    }
    if (b->again_n) {
        queued(f, db_letters_park(f->db, w->arena, stream, c->group_id, group, w->now_us, b->again, b->again_n));
        queued(f, db_outbox_letters(f->db, w->arena, stream, c->stream->row.name, &b->again->letter,
                                    sizeof *b->again, b->again_n));
    }
}

/* --- the rest --- */

static struct retry_row *retry_rows(struct wave *w)
{
    const struct group_changes *c = &w->changes;
    struct retry_row *v = arena_alloc(w->arena, c->retries_n * sizeof *v);

    for (size_t i = 0; v && i < c->retries_n; i++) {
        const struct retry_change *r = &c->retries[i];

        v[i] = (struct retry_row){ .at = r->at, .key = (int64_t)r->key, .failures = r->failures, .single = r->single,
                                   .not_before_us = r->not_before_us, .entry = r->entry,
                                   .letter = r->has_letter ? (struct slice){ (const char *)r->letter, 16 } : SLICE_NONE };
    }
    return v;
}

static void queue_changes(struct wave *w, struct flight *f)
{
    const struct group_changes *c = &w->changes;
    const int64_t s = w->cell->stream->row.stream_id, g = w->cell->group_id;
    struct arena *a = w->arena;

    if (c->retries_n) {
        const struct retry_row *v = retry_rows(w);

        queued(f, v && db_retries_put(f->db, a, s, g, v, c->retries_n));
    }
    if (c->retries_gone_n)
        queued(f, db_retries_delete(f->db, a, s, g, c->retries_gone, c->retries_gone_n));
    if (c->leases_changed_n)
        queued(f, db_leases_update(f->db, a, s, g, c->leases_changed, c->leases_changed_n));
    if (c->skips_n)
        queued(f, db_skips_put(f->db, a, s, g, c->skips, c->skips_n));
    if (c->skips_gone_n)
        queued(f, db_skips_delete(f->db, a, s, g, c->skips_gone, c->skips_gone_n));
    if (c->resolved_n)
        queued(f, db_letters_resolve(f->db, a, s, w->now_us, &c->resolved->id, c->resolved_n));
}

static void queue_state(struct wave *w, struct flight *f, int64_t token)
{
    struct cell *c = w->cell;
    const struct group_state_row row = { .seq = c->seq + 1, .token = token, .generation = group_state_generation(c->state),
                                         .next = group_state_next(c->state), .lease_floor = w->changes.lease_floor,
                                         .partitions = (size_t)c->stream->row.partitions };

    queued(f, db_group_turn(f->db, w->arena, c->stream->row.stream_id, c->group_id, &row, row.seq - KEPT_STATES, w->now_us,
                            w->changes.leases, w->changes.leases_n, w->changes.leases_gone, w->changes.leases_gone_n));
}

/* --- a COMMIT without an answer --- */

static enum err look(struct wave *w, int64_t token, bool *ret_committed)
{
    struct cell *c = w->cell;
    struct lane *l = c->lane;
    const int64_t stream = c->stream->row.stream_id;
    struct rows rows[4] = { 0 };
    int64_t found = 0, newest = 0;
    bool there = false;
    enum err e;

    if ((e = db_connect(l->db, w->fault)) || (e = db_backend_end(l->db, l->backend, l->application_name, w->fault)))
        return e;
    db_queue(l->db, &DB_BEGIN, NULL);
    if (!db_group_hold(l->db, w->arena, stream, c->group_id) || !db_group_state(l->db, w->arena, stream, c->group_id)) {
        db_abandon(l->db);
        return ERR_NO_MEMORY;
    }
    if (!(e = db_flush(l->db, rows, 3, w->fault))) {
        newest = rows[2].n ? row_int8(&rows[2], 0, 0) : 0;
        e = db_group_written(l->db, stream, c->group_id, c->seq + 1, &found, &there, w->fault);
    }
    db_rollback(l->db);
    for (size_t i = 0; i < 3; i++)
        rows_free(&rows[i]);
    if (!e && !there && newest > c->seq)
        return ERR_OUTCOME_UNKNOWN; /* too much has happened since */
    *ret_committed = there && found == token;
    return e;
}

static enum err find_outcome(struct wave *w, int64_t token)
{
    const int64_t until = clock_mono_us() + w->cell->lane->groups->config->commit_wait_us;
    bool committed = false;
    enum err e;

    while ((e = look(w, token, &committed)) && e != ERR_OUTCOME_UNKNOWN && clock_mono_us() < until)
        nanosleep(&(struct timespec){ .tv_nsec = RECONNECT_US * 1000 }, NULL);
    if (e)
        return ERR_OUTCOME_UNKNOWN;
    log_warn("a group's commit without an answer was looked up", L_BOOL("committed", committed));
    return committed ? OK : ERR_DB_RETRY;
}

static int64_t new_token(void)
{
    int64_t token = 0;

    return RAND_bytes((unsigned char *)&token, sizeof token) == 1 ? token & INT64_MAX : 0;
}

enum err wave_write(struct wave *w)
{
    struct cell *c = w->cell;
    struct flight f = { .db = c->lane->db, .arena = w->arena };
    struct burials b = { 0 };
    const int64_t token = new_token();
    enum err e;

    if (!token || (w->changes.deaths_n && !prepare_burials(w, &b)))
        return ERR_NO_MEMORY;
    if ((e = find_known(w, &b)))
        return e;
    if (!w->held) /* a pipeline outside of BEGIN is one transaction, which its end commits */
        queued(&f, db_group_hold(f.db, w->arena, c->stream->row.stream_id, c->group_id));
    queue_state(w, &f, token);
    queue_burials(w, &f, &b);
    queue_changes(w, &f);
    if (w->held)
        say(&f, &DB_COMMIT);
    c->lane->backend = db_backend_pid(f.db);
    e = flush(&f, w);
    w->held = false;
    if (e == ERR_OUTCOME_UNKNOWN)
        e = find_outcome(w, token);
    if (!e)
        c->seq++;
    return e;
}
