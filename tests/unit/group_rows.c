#include "tests/unit/group_rows.h"

static struct slice copy(struct slice s)
{
    char *p = malloc(s.n + 1);

    memcpy(p, s.p, s.n);
    return (struct slice){ p, s.n };
}

static void drop(struct slice *s)
{
    free((void *)(uintptr_t)s->p);
    *s = SLICE_NONE;
}

static void lease_gone(struct group_rows *t, size_t i)
{
    struct lease_row *r = &t->leases[i];

    drop(&r->items), drop(&r->keys), drop(&r->consumer), drop(&r->done), drop(&r->extended);
    t->leases[i] = t->leases[--t->leases_n];
}

static size_t lease_at(const struct group_rows *t, int64_t id)
{
    size_t i = 0;

    while (i < t->leases_n && t->leases[i].lease_id != id)
        i++;
    return i;
}

static size_t retry_at(const struct group_rows *t, const struct group_place *at)
{
    size_t i = 0;

    while (i < t->retries_n && memcmp(&t->retries[i].at, at, sizeof *at))
        i++;
    return i;
}

static void skip_gone(struct group_rows *t, int64_t id)
{
    for (size_t i = 0; i < t->skips_n; i++)
        if (t->skips[i].chunk_id == id) {
            drop(&t->skips[i].offsets), drop(&t->skips[i].keys);
            t->skips[i--] = t->skips[--t->skips_n];
        }
}

static void write_leases(struct group_rows *t, const struct group_changes *c)
{
    for (size_t i = 0; i < c->leases_n; i++) {
        struct lease_row r = c->leases[i];

        assert_int_equal(lease_at(t, r.lease_id), t->leases_n);
        r.items = copy(r.items), r.keys = copy(r.keys), r.consumer = copy(r.consumer), r.done = copy(r.done);
        r.extended = copy(r.extended);
        t->leases[t->leases_n++] = r;
    }
    for (size_t i = 0; i < c->leases_changed_n; i++) {
        const struct lease_row *r = &c->leases_changed[i];
        size_t at = lease_at(t, r->lease_id);

        assert_true(at < t->leases_n);
        drop(&t->leases[at].done), drop(&t->leases[at].extended);
        t->leases[at].done = copy(r->done), t->leases[at].extended = copy(r->extended);
        t->leases[at].deadline_us = r->deadline_us, t->leases[at].open = r->open;
    }
    for (size_t i = 0; i < c->leases_gone_n; i++) {
        assert_true(lease_at(t, c->leases_gone[i]) < t->leases_n);
        lease_gone(t, lease_at(t, c->leases_gone[i]));
    }
    for (size_t i = 0; i < t->leases_n; i++)
        assert_true(t->leases[i].lease_id >= c->lease_floor);
}

static void write_rest(struct group_rows *t, const struct group_changes *c)
{
    for (size_t i = 0; i < c->retries_n; i++) {
        size_t at = retry_at(t, &c->retries[i].at);

        t->retries_n += at == t->retries_n;
        t->retries[at] = c->retries[i];
    }
    for (size_t i = 0; i < c->retries_gone_n; i++) {
        size_t at = retry_at(t, &c->retries_gone[i]);

        assert_true(at < t->retries_n);
        t->retries[at] = t->retries[--t->retries_n];
    }
    for (size_t i = 0; i < c->skips_n; i++) {
        struct skip_row r = c->skips[i];

        skip_gone(t, r.chunk_id);
        r.offsets = copy(r.offsets), r.keys = copy(r.keys);
        t->skips[t->skips_n++] = r;
    }
    for (size_t i = 0; i < c->skips_gone_n; i++)
        skip_gone(t, c->skips_gone[i]);
    assert_true(t->leases_n < ROWS_MAX / 2 && t->retries_n < ROWS_MAX / 2 && t->skips_n < ROWS_MAX / 2);
}

void rows_write(struct group_rows *t, const struct group_changes *c, const int64_t *next)
{
    t->seq++;
    t->lease_floor = c->lease_floor;
    memcpy(t->next, next, sizeof t->next);
    write_leases(t, c);
    write_rest(t, c);
}

void rows_clear(struct group_rows *t)
{
    while (t->leases_n)
        lease_gone(t, 0);
    while (t->skips_n)
        skip_gone(t, t->skips[0].chunk_id);
    memset(t, 0, sizeof *t);
}

/* Keys are not stored: they are the events'. */
static bool load_lease(struct group_state *state, struct lease_row r, uint64_t (*key_of)(const struct group_place *at))
{
    struct group_place places[RECEIVE_MAX];
    uint64_t keys[RECEIVE_MAX];
    size_t n = group_lease_places(r.items, places, RECEIVE_MAX);

    assert_int_equal(r.keys.n, 0);
    for (size_t i = 0; i < n; i++)
        keys[i] = key_of(&places[i]);
    r.keys = (struct slice){ (const char *)keys, n * sizeof *keys };
    return group_state_load_lease(state, &r);
}

struct group_state *rows_load(const struct group_rows *t, const struct group_row *def,
                              uint64_t (*key_of)(const struct group_place *at))
{
    struct group_state *state = group_state_new(def, ROWS_PARTS);

    assert_true(group_state_restore(state, 1, t->lease_floor));
    memcpy(group_state_next(state), t->next, sizeof t->next);
    for (size_t i = 0; i < t->retries_n; i++)
        assert_true(group_state_load_retry(state, &t->retries[i]));
    for (int64_t last = 0; last >= 0;) { /* by id */
        const struct lease_row *r = NULL;

        for (size_t i = 0; i < t->leases_n; i++)
            if (t->leases[i].lease_id > last && (!r || t->leases[i].lease_id < r->lease_id))
                r = &t->leases[i];
        last = r ? r->lease_id : -1;
        assert_true(!r || load_lease(state, *r, key_of));
    }
    for (size_t i = 0; i < t->skips_n; i++)
        assert_true(group_state_load_skip(state, &t->skips[i]));
    group_state_loaded(state);
    return state;
}
