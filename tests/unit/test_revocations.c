#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gateway/base/clock.h"
#include "gateway/http/principal.h"
#include "gateway/http/revocations.h"

#define NOW (1000 * US_PER_S)
#define LATER (2000 * US_PER_S)

static struct principal *who(const char *iss, const char *sub, const char *jti, int64_t iat_s)
{
    json_t *claims = json_pack("{s:s*, s:s*, s:s*}", "iss", iss, "sub", sub, "jti", jti);
    const char *why;
    struct principal *p;

    if (iat_s)
        json_object_set_new(claims, "iat", json_integer(iat_s));
    p = principal_new(claims, LATER, &why);
    json_decref(claims);
    assert_non_null(p);
    return p;
}

static bool hold(struct revocations *r, const char *iss, const char *sub, const char *jti, int64_t iat_s, int64_t now)
{
    struct principal *p = who(iss, sub, jti, iat_s);
    bool found = revocations_hold(r, p, now);

    principal_unref(p);
    return found;
}

static struct revocation by_jti(const char *jti, const char *iss)
{
    return (struct revocation){ .jti = slice_of(jti), .iss = slice_of(iss), .expires_us = LATER };
}

static struct revocation by_sub(const char *sub, const char *iss, int64_t before_s)
{
    return (struct revocation){ .sub = slice_of(sub), .iss = slice_of(iss), .issued_before_us = before_s * US_PER_S,
                                .expires_us = LATER };
}

static void an_empty_list_holds_nobody(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    assert_false(hold(r, NULL, "s", "j", 1, NOW));
    assert_true(revocations_set(r, NULL, 0));
    assert_false(hold(r, NULL, "s", "j", 1, NOW));
    revocations_free(r);
}

static void a_jti_is_one_token_and_its_issuer_may_narrow_it(void **state)
{
    struct revocations *r = revocations_new();
    const struct revocation list[] = { by_jti("a", NULL), by_jti("b", "i") };

    (void)state;
    assert_true(revocations_set(r, list, 2));
    assert_true(hold(r, NULL, "x", "a", 0, NOW));
    assert_true(hold(r, "other", "y", "a", 5, NOW));
    assert_true(hold(r, "i", "x", "b", 0, NOW));
    assert_false(hold(r, "j", "x", "b", 0, NOW));
    assert_false(hold(r, NULL, "x", "b", 0, NOW));
    assert_false(hold(r, NULL, "a", "x", 0, NOW)); /* a subject of that name */
    assert_false(hold(r, NULL, "x", NULL, 0, NOW));
    revocations_free(r);
}

static void a_sub_is_held_up_to_a_time_or_when_it_tells_none(void **state)
{
    struct revocations *r = revocations_new();
    const struct revocation list[] = { by_sub("s", NULL, 500), by_sub("t", "i", 500), by_sub("s", NULL, 400) };

    (void)state;
    assert_true(revocations_set(r, list, 3));
    assert_true(hold(r, NULL, "s", "x", 499, NOW));
    assert_false(hold(r, NULL, "s", "x", 500, NOW));
    assert_true(hold(r, NULL, "s", "x", 0, NOW));
    assert_true(hold(r, "i", "t", "x", 1, NOW));
    assert_false(hold(r, "k", "t", "x", 1, NOW));
    assert_false(hold(r, NULL, "x", "s", 1, NOW));
    revocations_free(r);
}

static void an_entry_ends_with_its_time(void **state)
{
    struct revocations *r = revocations_new();
    const struct revocation list[] = { by_jti("a", NULL) };

    (void)state;
    assert_true(revocations_set(r, list, 1));
    assert_true(hold(r, NULL, NULL, "a", 0, LATER - 1));
    assert_false(hold(r, NULL, NULL, "a", 0, LATER));
    revocations_free(r);
}

static void a_new_list_replaces_the_old_one_and_has_another_number(void **state)
{
    struct revocations *r = revocations_new();
    const struct revocation list[] = { by_jti("a", NULL), by_jti("b", NULL) };
    uint64_t before = revocations_generation(r), between;

    (void)state;
    assert_true(before != 0);
    assert_true(revocations_set(r, list, 1));
    between = revocations_generation(r);
    assert_true(revocations_set(r, list + 1, 1));
    assert_true(between != before && revocations_generation(r) != between);
    assert_false(hold(r, NULL, NULL, "a", 0, NOW));
    assert_true(hold(r, NULL, NULL, "b", 0, NOW));
    revocations_free(r);
}

static void many_entries_are_all_found(void **state)
{
    enum { N = 5000 };
    static char names[N][16];
    static struct revocation list[N];
    struct revocations *r = revocations_new();
    char other[24];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        list[i] = i % 2 ? by_jti(names[i], NULL) : by_sub(names[i], NULL, 500);
    }
    assert_true(revocations_set(r, list, N));
    for (size_t i = 0; i < N; i++) {
        snprintf(other, sizeof other, "x%zu", i);
        assert_true(hold(r, NULL, i % 2 ? "-" : names[i], i % 2 ? names[i] : "-", 1, NOW));
        assert_false(hold(r, NULL, i % 2 ? names[i] : "-", i % 2 ? "-" : names[i], 1, NOW));
        assert_false(hold(r, NULL, other, other, 1, NOW));
    }
    revocations_free(r);
}

struct race {
    struct revocations *r;
    atomic_bool stop, missed;
};

/* "a" is in every list. */
static void *look(void *arg)
{
    struct race *race = arg;

    while (!atomic_load(&race->stop)) {
        if (!hold(race->r, NULL, NULL, "a", 0, NOW))
            atomic_store(&race->missed, true);
    }
    return NULL;
}

static void readers_never_see_half_a_list(void **state)
{
    struct race race = { .r = revocations_new() };
    const struct revocation list[] = { by_jti("b", NULL), by_jti("a", NULL), by_jti("c", NULL) };
    pthread_t threads[2];

    (void)state;
    assert_true(revocations_set(race.r, list, 3));
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, look, &race);
    for (size_t i = 0; i < 2000; i++)
        assert_true(revocations_set(race.r, list + i % 2, 3 - i % 2));
    atomic_store(&race.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&race.missed));
    revocations_free(race.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_holds_nobody),
        cmocka_unit_test(a_jti_is_one_token_and_its_issuer_may_narrow_it),
        cmocka_unit_test(a_sub_is_held_up_to_a_time_or_when_it_tells_none),
        cmocka_unit_test(an_entry_ends_with_its_time),
        cmocka_unit_test(a_new_list_replaces_the_old_one_and_has_another_number),
        cmocka_unit_test(many_entries_are_all_found),
        cmocka_unit_test(readers_never_see_half_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
