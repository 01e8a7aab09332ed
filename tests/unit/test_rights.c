#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/http/principal.h"

enum { EVERY = PERM_PUBLISH | PERM_SUBSCRIBE | PERM_DLQ | PERM_SCHEMA | PERM_SAGA | PERM_PROJECTION | PERM_MANAGE };

struct claim {
    const char *claims;
    unsigned may[4];         /* on orders, orders.eu, users, "" */
    unsigned all, any;
};

static unsigned mask(const struct principal *p, const char *name)
{
    unsigned m = 0;

    for (unsigned a = PERM_PUBLISH; a <= PERM_ADMIN; a <<= 1)
        m |= principal_may(p, a, slice_of(name)) ? a : 0;
    return m;
}

static struct principal *of(const char *claims, const char **why)
{
    json_t *o = json_loads(claims, 0, NULL);

    assert_non_null(o);
    struct principal *p = principal_new(o, 0, why);

    json_decref(o);
    return p;
}

#define PUB PERM_PUBLISH
#define SUB PERM_SUBSCRIBE
#define ALL (EVERY | PERM_ADMIN)
#define WEIR(actions, streams) "{\"type\":\"weir\",\"actions\":" actions ",\"streams\":" streams "}"
#define DETAILS(entries) "{\"authorization_details\":[" entries "]}"

