#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/decimal_sum.h"

enum { SUMS = 10000 };

static const char *sum_of(const char *x, const char *y)
{
    static char out[DECIMAL_SUM_TEXT + 1];

    out[decimal_sum(slice_of(x), slice_of(y), out)] = '\0';
    return out;
}

static void sums_are_written_out_with_the_decimals_of_the_longer_one(void **state)
{
    static const char *const rows[][3] = {
        { "0.10", "0.2", "0.30" }, { "1e3", "1", "1001" }, { "1.5", "-1.5", "0.0" }, { "0", "1e3", "1000" }, { "-0",
          "-0.0", "0.0" },
        { "9007199254740993", "1", "9007199254740994" }, { "999999999999999999", "1", "1000000000000000000" },
        { "0.000000000000000001", "999999999999999999", "999999999999999999.000000000000000001" }, { "1E-3", "0", "0.001" },
        { "-5", "3", "-2" }, { "3", "-5", "-2" }, { "1.50e+1", "0", "15.0" }, { "12345678901234567890",
          "-12345678901234567890", "0" },
        { "99999999999999999999", "0.1", "99999999999999999999.1" }, { "0e99999999999999999999", "7", "7" },
        { "100000000000000000000", "-1", "99999999999999999999" }, { "0.00e1", "1", "1.0" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(sum_of(rows[i][0], rows[i][1]), rows[i][2]);
        assert_string_equal(sum_of(rows[i][1], rows[i][0]), rows[i][2]);
    }
}

static void what_has_too_many_digits_is_refused(void **state)
{
    char nines[DECIMAL_SUM_DIGITS + 2] = "";

    (void)state;
    memset(nines, '9', DECIMAL_SUM_DIGITS);
    assert_int_equal(strlen(sum_of(nines, "0")), DECIMAL_SUM_DIGITS);
    assert_int_equal(strlen(sum_of(nines, "-1")), DECIMAL_SUM_DIGITS);
    assert_string_equal(sum_of(nines, "1"), "");
    assert_string_equal(sum_of(nines, "0.1"), "");
    assert_int_equal(strlen(sum_of("1e999", "-1e999")), 1);
    assert_int_equal(strlen(sum_of("1e-999", "-2e-999")), 1 + 1 + 1 + 999);
    assert_string_equal(sum_of("1e1000", "0"), "");
    assert_string_equal(sum_of("1e-1000", "0"), "");
    assert_string_equal(sum_of("1e9223372036854775808", "0"), "");
    assert_string_equal(sum_of("1e-99999999999999999999999999", "0"), "");
}

/* ---- Python's decimal as the judge ---- */

static uint64_t seed = 1;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(seed >> 33) % n;
}

static void put_digits(struct buf *b, unsigned n)
{
    static const char often[] = "0000999912345678";

    while (n--)
        buf_char(b, often[pick(sizeof often - 1)]);
}

static void put_number(struct buf *b)
{
    static const char *const signs[] = { "", "+", "-" };
    static const unsigned lengths[] = { 1, 3, 8, 17, 18, 19, 20, 40, 500, 998 };
    unsigned whole = pick(lengths[pick(10)] + 1), decimals = pick(3) ? pick(lengths[pick(pick(4) ? 6 : 10)] + 1) : 0;

    buf_str(b, pick(2) ? "-" : "");
    if (whole) {
        buf_char(b, (char)('1' + pick(9)));
        put_digits(b, whole - 1);
    } else {
        buf_char(b, '0');
    }
    if (decimals) {
        buf_char(b, '.');
        put_digits(b, decimals);
    }
    if (!pick(3))
        buf_printf(b, "%c%s%u", "eE"[pick(2)], signs[pick(3)], pick(pick(3) ? 12 : 1100));
}

static void thousands_of_random_sums_are_those_of_pythons_decimal(void **state)
{
    FILE *judge = popen("/usr/bin/python3 tests/unit/decimal_judge.py", "w");
    char sum[DECIMAL_SUM_TEXT];
    struct buf x = { 0 }, y = { 0 };

    (void)state;
    assert_non_null(judge);
    for (int i = 0; i < SUMS; i++) {
        size_t n;

        buf_reset(&x);
        buf_reset(&y);
        put_number(&x);
        put_number(&y);
        n = decimal_sum((struct slice){ x.p, x.n }, (struct slice){ y.p, y.n }, sum);
        fprintf(judge, "%.*s %.*s %.*s\n", (int)x.n, x.p, (int)y.n, y.p, n ? (int)n : 1, n ? sum : "-");
    }
    buf_free(&x);
    buf_free(&y);
    assert_int_equal(pclose(judge), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_written_out_with_the_decimals_of_the_longer_one),
        cmocka_unit_test(what_has_too_many_digits_is_refused),
        cmocka_unit_test(thousands_of_random_sums_are_those_of_pythons_decimal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
