/* The facade: the header's value, keys of the environment, minted tokens, the cache; libjwt as the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jwt.h>
#include <pthread.h>

#include "gateway/base/clock.h"
#include "gateway/http/auth.h"
#include "tests/unit/tokens.h"

#define NOW (INT64_C(1800000000) * US_PER_S)
#define LEEWAY (60 * US_PER_S)
#define SECRET SLICE(TOKEN_SECRET)

static struct auth *auth_of(struct config c)
{
    char err[512] = "";

    c.auth_leeway_us = LEEWAY;
    c.auth_cache = c.auth_cache ? c.auth_cache : 64;
    struct auth *a = auth_new(&c, SLICE_NONE, err);

    if (!a)
        print_error("%s\n", err);
    return a;
}

static enum err check_at(struct auth *a, const char *token, int64_t now, struct principal **p)
{
    char *header;

    if (asprintf(&header, "Bearer %s", token) < 0)
        abort();
    enum err e = auth_check(a, slice_of(header), now, p, NULL);

    free(header);
    return e;
}

static bool accepts(struct auth *a, const char *token, int64_t now)
{
    struct principal *p = NULL;
    enum err e = check_at(a, token, now, &p);

    assert_int_equal(e == OK, p != NULL);
    principal_unref(p);
    return e == OK;
}

static void the_header_is_bearer_in_any_case_and_one_token(void **state)
{
    static const struct {
        const char *before, *after;
        enum err e;
    } rows[] = {
        { "Bearer ", "", OK },
        { "bearer ", "", OK },
        { "BEARER   ", "", OK },
        { "", "", ERR_UNAUTHENTICATED },
        { "Basic ", "", ERR_UNAUTHENTICATED },
        { "Bearer", "", ERR_UNAUTHENTICATED },
        { "Bearer\t", "", ERR_UNAUTHENTICATED },
        { "BearerX ", "", ERR_UNAUTHENTICATED },
        { " Bearer ", "", ERR_UNAUTHENTICATED },
        { "Bearer ", " ", ERR_INVALID_TOKEN },
        { "Bearer ", ", Basic x", ERR_INVALID_TOKEN },
        { "Bearer \"", "\"", ERR_INVALID_TOKEN },
        { "Bearer ", "\n", ERR_INVALID_TOKEN },
    };
    static const char *const empties[] = { "", "Bearer", "Bearer ", "Bearer    ", "B" };
    struct auth *a = auth_of((struct config){ .auth_hs256_secret = TOKEN_SECRET });
    char *token = auth_mint_hs256(SECRET, "publish:*", "ann", NOW, US_PER_S);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct principal *p = NULL;
        struct fault f = { 0 };
        char *header;

        if (asprintf(&header, "%s%s%s", rows[i].before, token, rows[i].after) < 0)
            abort();
        if (auth_check(a, slice_of(header), NOW, &p, &f) != rows[i].e || (rows[i].e != OK && !*f.detail))
            fail_msg("\"%s…%s\"", rows[i].before, rows[i].after);
        principal_unref(p);
        free(header);
    }
    for (size_t i = 0; i < sizeof empties / sizeof *empties; i++)
        assert_int_equal(auth_check(a, slice_of(empties[i]), NOW, NULL, NULL), ERR_UNAUTHENTICATED);
    assert_int_equal(auth_check(a, SLICE_NONE, NOW, NULL, NULL), ERR_UNAUTHENTICATED);
    free(token);
    auth_free(a);
}

static void a_minted_token_carries_what_was_asked(void **state)
{
    struct auth *a = auth_of((struct config){ .auth_hs256_secret = TOKEN_SECRET });
    char *token = auth_mint_hs256(SECRET, "publish:orders.* dlq:x", "ann", NOW, 3600 * US_PER_S);
    struct principal *p = NULL;

    (void)state;
    assert_non_null(token);
    assert_int_equal(check_at(a, token, NOW, &p), OK);
    assert_true(principal_expires_us(p) == NOW + 3600 * US_PER_S);
    assert_true(slice_is(principal_subject(p), "ann"));
    assert_true(principal_may(p, PERM_PUBLISH, SLICE("orders.eu")) && principal_may(p, PERM_DLQ, SLICE("x")));
    assert_false(principal_may(p, PERM_PUBLISH, SLICE("x")) || principal_may_any(p, PERM_ADMIN));
    principal_unref(p);
    free(token);
    assert_null(auth_mint_hs256(SLICE(""), "publish:*", "ann", NOW, US_PER_S));
    auth_free(a);
}

static void expiry_is_checked_on_every_use(void **state)
{
    struct auth *a = auth_of((struct config){ .auth_hs256_secret = TOKEN_SECRET });
    char *token = auth_mint_hs256(SECRET, "publish:*", "ann", NOW, 10 * US_PER_S);
    int64_t end = NOW + 10 * US_PER_S + LEEWAY;

    (void)state;
    assert_true(accepts(a, token, NOW));
    assert_true(accepts(a, token, end - 1)); /* from the cache */
    assert_false(accepts(a, token, end));
    assert_false(accepts(a, token, end));
    free(token);
    auth_free(a);
}

