#include <stdlib.h>

#include "db/retention.h"
#include "gateway/base/clock.h"
#include "gateway/base/glob.h"
#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/engine/event.h"
#include "gateway/engine/group_lane.h"

#define SKEW_AGE_US (60 * US_PER_S)
#define SKEW_WITHIN_US 10000 /* asked again, so many times, until an answer takes no longer */
#define SKEW_TRIES 5

static struct retry_change change_of(const struct retry_row *r)
{
    struct retry_change c = { .at = r->at, .key = (uint64_t)r->key, .failures = r->failures,
                              .not_before_us = r->not_before_us,
                              .single = r->single, .has_letter = r->letter.p };

    if (r->letter.n == sizeof c.letter)
        memcpy(c.letter, r->letter.p, sizeof c.letter);
    return c;
}

/* --- the keys of what is out: its events have them --- */

#define KEYS_AT 5000           /* events of a statement */

static enum err ask_keys(struct db *db, struct arena *a, int64_t stream, const struct group_place *places, size_t n, uint64_t *ret,
                         struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_keys_at(db, a, stream, places, n) ? db_flush(db, &r, 1, f) : ERR_NO_MEMORY;

    for (int i = 0; !e && i < r.n; i++)
        ret[row_int4(&r, i, 0) - 1] = group_key_hash(event_order_key(a, row_text(&r, i, 2), row_text(&r, i, 1)));
    rows_free(&r);
    return e;
}

/* What retention has removed has no key any more, and is dropped when it is met. */
static enum err find_keys(struct db *db, struct arena *a, int64_t stream, struct lease_row *v, size_t n, struct fault *f)
{
    struct group_place *places;
    uint64_t *keys;
    size_t count = 0, at = 0;
    enum err e = OK;

    for (size_t i = 0; i < n; i++)
        count += group_lease_places(v[i].items, NULL, 0);
    places = arena_alloc(a, count * sizeof *places + 1);
    keys = arena_zalloc(a, count * sizeof *keys + 1);
    if (!places || !keys)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        size_t own = group_lease_places(v[i].items, places + at, count - at);

        if (!v[i].keys.n) /* a release before stored them */
            v[i].keys = (struct slice){ (const char *)(keys + at), own * sizeof *keys };
        at += own;
    }
    for (at = 0; !e && at < count; at += KEYS_AT)
        e = ask_keys(db, a, stream, places + at, count - at < KEYS_AT ? count - at : KEYS_AT, keys + at, f);
    return e;
}

static enum err read_leases(struct db *db, struct arena *a, const struct group_row *def, const struct rows *rows,
                            struct lease_row **ret, struct fault *f)
{
    struct lease_row *v = arena_alloc(a, (size_t)rows->n * sizeof *v + 1);

    for (int i = 0; v && i < rows->n; i++)
        db_lease_row(rows, i, &v[i]);
    *ret = v;
    if (!v)
        return ERR_NO_MEMORY;
    return def->ordering == ORDER_KEY ? find_keys(db, a, def->stream_id, v, (size_t)rows->n, f) : OK;
}

static bool take_rows(struct group_state *s, const struct rows *retries, const struct lease_row *leases, size_t leases_n,
                      const struct rows *skips)
{
    bool good = true;

    for (int i = 0; good && i < retries->n; i++) {
        struct retry_row r;
        struct retry_change c;

        db_retry_row(retries, i, &r);
        c = change_of(&r);
        good = group_state_load_retry(s, &c);
    }
    for (size_t i = 0; good && i < leases_n; i++)
        good = group_state_load_lease(s, &leases[i]);
    for (int i = 0; good && i < skips->n; i++) {
        struct skip_row r;

        db_skip_row(skips, i, &r);
        good = group_state_load_skip(s, &r);
    }
    group_state_loaded(s);
    return good && !group_state_failed(s);
}

/* Inside a transaction. *ret_seq: of the state that was loaded. */
static enum err load(struct db *db, struct arena *a, const struct stream *stream, const struct group_row *def,
                     struct group_state **ret, int64_t *ret_seq, struct fault *f)
{
    struct group_state *s = group_state_new(def, (size_t)stream->row.partitions);
    struct group_state_row row = { 0 };
    struct rows state = { 0 }, memory[3] = { 0 };
    struct lease_row *leases = NULL;
    int64_t next[PARTITIONS_MAX] = { 0 };
    enum err e = s && db_group_state(db, a, def->stream_id, def->group_id) ? db_flush(db, &state, 1, f) : ERR_NO_MEMORY;

    if (!e && !state.n)
        e = ERR_DB_RETRY; /* deleted meanwhile */
    if (!e) {
        db_group_state_row(&state, &row, next, PARTITIONS_MAX);
        if (!db_group_memory(db, a, def->stream_id, def->group_id, row.lease_floor))
            e = ERR_NO_MEMORY;
    }
    if (!e && !(e = db_flush(db, memory, 3, f)) && !(e = read_leases(db, a, def, &memory[1], &leases, f))) {
        memcpy(group_state_next(s), next, sizeof next);
        if (!group_state_restore(s, row.generation, row.lease_floor) ||
            !take_rows(s, &memory[0], leases, (size_t)memory[1].n, &memory[2]))
            e = ERR_NO_MEMORY;
    }
    rows_free(&state);
    for (size_t i = 0; i < 3; i++)
        rows_free(&memory[i]);
    if (e) {
        group_state_free(s);
        return e;
    }
    *ret = s;
    *ret_seq = row.seq;
    return OK;
}

