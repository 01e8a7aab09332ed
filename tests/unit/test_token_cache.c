#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/http/principal.h"
#include "gateway/http/token_cache.h"

enum { WAYS = 8 };

static struct principal *until(int64_t expires_us)
{
    json_t *claims = json_object();
    const char *why;
    struct principal *p = principal_new(claims, expires_us, &why);

    json_decref(claims);
    return p;
}

/* Digests that all fall into the first set. */
static const unsigned char *digest(unsigned char n)
{
    static unsigned char d[TOKEN_DIGEST];

    d[TOKEN_DIGEST - 1] = n;
    return d;
}

static void put(struct token_cache *c, unsigned char n, int64_t expires_us)
{
    struct principal *p = until(expires_us);

    token_cache_put(c, digest(n), p, token_cache_age(c));
    principal_unref(p);
}

static bool has(struct token_cache *c, unsigned char n, int64_t now)
{
    struct principal *p = token_cache_get(c, digest(n), now, 0);

    principal_unref(p);
    return p;
}

static void what_was_put_is_found_and_nothing_else(void **state)
{
    struct token_cache *c = token_cache_new(100);
    struct principal *p = until(100);

    (void)state;
    assert_false(has(c, 1, 0));
    token_cache_put(c, digest(1), p, 0);
    struct principal *found = token_cache_get(c, digest(1), 0, 0);

    assert_ptr_equal(found, p);
    assert_false(has(c, 2, 0));
    principal_unref(found);
    principal_unref(p);
    token_cache_free(c);
}

static void what_has_expired_is_forgotten(void **state)
{
    struct token_cache *c = token_cache_new(100);

    (void)state;
    put(c, 1, 100);
    assert_true(has(c, 1, 99));
    struct principal *p = token_cache_get(c, digest(1), 109, 10);

    assert_non_null(p);
    principal_unref(p);
    assert_null(token_cache_get(c, digest(1), 110, 10));
    assert_false(has(c, 1, 0));
    token_cache_free(c);
}

static void the_least_recently_used_gives_way(void **state)
{
    struct token_cache *c = token_cache_new(1);

    (void)state;
    for (unsigned char n = 0; n < WAYS; n++)
        put(c, n, 100);
    assert_true(has(c, 0, 0));
    put(c, WAYS, 100);
    assert_true(has(c, 0, 0));
    assert_false(has(c, 1, 0));
    for (unsigned char n = 2; n <= WAYS; n++)
        assert_true(has(c, n, 0));
    token_cache_free(c);
}

static void the_same_token_takes_one_place(void **state)
{
    struct token_cache *c = token_cache_new(1);

    (void)state;
    put(c, 0, 100);
    for (int i = 0; i < 3 * WAYS; i++)
        put(c, 1, 100);
    assert_true(has(c, 0, 0) && has(c, 1, 0));
    token_cache_free(c);
}

static void a_principal_outlives_its_place(void **state)
{
    struct token_cache *c = token_cache_new(1);

    (void)state;
    put(c, 0, 77);
    struct principal *p = token_cache_get(c, digest(0), 0, 0);

    token_cache_free(c);
    assert_true(principal_expires_us(p) == 77);
    principal_unref(p);
}

static void what_was_verified_before_a_key_went_is_forgotten(void **state)
{
    struct token_cache *c = token_cache_new(100);
    struct principal *p = until(100);
    uint64_t before = token_cache_age(c);

    (void)state;
    put(c, 1, 100);
    token_cache_outdate(c);
    assert_false(has(c, 1, 0));
    token_cache_put(c, digest(2), p, before); /* its check began before the key went */
    assert_false(has(c, 2, 0));
    put(c, 1, 100);
    assert_true(has(c, 1, 0));
    token_cache_outdate(NULL);
    assert_int_equal(token_cache_age(NULL), 0);
    principal_unref(p);
    token_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_nothing_else),
        cmocka_unit_test(what_has_expired_is_forgotten),
        cmocka_unit_test(the_least_recently_used_gives_way),
        cmocka_unit_test(the_same_token_takes_one_place),
        cmocka_unit_test(a_principal_outlives_its_place),
        cmocka_unit_test(what_was_verified_before_a_key_went_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
