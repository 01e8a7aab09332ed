#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "gateway/http/router.h"

static enum err never(struct request *rq, struct reply *rp)
{
    (void)rq;
    (void)rp;
    return ERR_INTERNAL;
}

#define ROUTE(op, method, path) { op, method, path, PERM_NONE, 0, false, never, NULL }

static const struct route table[] = {
    ROUTE("root", "GET", "/"),
    ROUTE("letter", "GET", "/v1/streams/{stream}/dlq/{id}"),
    ROUTE("summary", "GET", "/v1/streams/{stream}/dlq/summary"),
    ROUTE("repair", "PATCH", "/v1/streams/{stream}/dlq/{id}"),
    ROUTE("redriveAll", "POST", "/v1/streams/{stream}/dlq/redrive"),
    ROUTE("streams", "GET", "/v1/streams"),
    ROUTE("stream", "PUT", "/v1/streams/{stream}"),
    ROUTE("head", "HEAD", "/v1/streams/{stream}"),
};

struct world {
    struct router *router;
    struct arena *arena;
    struct match m;
    struct fault f;
};

static int start(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char err[512];

    if (!w || !(w->router = router_new(table, sizeof table / sizeof *table, err)) || !(w->arena = arena_new(65536)))
        return -1;
    *state = w;
    return 0;
}

static int stop(void **state)
{
    struct world *w = *state;

    router_free(w->router);
    arena_free(w->arena);
    free(w);
    return 0;
}

static enum err match(struct world *w, const char *method, const char *path)
{
    w->m = (struct match){ 0 };
    return router_match(w->router, w->arena, slice_of(method), slice_of(path), &w->m, &w->f);
}

static void assert_op(struct world *w, const char *method, const char *path, const char *op)
{
    assert_int_equal(match(w, method, path), OK);
    assert_string_equal(w->m.route->op, op);
    assert_ptr_equal(w->m.route, &table[w->m.index]);
}

static void literal_segments_win_over_arguments(void **state)
{
    assert_op(*state, "GET", "/", "root");
    assert_op(*state, "GET", "/v1/streams", "streams");
    assert_op(*state, "GET", "/v1/streams/a/dlq/summary", "summary");
    assert_op(*state, "GET", "/v1/streams/a/dlq/7", "letter");
    assert_op(*state, "PATCH", "/v1/streams/a/dlq/summary", "repair");
    assert_op(*state, "GET", "/v1/streams/a/dlq/redrive", "letter");
}

static void arguments_are_decoded_after_the_split(void **state)
{
    struct world *w = *state;

    assert_op(w, "GET", "/v1/str%65ams/a%2Fb%25/dlq/%E2%82%AC", "letter");
    assert_int_equal(w->m.count, 2);
    assert_true(slice_is(w->m.names[0], "stream"));
    assert_true(slice_is(w->m.values[0], "a/b%"));
    assert_true(slice_is(w->m.values[1], "\xe2\x82\xac"));
    assert_op(w, "PUT", "/v1/streams/a+b", "stream");
    assert_true(slice_is(w->m.values[0], "a+b"));
    assert_op(w, "PUT", "/v1/streams/..", "stream"); /* data: names are checked by who takes them */
}

static void bad_escapes_nul_and_broken_utf8_are_400(void **state)
{
    static const char *const bad[] = { "/v1/streams/%", "/v1/streams/%4", "/v1/streams/%zz", "/v1/streams/%4g",
                                       "/v1/streams/a%00b", "/v1/streams/%ff", "/v1/streams/%C0%80", "v1", "" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(match(*state, "PUT", bad[i]), ERR_BAD_REQUEST);
}

static void unknown_and_empty_segments_are_404(void **state)
{
    static const char *const none[] = { "/v1", "/v1/", "/v1/streams/", "/v1//streams", "/v1/streams/a/dlq", "//",
                                        "/v1/Streams", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p" };

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(match(*state, "GET", none[i]), ERR_NOT_FOUND);
}

static void a_wrong_method_is_405_with_every_right_one(void **state)
{
    struct world *w = *state;

    assert_int_equal(match(w, "DELETE", "/v1/streams"), ERR_METHOD_NOT_ALLOWED);
    assert_string_equal(w->m.allow, "GET, HEAD, OPTIONS");
    assert_int_equal(match(w, "DELETE", "/v1/streams/a/dlq/redrive"), ERR_METHOD_NOT_ALLOWED);
    assert_string_equal(w->m.allow, "GET, HEAD, POST, PATCH, OPTIONS");
    assert_int_equal(match(w, "OPTIONS", "/v1/streams/a"), ERR_METHOD_NOT_ALLOWED);
    assert_string_equal(w->m.allow, "HEAD, PUT, OPTIONS");
    assert_int_equal(match(w, "get", "/v1/streams"), ERR_METHOD_NOT_ALLOWED);
}

static void head_is_served_by_get_or_by_its_own_route(void **state)
{
    assert_op(*state, "HEAD", "/v1/streams", "streams");
    assert_op(*state, "HEAD", "/v1/streams/a", "head");
}

static void assert_refused(const struct route *routes, size_t n, const char *why)
{
    char err[512] = "";

    assert_null(router_new(routes, n, err));
    assert_non_null(strstr(err, why));
}

static void faulty_tables_are_refused_at_start(void **state)
{
    const struct route no_perm[] = { { "a", "GET", "/", 0, 0, false, never, NULL } };
    const struct route no_handler[] = { { "a", "GET", "/", PERM_NONE, 0, false, NULL, NULL } };
    const struct route twice[] = { ROUTE("a", "GET", "/a"), ROUTE("a", "PUT", "/a") };
    const struct route same[] = { ROUTE("a", "GET", "/a/{x}"), ROUTE("b", "GET", "/a/{y}") };
    const struct route long_path[] = { ROUTE("a", "GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13") };
    const struct route many_args[] = { ROUTE("a", "GET", "/{1}/{2}/{3}/{4}/{5}") };

    (void)state;
    assert_refused(no_perm, 1, "route 0 (a) lacks");
    assert_refused(no_handler, 1, "route 0 (a) lacks");
    assert_refused(twice, 2, "operation id a");
    assert_refused(same, 2, "same method and path");
    assert_refused(long_path, 1, "too many");
    assert_refused(many_args, 1, "too many");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_segments_win_over_arguments),
        cmocka_unit_test(arguments_are_decoded_after_the_split),
        cmocka_unit_test(bad_escapes_nul_and_broken_utf8_are_400),
        cmocka_unit_test(unknown_and_empty_segments_are_404),
        cmocka_unit_test(a_wrong_method_is_405_with_every_right_one),
        cmocka_unit_test(head_is_served_by_get_or_by_its_own_route),
        cmocka_unit_test(faulty_tables_are_refused_at_start),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