static void claims_grant_what_they_say_and_nothing_else(void **state)
{
    static const struct claim rows[] = {
        { "{}", { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"\"}", { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"   \"}", { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"publish:orders\"}", { PUB, 0, 0, 0 }, 0, PUB },
        { "{\"scope\":\"publish:orders.*\"}", { 0, PUB, 0, 0 }, 0, PUB },
        { "{\"scope\":\"publish:orders publish:users\"}", { PUB, 0, PUB, 0 }, 0, PUB },
        { "{\"scope\":\" publish:orders  subscribe:orders \"}", { PUB | SUB, 0, 0, 0 }, 0, PUB | SUB },
        { "{\"scope\":\"publish:*\"}", { PUB, PUB, PUB, PUB }, PUB, PUB },
        { "{\"scope\":\"publish:**\"}", { PUB, PUB, PUB, PUB }, PUB, PUB },
        { "{\"scope\":\"admin:orders\"}", { ALL, 0, 0, 0 }, 0, ALL },
        { "{\"scope\":\"admin:*\"}", { ALL, ALL, ALL, ALL }, ALL, ALL },
        { "{\"scope\":\"dlq:orders schema:orders saga:orders projection:orders manage:orders\"}",
          { EVERY & ~(PUB | SUB), 0, 0, 0 }, 0, EVERY & ~(PUB | SUB) },
        { "{\"scope\":\"openid profile publish\"}", { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"own:* Publish:* publishs:* :*\"}", { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"publish: admin:\"}", { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"publish::*\"}", { 0, 0, 0, 0 }, 0, PUB },
        { "{\"scope\":\"publish:orders\\tadmin:*\"}", { 0, 0, 0, 0 }, 0, PUB },
        { "{\"scope\":\"publish:a,admin:*\"}", { 0, 0, 0, 0 }, 0, PUB },
        { "{\"scp\":\"admin:*\",\"permissions\":[\"admin:*\"]}", { 0, 0, 0, 0 }, 0, 0 },
        { DETAILS(""), { 0, 0, 0, 0 }, 0, 0 },
        { DETAILS(WEIR("[\"publish\",\"subscribe\"]", "[\"orders\",\"users\"]")), { PUB | SUB, 0, PUB | SUB, 0 }, 0, PUB | SUB },
        { DETAILS(WEIR("[\"publish\"]", "[\"orders\"]") "," WEIR("[\"subscribe\"]", "[\"users\"]")),
          { PUB, 0, SUB, 0 }, 0, PUB | SUB },
        { DETAILS(WEIR("[\"admin\"]", "[\"*\"]")), { ALL, ALL, ALL, ALL }, ALL, ALL },
        { DETAILS(WEIR("[\"erase\"]", "[\"*\"]")), { 0, 0, 0, 0 }, 0, 0 },
        { DETAILS(WEIR("[\"erase\",\"publish\"]", "[\"orders\"]")), { PUB, 0, 0, 0 }, 0, PUB },
        { DETAILS(WEIR("[]", "[\"*\"]")), { 0, 0, 0, 0 }, 0, 0 },
        { DETAILS("{\"type\":\"payment\",\"actions\":7}"), { 0, 0, 0, 0 }, 0, 0 },
        { DETAILS("{\"type\":\"Weir\",\"actions\":[\"admin\"],\"streams\":[\"*\"]}"), { 0, 0, 0, 0 }, 0, 0 },
        { "{\"scope\":\"publish:orders\",\"authorization_details\":[" WEIR("[\"subscribe\"]", "[\"orders\"]") "]}",
          { PUB | SUB, 0, 0, 0 }, 0, PUB | SUB },
    };
    static const char *const names[] = { "orders", "orders.eu", "users", "" };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct claim *c = &rows[i];
        const char *why = NULL;
        struct principal *p = of(c->claims, &why);

        if (!p)
            fail_msg("%s: %s", c->claims, why);
        for (size_t n = 0; n < 4; n++) {
            if (mask(p, names[n]) != c->may[n])
                fail_msg("%s on \"%s\": %x, expected %x", c->claims, names[n], mask(p, names[n]), c->may[n]);
        }
        for (unsigned a = PERM_PUBLISH; a <= PERM_ADMIN; a <<= 1) {
            if (principal_may_all(p, a) != ((c->all & a) != 0) || principal_may_any(p, a) != ((c->any & a) != 0))
                fail_msg("%s: all or any of %x", c->claims, a);
        }
        principal_unref(p);
    }
}

static void malformed_details_of_type_weir_refuse_the_token(void **state)
{
    static const char *const rows[] = {
        DETAILS("{\"type\":\"weir\"}"),
        DETAILS("{\"type\":\"weir\",\"actions\":[\"publish\"]}"),
        DETAILS("{\"type\":\"weir\",\"streams\":[\"*\"]}"),
        DETAILS(WEIR("\"publish\"", "[\"*\"]")),
        DETAILS(WEIR("[\"publish\"]", "\"*\"")),
        DETAILS(WEIR("[\"publish\",1]", "[\"*\"]")),
        DETAILS(WEIR("[\"publish\"]", "[\"*\",null]")),
        DETAILS(WEIR("[\"publish\"]", "[\"\"]")),
        DETAILS(WEIR("{}", "[\"*\"]")),
        DETAILS(WEIR("[\"publish\"]", "[\"*\"],\"partitions\":[1]")),
        DETAILS(WEIR("[\"publish\"]", "[\"*\"]") "," WEIR("7", "[\"*\"]")),
        DETAILS("{\"actions\":[\"publish\"],\"streams\":[\"*\"]}"),
        DETAILS("{\"type\":7}"),
        DETAILS("\"weir\""),
        DETAILS("null"),
        "{\"authorization_details\":\"[]\"}",
        "{\"authorization_details\":null}",
        "{\"scope\":[\"publish:*\"]}",
        "{\"scope\":null}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = NULL;

        if (of(rows[i], &why) || !why)
            fail_msg("%s was accepted", rows[i]);
    }
}

static void nobody_may_nothing(void **state)
{
    (void)state;
    assert_false(principal_may(NULL, PERM_PUBLISH, SLICE("orders")));
    assert_false(principal_may_all(NULL, PERM_PUBLISH));
    assert_false(principal_may_any(NULL, PERM_PUBLISH));
    principal_unref(NULL);
}

static void subject_and_issuer_are_kept(void **state)
{
    const char *why = NULL;
    struct principal *p = of("{\"sub\":\"ann\",\"iss\":\"https://id\"}", &why), *q = of("{}", &why);

    (void)state;
    assert_true(slice_is(principal_subject(p), "ann") && slice_is(principal_issuer(p), "https://id"));
    assert_true(principal_subject(q).p && !principal_subject(q).n && principal_issuer(q).p && !principal_issuer(q).n);
    assert_ptr_equal(principal_ref(p), p);
    principal_unref(p);
    assert_true(slice_is(principal_subject(p), "ann"));
    principal_unref(p);
    principal_unref(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_grant_what_they_say_and_nothing_else),
        cmocka_unit_test(malformed_details_of_type_weir_refuse_the_token),
        cmocka_unit_test(nobody_may_nothing),
        cmocka_unit_test(subject_and_issuer_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