enum err groups_load(struct db *db, struct arena *a, const struct stream *s, struct slice name, struct group_state **ret,
                     struct fault *f)
{
    struct group_row def;
    int64_t seq;
    enum err e;

    if ((e = db_exec(db, &DB_SNAPSHOT, NULL, NULL, f)))
        return e;
    if (!(e = db_group_get(db, a, s->row.stream_id, name, &def, f)))
        e = load(db, a, s, &def, ret, &seq, f);
    db_rollback(db);
    return e == ERR_DB_RETRY ? fault(f, ERR_UNKNOWN_GROUP, "There is no group %.*s.", (int)name.n, name.p) : e;
}

/* --- for a lane --- */

static bool take_types(struct cell *c, struct slice text)
{
    struct json j;
    struct slice inside;
    bool escaped;

    c->type_n = 0;
    json_begin(&j, text, 2);
    if (!json_array_begin(&j))
        return false;
    while (c->type_n < TYPES_MAX && json_array_next(&j)) {
        if (!json_scan_string(&j, &inside, &escaped) || !json_unescape(c->definition, inside, escaped,
                                                                       &c->types[c->type_n++]))
            return false;
    }
    return true;
}

static enum err measure_skew(struct lane *l, struct fault *f)
{
    struct clock_skew skew = CLOCK_SKEW_UNKNOWN;
    int64_t asked = clock_mono_us(), theirs, ours;
    enum err e;

    if (l->skew_at_us && asked - l->skew_at_us < SKEW_AGE_US)
        return OK;
    for (int i = 0; i < SKEW_TRIES && skew.within_us > SKEW_WITHIN_US; i++) {
        asked = clock_mono_us();
        if ((e = db_clock(l->db, &theirs, f)))
            return e;
        ours = clock_unix_us();
        clock_skew_take(&skew, asked, theirs, ours, clock_mono_us());
    }
    l->skew_us = skew.us;
    l->skew_at_us = clock_mono_us();
    return OK;
}

void cell_forget(struct cell *c)
{
    group_state_free(c->state);
    c->state = NULL;
    window_clear(c);
}

enum err cell_load(struct wave *w)
{
    struct cell *c = w->cell;
    struct db *db = c->lane->db;
    struct group_row def;
    enum err e = measure_skew(c->lane, w->fault);

    if (e)
        return e;
    cell_forget(c);
    arena_free(c->definition);
    if (!(c->definition = arena_new((size_t)1 << 20)))
        return ERR_NO_MEMORY;
    if (!w->held && (e = db_exec(db, &DB_SNAPSHOT, NULL, NULL, w->fault)))
        return e;
    if (!(e = db_group_get(db, c->definition, c->stream->row.stream_id, slice_of(c->name), &def, w->fault)) &&
        !take_types(c, def.types))
        e = ERR_NO_MEMORY;
    if (!e)
        e = load(db, w->arena, c->stream, &def, &c->state, &c->seq, w->fault);
    if (!w->held)
        db_rollback(db);
    c->group_id = e ? 0 : def.group_id;
    w->verified = w->held && !e;
    return e;
}

/* The newest row's number; 0: the group is gone. */
static int64_t newest(const struct rows *r)
{
    return r->n ? row_int8(r, 0, 0) : 0;
}

enum err cell_hold(struct wave *w)
{
    struct cell *c = w->cell;
    struct db *db = c->lane->db;
    struct rows rows[3] = { 0 };
    enum err e;

    if (!c->group_id)
        return cell_load(w);
    db_queue(db, &DB_BEGIN, NULL);
    if (!db_group_hold(db, w->arena, c->stream->row.stream_id, c->group_id) ||
        !db_group_state(db, w->arena, c->stream->row.stream_id, c->group_id)) {
        db_abandon(db);
        return ERR_NO_MEMORY;
    }
    if (!(e = db_flush(db, rows, 3, w->fault))) {
        w->held = true;
        w->verified = c->state && newest(&rows[2]) == c->seq;
        if (!rows[1].n || !rows[2].n) { /* it was deleted; there may be another one of its name */
            c->group_id = 0;
            e = ERR_DB_RETRY;
        }
    }
    for (size_t i = 0; i < 3; i++)
        rows_free(&rows[i]);
    return !e && !w->verified ? cell_load(w) : e;
}

enum err cell_verify(struct wave *w)
{
    struct cell *c = w->cell;
    struct db *db = c->lane->db;
    struct rows r = { 0 };
    enum err e = ERR_NO_MEMORY;

    if (w->verified)
        return OK;
    if (db_group_state(db, w->arena, c->stream->row.stream_id, c->group_id))
        e = db_flush(db, &r, 1, w->fault);
    if (!e && newest(&r) != c->seq)
        e = ERR_DB_RETRY;
    w->verified = !e;
    rows_free(&r);
    return e;
}

bool cell_wants_type(const struct cell *c, struct slice type)
{
    for (size_t i = 0; i < c->type_n; i++)
        if (glob_match(c->types[i], type))
            return true;
    return c->type_n == 0;
}
