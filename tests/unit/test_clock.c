#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/base/clock.h"

static void known_times_are_written_as_27_characters(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000000Z" },
        { -1, "1969-12-31T23:59:59.999999Z" },
        { PG_EPOCH_US, "2000-01-01T00:00:00.000000Z" },
        { INT64_C(951782400000001), "2000-02-29T00:00:00.000001Z" },
        { INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999999Z" },
        { INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z" },
        { INT64_MIN, "0000-01-01T00:00:00.000000Z" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[CLOCK_TEXT];

        clock_format(rows[i].us, out);
        assert_string_equal(out, rows[i].text);
    }
}

static void any_time_is_written_as_gmtime_has_it_and_read_back(void **state)
{
    (void)state;
    srandom(7);
    for (int i = 0; i < 200000; i++) {
        int64_t s = ((int64_t)random() * 4 + i % 4) % INT64_C(315569520000) - INT64_C(62167219200), back;
        int64_t us = s * US_PER_S + random() % US_PER_S;
        char out[CLOCK_TEXT], want[40];
        time_t t = (time_t)s;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(want, sizeof want, "-%m-%dT%H:%M:%S.", &tm);
        clock_format(us, out);
        assert_int_equal(atoi(out), tm.tm_year + 1900);
        assert_memory_equal(out + 4, want, strlen(want));
        assert_true(clock_parse(slice_of(out), &back));
        assert_int_equal(back, us);
    }
}

static void rfc_3339_is_read_in_all_its_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01t00:00:00z", 0 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "1969-12-31T18:30:00-05:30", 0 },
        { "1970-01-01T00:00:00-00:00", 0 },
        { "1970-01-01T00:00:00.5Z", 500000 },
        { "1970-01-01T00:00:00.000001999Z", 1 },
        { "1970-01-01T00:00:00.123456789+00:00", 123456 },
        { "1972-06-30T23:59:60Z", INT64_C(78796799000000) },
        { "1972-07-01T00:59:60.25+01:00", INT64_C(78796799250000) },
        { "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
        { "0000-01-01T00:00:00Z", INT64_C(-62167219200000000) },
        { "1969-12-31T23:59:60Z", INT64_C(-1000000) },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = -7;

        if (!clock_parse(slice_of(rows[i].text), &us))
            fail_msg("refused: %s", rows[i].text);
        assert_int_equal(us, rows[i].us);
    }
}

static void what_is_no_rfc_3339_time_is_refused(void **state)
{
    static const char *const rows[] = {
        "", "2026", "2026-01-31", "2026-01-31T23:59:59", "2026-01-31 23:59:59Z", "2026-01-31T23:59Z",
        "2026-1-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z", "2026-01-31T22:59:60Z",
        "2026-01-31T23:59:60+01:00", "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59,5Z",
        "2026-01-31T23:59:59.1234567890Z", "2026-01-31T23:59:59+1:00", "2026-01-31T23:59:59+0100",
        "2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+01:60",
        "2026-01-31T23:59:59ZZ", "2026-01-31T23:59:59Z ", " 2026-01-31T23:59:59Z", "+026-01-31T23:59:59Z",
        "2026-01-31T23:59:59.5", "2026-01-31T-1:59:59Z", "2026-01-31T23:59:59*01:00", "2026/01/31T23:59:59Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us;

        if (clock_parse(slice_of(rows[i]), &us))
            fail_msg("accepted: %s", rows[i]);
    }
}

static void durations_are_read_and_written_with_their_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
        const char *canonical;
    } rows[] = {
        { "0s", 0, "0s" },           { "0ms", 0, "0s" },          { "500ms", 500000, "500ms" },
        { "30s", 30000000, "30s" },  { "60s", 60000000, "1m" },   { "5m", 300000000, "5m" },
        { "12h", 43200000000, "12h" }, { "24h", 86400000000, "1d" }, { "7d", 604800000000, "7d" },
        { "1500ms", 1500000, "1500ms" }, { "106751991d", INT64_C(9223372022400000000), "106751991d" },
        { "9223372036854775ms", INT64_C(9223372036854775000), "9223372036854775ms" },
    };
    char out[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = -1;

        if (!duration_parse(slice_of(rows[i].text), &us))
            fail_msg("refused: %s", rows[i].text);
        assert_int_equal(us, rows[i].us);
        duration_format(us, out);
        assert_string_equal(out, rows[i].canonical);
    }
    duration_format(1500, out);
    assert_string_equal(out, "1500us");
}

static void malformed_and_overlong_durations_are_refused(void **state)
{
    static const char *const rows[] = { "", "s", "5", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S", "5sec",
                                        "1h30m", "0x5s", "106751992d", "9223372036854776ms", "99999999999999999999s",
                                        "5w", "d5" };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us;

        if (duration_parse(slice_of(rows[i]), &us))
            fail_msg("accepted: %s", rows[i]);
    }
}

static void the_clocks_run(void **state)
{
    int64_t unix_us = clock_unix_us(), mono = clock_mono_us();

    (void)state;
    assert_true(unix_us > INT64_C(1700000000) * US_PER_S);
    assert_true(llabs(unix_us / US_PER_S - (int64_t)time(NULL)) <= 60);
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    assert_true(clock_mono_us() >= mono + 2000);
}

/* Their clock is 1000 s ahead of ours; where the time goes is not known to who asks. */
static void the_answer_that_came_soonest_tells_how_far_a_clock_is_ahead(void **state)
{
    static const struct {
        int64_t there, back; /* microseconds on the way there, and back until our clock is looked at */
    } ways[] = { { 200, 3000000 }, { 2000000, 500 }, { 300, 400 }, { 100, 700 }, { 0, 3000000 } };
    struct clock_skew s = CLOCK_SKEW_UNKNOWN;
    int64_t now = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const int64_t asked = now, theirs = now + ways[i].there + 1000 * US_PER_S;

        now += ways[i].there + ways[i].back;
        clock_skew_take(&s, asked, theirs, now, now);
        assert_in_range(1000 * US_PER_S - s.us, 0, s.within_us);
        assert_int_equal(s.within_us, i < 1 ? 3000200 : i < 2 ? 2000500 : 700);
    }
    assert_int_equal(s.us, 1000 * US_PER_S - 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times_are_written_as_27_characters),
        cmocka_unit_test(any_time_is_written_as_gmtime_has_it_and_read_back),
        cmocka_unit_test(rfc_3339_is_read_in_all_its_forms),
        cmocka_unit_test(what_is_no_rfc_3339_time_is_refused),
        cmocka_unit_test(durations_are_read_and_written_with_their_unit),
        cmocka_unit_test(malformed_and_overlong_durations_are_refused),
        cmocka_unit_test(the_clocks_run),
        cmocka_unit_test(the_answer_that_came_soonest_tells_how_far_a_clock_is_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
