#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "gateway/http/accept.h"

static const char *const offers[] = { "application/json", "text/event-stream", "text/html; charset=utf-8" };

static void assert_best(const char *header, const char *expected)
{
    const char *best = accept_best(slice_of(header), offers, 3);

    if (!best != !expected || (best && strcmp(best, expected) != 0))
        fail_msg("\"%s\" gave %s", header, best ? best : "nothing");
}

static void no_header_accepts_the_first_offer(void **state)
{
    (void)state;
    assert_best("", offers[0]);
    assert_best("  ", offers[0]);
    assert_best("*/*", offers[0]);
    assert_null(accept_best(SLICE("*/*"), offers, 0));
}

static void the_heaviest_offer_wins(void **state)
{
    (void)state;
    assert_best("text/event-stream", offers[1]);
    assert_best("TEXT/Event-Stream", offers[1]);
    assert_best("application/json;q=0.5, text/event-stream", offers[1]);
    assert_best("application/json;q=0.5, text/*;q=0.501", offers[1]);
    assert_best("text/html, application/json;q=0.9, */*;q=0.8", offers[2]);
    assert_best("text/*", offers[1]);
}

static void the_most_specific_range_decides(void **state)
{
    (void)state;
    assert_best("*/*, application/json;q=0", offers[1]);
    assert_best("text/*, text/event-stream;q=0.1, */*;q=0.2", offers[2]);
    assert_best("text/event-stream;q=0, text/html;q=0, */*;q=0.1", offers[0]);
}

static void nothing_acceptable_is_nothing(void **state)
{
    (void)state;
    assert_best("image/png", NULL);
    assert_best("application/json;q=0", NULL);
    assert_best("application/json;q=0.000", NULL);
}

static void malformed_ranges_are_passed_over(void **state)
{
    (void)state;
    assert_best("json, text/html", offers[2]);
    assert_best("application/json;q=2, text/html;q=0.1", offers[2]);
    assert_best("application/json;q=0.1234, text/html;q=0.1", offers[2]);
    assert_best("/,;,,\"", NULL);
    assert_best("application/json;a=\"x,text/html\";q=0.1, text/event-stream;q=0.2", offers[1]);
    assert_best("application/json;a=\"\\\",\", text/html;q=0.5", offers[0]);
}

static void gzip_is_for_who_takes_it_and_wants_identity_no_more(void **state)
{
    static const char *const yes[] = { "gzip", "deflate, GZip;q=0.5, br", "x-gzip", "*", "br;q=1.0 , gzip ; q=0.001",
                                       "gzip, identity", "identity;q=0.5, gzip;q=0.5", "identity;q=0, *", "gzip;x=1",
                                       "gzip;q=0.8, *;q=0" };
    static const char *const no[] = { "", "identity, br", "gzip;q=0", "*, gzip ; Q=0.000", "*;q=0", "gzipped, ,;",
                                      "gzip;q=0.4, identity;q=0.5", "gzip;q=2", "gzip;q=", "gzip;q=x, *;q=0", "*;q=0.1, identity" };

    (void)state;
    assert_false(accept_gzip(SLICE_NONE));
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!accept_gzip(slice_of(yes[i])))
            fail_msg("should take gzip: %s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (accept_gzip(slice_of(no[i])))
            fail_msg("should not take gzip: %s", no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_header_accepts_the_first_offer),
        cmocka_unit_test(the_heaviest_offer_wins),
        cmocka_unit_test(the_most_specific_range_decides),
        cmocka_unit_test(nothing_acceptable_is_nothing),
        cmocka_unit_test(malformed_ranges_are_passed_over),
        cmocka_unit_test(gzip_is_for_who_takes_it_and_wants_identity_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