static void a_token_is_verified_once(void **state)
{
    struct auth *a = auth_of((struct config){ .auth_hs256_secret = TOKEN_SECRET });
    char *token = auth_mint_hs256(SECRET, "publish:*", "ann", NOW, US_PER_S);
    struct principal *first = NULL, *second = NULL;

    (void)state;
    assert_int_equal(check_at(a, token, NOW, &first), OK);
    assert_int_equal(check_at(a, token, NOW, &second), OK);
    assert_ptr_equal(first, second);
    principal_unref(first);
    principal_unref(second);
    free(token);
    auth_free(a);
}

static void a_connection_remembers_its_last_token_until_it_ends_or_keys_go(void **state)
{
    struct auth *a = auth_of((struct config){ .auth_hs256_secret = TOKEN_SECRET });
    char *token = auth_mint_hs256(SECRET, "publish:a", "me", NOW, US_PER_S), *header = NULL;
    struct auth_memo m = { 0 };
    struct principal *p = NULL, *again;

    (void)state;
    assert_non_null(token);
    assert_true(asprintf(&header, "Bearer %s", token) > 0);
    assert_null(auth_recall(a, &m, slice_of(header), NOW));
    assert_int_equal(auth_check(a, slice_of(header), NOW, &p, NULL), OK);
    auth_remember(a, &m, slice_of(header), p, auth_age(a));
    again = auth_recall(a, &m, slice_of(header), NOW);
    assert_ptr_equal(again, p);
    principal_unref(again);
    assert_null(auth_recall(a, &m, (struct slice){ header, strlen(header) - 1 }, NOW));
    header[strlen(header) - 1] ^= 1;
    assert_null(auth_recall(a, &m, slice_of(header), NOW));
    header[strlen(header) - 1] ^= 1;
    assert_null(auth_recall(a, &m, slice_of(header), NOW + US_PER_S + LEEWAY));
    auth_remember(a, &m, slice_of(header), p, auth_age(a) - 1); /* verified before a key went */
    assert_null(auth_recall(a, &m, slice_of(header), NOW));
    auth_forget(&m);
    assert_null(m.value);
    principal_unref(p);
    free(header);
    free(token);
    auth_free(a);
}

static void without_a_cache_every_use_verifies(void **state)
{
    const struct config c = { .auth_hs256_secret = TOKEN_SECRET, .auth_leeway_us = LEEWAY };
    char err[512], *token = auth_mint_hs256(SECRET, "publish:*", "ann", NOW, US_PER_S);
    struct auth *a = auth_new(&c, SLICE_NONE, err);

    (void)state;
    assert_true(accepts(a, token, NOW));
    assert_true(accepts(a, token, NOW));
    assert_false(accepts(a, token, NOW + US_PER_S + LEEWAY));
    free(token);
    auth_free(a);
}

static void a_key_may_be_added_later(void **state)
{
    struct auth *a = auth_of((struct config){ 0 });
    char *token = auth_mint_hs256(SECRET, "publish:*", "ann", NOW, US_PER_S);

    (void)state;
    assert_false(auth_has_keys(a));
    assert_false(accepts(a, token, NOW));
    assert_false(auth_add_secret(a, SLICE("short")));
    assert_false(auth_has_keys(a));
    assert_true(auth_add_secret(a, SECRET));
    assert_true(auth_has_keys(a));
    assert_true(accepts(a, token, NOW)); /* a refusal was not cached */
    free(token);
    auth_free(a);
}

static void the_development_key_stands_beside_others(void **state)
{
    struct config c = { .auth_public_key = token_pem(BY_ES).p, .auth_public_key_alg = "ES256", .auth_cache = 1 };
    char err[512] = "", *token = auth_mint_hs256(SECRET, "publish:*", "ann", NOW, US_PER_S);
    struct auth *a = auth_new(&c, SECRET, err);
    char *other = token_sign(BY_ES, "{\"alg\":\"ES256\"}", "{\"exp\":1800000001}");

    (void)state;
    assert_true(accepts(a, token, NOW));
    assert_true(accepts(a, other, NOW));
    auth_free(a);
    assert_null(auth_new(&c, SLICE("short"), err));
    assert_non_null(strstr(err, "The development key"));
    free(token);
    free(other);
}

