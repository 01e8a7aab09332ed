#include <pthread.h>
#include <stdio.h>

#include "db/revocations.h"
#include "db/tickets.h"
#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

static struct gateway gw;
static struct arena *arena;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_identity");
    gateway_start(&gw);
    arena = arena_new(1 << 24);
    return arena ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    arena_free(arena);
    gateway_stop(&gw);
    log_close();
    return 0;
}

static int64_t now_us;

static int64_t add(struct db *db, const char *jti, int64_t expires_us, int64_t max)
{
    const struct revocation_row r = { .jti = slice_of(jti), .expires_us = expires_us, .reason = SLICE(""), .created_us = now_us,
                                      .created_by = SLICE("") };
    int64_t id = -1;

    assert_ok(db_revocation_add(db, &r, max, &id, NULL));
    return id;
}

static void assert_count(int64_t n)
{
    assert_int_equal(side_int("select count(*) from weir.revocations"), n);
    assert_int_equal(side_int("select entries from weir.revocations_clock"), n);
}

static void an_entry_is_read_back_as_it_was_written(void **state)
{
    struct revocation_row r = { .sub = SLICE("s\xc3\xa9"), .iss = SLICE("https://i"), .issued_before_us = 5,
                                .expires_us = now_us + 60 * US_PER_S,
                                .reason = SLICE("why"), .created_us = now_us, .created_by = SLICE("me") };
    struct revocation_row got = { 0 };
    struct fault f = { 0 };

    (void)state;
    assert_ok(db_revocation_add(gw.db, &r, 10, &r.id, &f));
    assert_ok(db_revocation_get(gw.db, arena, r.id, &got, &f));
    assert_true(got.id == r.id && !got.jti.p && slice_eq(got.sub, r.sub) && slice_eq(got.iss, r.iss));
    assert_true(got.issued_before_us == 5 && got.expires_us == r.expires_us && got.created_us == now_us);
    assert_true(slice_eq(got.reason, r.reason) && slice_eq(got.created_by, r.created_by));
    assert_ok(db_revocation_remove(gw.db, r.id, &f));
    assert_int_equal(db_revocation_remove(gw.db, r.id, &f), ERR_NOT_FOUND);
    assert_int_equal(db_revocation_get(gw.db, arena, r.id, &got, &f), ERR_NOT_FOUND);
    assert_count(0);
}

static void every_change_raises_the_version_and_what_is_over_is_not_in_force(void **state)
{
    int64_t version[3], over = add(gw.db, "over", now_us - 1, 10), id, forgotten;
    struct revocation_row *v;
    size_t n;

    (void)state;
    assert_ok(db_revocations_version(gw.db, &version[0], NULL));
    id = add(gw.db, "a", now_us + US_PER_S, 10);
    assert_true(id > over);
    assert_ok(db_revocations_all(gw.db, arena, now_us, &version[1], &v, &n, NULL));
    assert_true(version[1] > version[0] && n == 1 && slice_is(v[0].jti, "a") && !v[0].sub.p);
    assert_ok(db_revocations_forget(gw.db, now_us, 10, &forgotten, NULL));
    assert_int_equal(forgotten, 1);
    assert_ok(db_revocation_remove(gw.db, id, NULL));
    assert_ok(db_revocations_all(gw.db, arena, now_us, &version[2], &v, &n, NULL));
    assert_true(version[2] > version[1] && n == 0);
    assert_count(0);
}

#define ADDERS 4
#define EACH 50
#define MOST 120

static void *add_many(void *arg)
{
    struct db *db = db_new(&gw.db_config);
    size_t *added = arg;

    assert_non_null(db);
    for (int i = 0; i < EACH; i++)
        *added += add(db, "j", now_us - 1, MOST) > 0;
    db_free(db);
    return NULL;
}

static void the_list_is_bounded_exactly_whoever_adds_at_once(void **state)
{
    pthread_t threads[ADDERS];
    size_t added[ADDERS] = { 0 }, sum = 0;
    int64_t forgotten;

    (void)state;
    for (int i = 0; i < ADDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &added[i]), 0);
    for (int i = 0; i < ADDERS; i++) {
        pthread_join(threads[i], NULL);
        sum += added[i];
    }
    assert_int_equal(sum, MOST);
    assert_count(MOST);
    assert_ok(db_revocations_forget(gw.db, now_us, 100, &forgotten, NULL));
    assert_int_equal(forgotten, 100);
    assert_ok(db_revocations_forget(gw.db, now_us, 100, &forgotten, NULL));
    assert_int_equal(forgotten, MOST - 100);
    assert_count(0);
}

static bool add_ticket(char hash, char owner, int64_t expires_us)
{
    char h[32] = { hash }, o[32] = { owner };
    const struct ticket_row t = { .hash = { h, 32 }, .owner = { o, 32 }, .url = SLICE("/u"), .claims = SLICE("{}"),
                                  .created_us = now_us, .expires_us = expires_us };
    bool added = false;

    assert_ok(db_ticket_add(gw.db, &t, 2, &added, NULL));
    return added;
}

static void tickets_are_found_until_they_end_and_bounded_by_owner(void **state)
{
    char hash[32] = { 1 };
    struct ticket_row got;
    int64_t forgotten;

    (void)state;
    assert_true(add_ticket(1, 1, now_us + 10));
    assert_true(add_ticket(2, 1, now_us + 20));
    assert_false(add_ticket(3, 1, now_us + 20));
    assert_true(add_ticket(4, 2, now_us + 20));
    assert_ok(db_ticket_find(gw.db, arena, (struct slice){ hash, 32 }, now_us, &got, NULL));
    assert_true(got.expires_us == now_us + 10 && slice_is(got.claims, "{}"));
    assert_int_equal(db_ticket_find(gw.db, arena, (struct slice){ hash, 32 }, now_us + 10, &got, NULL), ERR_NOT_FOUND);
    assert_ok(db_tickets_forget(gw.db, now_us + 20, 2, &forgotten, NULL));
    assert_int_equal(forgotten, 2);
    assert_ok(db_tickets_forget(gw.db, now_us + 20, 2, &forgotten, NULL));
    assert_int_equal(forgotten, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_read_back_as_it_was_written),
        cmocka_unit_test(every_change_raises_the_version_and_what_is_over_is_not_in_force),
        cmocka_unit_test(the_list_is_bounded_exactly_whoever_adds_at_once),
        cmocka_unit_test(tickets_are_found_until_they_end_and_bounded_by_owner),
    };

    now_us = clock_unix_us();
    return cmocka_run_group_tests(tests, open_all, close_all);
}