static char *one_line(struct slice pem)
{
    char *out = malloc(2 * pem.n + 1), *q = out;

    for (size_t i = 0; i < pem.n; i++) {
        if (pem.p[i] == '\n')
            *q++ = '\\', *q++ = 'n';
        else
            *q++ = pem.p[i];
    }
    *q = '\0';
    return out;
}

static void a_public_key_comes_from_the_environment_on_one_line_too(void **state)
{
    static const struct {
        enum signer by;
        const char *alg;
    } rows[] = { { BY_RS, "RS256" }, { BY_PS, "PS256" }, { BY_ES, "ES256" }, { BY_ED, "EdDSA" } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *pem = one_line(token_pem(rows[i].by)), header[64];
        struct auth *a = auth_of((struct config){ .auth_public_key = pem, .auth_public_key_alg = rows[i].alg });

        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", rows[i].alg);
        char *token = token_sign(rows[i].by, header, "{\"exp\":1800000001}");

        assert_true(accepts(a, token, NOW));
        token[strlen(token) / 2] ^= 1;
        assert_false(accepts(a, token, NOW));
        free(token);
        free(pem);
        auth_free(a);
    }
}

static void unusable_keys_of_the_environment_are_named(void **state)
{
    const struct {
        struct config c;
        const char *err;
    } rows[] = {
        { { .auth_hs256_secret = "31 bytes are not enough for me." }, "auth.hs256_secret cannot be used: the secret has 31" },
        { { .auth_hs256_secret = token_pem(BY_RS).p }, "PEM block" },
        { { .auth_public_key = token_pem(BY_RS).p }, "auth.public_key_alg must be" },
        { { .auth_public_key = token_pem(BY_RS).p, .auth_public_key_alg = "HS256" }, "auth.public_key_alg must be" },
        { { .auth_public_key = token_pem(BY_RS).p, .auth_public_key_alg = "ES256" }, "ES256 needs an EC key" },
        { { .auth_public_key = "abc", .auth_public_key_alg = "ES256" }, "auth.public_key cannot be used: no PEM" },
        { { .auth_keys_file = "/nowhere/keys.json" }, "cannot read /nowhere/keys.json" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char err[512] = "";

        assert_null(auth_new(&rows[i].c, SLICE_NONE, err));
        if (!strstr(err, rows[i].err))
            fail_msg("\"%s\" instead of \"%s\"", err, rows[i].err);
    }
}

/* libjwt is another implementation: what it signs we accept, what we hold for good it verifies. */
static void libjwt_agrees_on_valid_tokens(void **state)
{
    const struct {
        enum signer by;
        jwt_alg_t alg;
        const char *name;
        struct slice sign, verify;
    } rows[] = {
        { BY_HS, JWT_ALG_HS256, "HS256", SECRET, SECRET },
        { BY_RS, JWT_ALG_RS256, "RS256", token_private_pem(BY_RS), token_pem(BY_RS) },
        { BY_ES, JWT_ALG_ES256, "ES256", token_private_pem(BY_ES), token_pem(BY_ES) },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c = { 0 };
        char header[64];
        jwt_t *jwt = NULL;

        if (rows[i].by == BY_HS)
            c.auth_hs256_secret = TOKEN_SECRET;
        else
            c.auth_public_key = rows[i].verify.p, c.auth_public_key_alg = rows[i].name;
        struct auth *a = auth_of(c);

        for (int n = 0; n < 20; n++) { /* ECDSA signatures differ each time, leading zeros among them */
            assert_int_equal(jwt_new(&jwt), 0);
            jwt_add_grant_int(jwt, "exp", 1800000001 + n);
            jwt_add_grant(jwt, "scope", "publish:*");
            jwt_set_alg(jwt, rows[i].alg, (const unsigned char *)rows[i].sign.p, (int)rows[i].sign.n);
            char *theirs = jwt_encode_str(jwt);

            jwt_free(jwt);
            assert_true(accepts(a, theirs, NOW));
            theirs[strlen(theirs) - 8] ^= 3;
            assert_false(accepts(a, theirs, NOW));
            free(theirs);
        }
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", rows[i].name);
        char *ours = token_sign(rows[i].by, header, "{\"exp\":1800000001}");

        assert_true(accepts(a, ours, NOW));
        assert_int_equal(jwt_decode(&jwt, ours, (const unsigned char *)rows[i].verify.p, (int)rows[i].verify.n), 0);
        jwt_free(jwt);
        free(ours);
        auth_free(a);
    }
}

enum { THREADS = 4, TOKENS = 40, ROUNDS = 400 };
struct crowd {
    struct auth *a;
    char *tokens[TOKENS], *forged[TOKENS];
    int seed;
    int wrong;
};

static void *use_tokens(void *arg)
{
    struct crowd *c = arg;
    unsigned at = (unsigned)c->seed;

    for (int i = 0; i < ROUNDS; i++) {
        struct principal *p = NULL, *none = NULL;
        char name[16];

        at = at * 1103515245U + 12345U;
        unsigned n = at / 65536 % TOKENS;

        snprintf(name, sizeof name, "s%u", n);
        if (check_at(c->a, c->tokens[n], NOW, &p) || !principal_may(p, PERM_PUBLISH, slice_of(name)) ||
            principal_may(p, PERM_PUBLISH, SLICE("s")))
            c->wrong++;
        if (check_at(c->a, c->forged[n], NOW, &none) != ERR_INVALID_TOKEN || none)
            c->wrong++;
        if (i == ROUNDS / 2 && c->seed == 0 && !auth_add_secret(c->a, SLICE("yet another secret of 32 bytes, too")))
            c->wrong++;
        principal_unref(p);
    }
    return NULL;
}

static void threads_share_a_cache_smaller_than_their_tokens(void **state)
{
    struct auth *a = auth_of((struct config){ .auth_hs256_secret = TOKEN_SECRET, .auth_cache = 16 });
    struct crowd all = { .a = a }, crowd[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned n = 0; n < TOKENS; n++) {
        char scope[32];

        snprintf(scope, sizeof scope, "publish:s%u", n);
        all.tokens[n] = auth_mint_hs256(SECRET, scope, "ann", NOW, US_PER_S);
        all.forged[n] = auth_mint_hs256(SLICE("a secret that nobody configured here"), scope, "ann", NOW, US_PER_S);
    }
    for (int i = 0; i < THREADS; i++) {
        crowd[i] = all;
        crowd[i].seed = i;
        assert_int_equal(pthread_create(&threads[i], NULL, use_tokens, &crowd[i]), 0);
    }
    int wrong = 0;

    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        wrong += crowd[i].wrong;
    }
    assert_int_equal(wrong, 0);
    for (int n = 0; n < TOKENS; n++) {
        free(all.tokens[n]);
        free(all.forged[n]);
    }
    auth_free(a);
}

/* EVP_PKEY is shared between threads; only a miss uses it, so every token is new. */
static void *verify_es256(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < TOKENS; i++)
        c->wrong += !accepts(c->a, c->tokens[(i + c->seed * 10) % TOKENS], NOW);
    return NULL;
}

static void threads_share_a_public_key(void **state)
{
    struct config c = { .auth_public_key = token_pem(BY_ES).p, .auth_public_key_alg = "ES256", .auth_cache = 1 };
    struct auth *a = auth_of(c);
    struct crowd all = { .a = a }, crowd[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (int n = 0; n < TOKENS; n++) {
        char claims[64];

        snprintf(claims, sizeof claims, "{\"exp\":1800000001,\"sub\":\"%d\"}", n);
        all.tokens[n] = token_sign(BY_ES, "{\"alg\":\"ES256\"}", claims);
    }
    for (int i = 0; i < THREADS; i++) {
        crowd[i] = all;
        crowd[i].seed = i;
        assert_int_equal(pthread_create(&threads[i], NULL, verify_es256, &crowd[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowd[i].wrong, 0);
    }
    for (int n = 0; n < TOKENS; n++)
        free(all.tokens[n]);
    auth_free(a);
}

static int teardown(void **state)
{
    (void)state;
    tokens_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_bearer_in_any_case_and_one_token),
        cmocka_unit_test(a_minted_token_carries_what_was_asked),
        cmocka_unit_test(expiry_is_checked_on_every_use),
        cmocka_unit_test(a_token_is_verified_once),
        cmocka_unit_test(a_connection_remembers_its_last_token_until_it_ends_or_keys_go),
        cmocka_unit_test(without_a_cache_every_use_verifies),
        cmocka_unit_test(a_key_may_be_added_later),
        cmocka_unit_test(the_development_key_stands_beside_others),
        cmocka_unit_test(a_public_key_comes_from_the_environment_on_one_line_too),
        cmocka_unit_test(unusable_keys_of_the_environment_are_named),
        cmocka_unit_test(libjwt_agrees_on_valid_tokens),
        cmocka_unit_test(threads_share_a_cache_smaller_than_their_tokens),
        cmocka_unit_test(threads_share_a_public_key),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
