#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/json.h"

static void integers_are_read_exactly_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        int64_t v;
    } good[] = { { "0", 0 }, { "-0", 0 }, { "-1", -1 }, { "42", 42 }, { "9223372036854775807", INT64_MAX },
                 { "-9223372036854775808", INT64_MIN }, { "9007199254740993", INT64_C(9007199254740993) } };
    static const char *const bad[] = { "", "-", "+1", "01", "-01", "1.0", "1e2", "9223372036854775808",
                                       "-9223372036854775809",
                                       "99999999999999999999", " 1", "1 ", "0x1", "1a", "--1" };
    int64_t v;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(json_int64(slice_of(good[i].text), &v));
        assert_int_equal(v, good[i].v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (json_int64(slice_of(bad[i]), &v))
            fail_msg("accepted: %s", bad[i]);
}

static void utf8_is_valid_exactly_for_encoded_scalar_values(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x200000; c++) {
        char s[12] = "0123456";
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, at = c % 8;

        memset(s, 'x', sizeof s);
        if (n == 1)
            s[at] = (char)c;
        else
            for (size_t i = n; i-- > 0;)
                s[at + i] = (char)(i ? 0x80 | (c >> 6 * (n - 1 - i) & 63) : (0xF00 >> n | c >> 6 * (n - 1)) & 0xFF);
        bool want = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);

        if (utf8_valid((struct slice){ s, sizeof s }) != want || (n > 1 && utf8_valid((struct slice){ s, at + n - 1 })))
            fail_msg("U+%04X", c);
    }
    assert_false(utf8_valid(SLICE("\xc1\xbf")) || utf8_valid(SLICE("\xe0\x9f\xbf")) ||
                 utf8_valid(SLICE("\xf0\x8f\xbf\xbf")));
    assert_true(utf8_valid(SLICE_NONE));
}

static void base64_is_decoded_strictly_in_both_alphabets(void **state)
{
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v=", "====", "=", "Z===",
                                       "Zg==Zg==", "Zm 9v",
                                       "Zm9v\n", "Zm9-", "Zm9_", "Zm9vY", "Zm9*", "\xc3\xa4\xc3\xa4", "Zg=A", "=Zg=" };
    static const char *const bad_url[] = { "Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9vY", "Zm 9", "Zg=" };
    struct arena *a = arena_new(SIZE_MAX);
    struct slice out;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(a, slice_of(bad[i]), &out))
            fail_msg("accepted: %s", bad[i]);
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++)
        if (base64url_decode(a, slice_of(bad_url[i]), &out))
            fail_msg("accepted: %s", bad_url[i]);
    assert_true(base64_decode(a, SLICE(""), &out) && out.p && out.n == 0);
    assert_true(base64_decode(a, SLICE("+//+"), &out) && slice_is(out, "\xfb\xff\xfe"));
    assert_true(base64url_decode(a, SLICE("-__-"), &out) && slice_is(out, "\xfb\xff\xfe"));
    arena_free(a);
}

static void what_is_encoded_is_decoded_again(void **state)
{
    struct arena *a = arena_new(SIZE_MAX);
    char bytes[300];

    (void)state;
    srandom(4648);
    for (size_t n = 0; n < sizeof bytes; n++) {
        struct buf standard = { 0 }, url = { 0 };
        struct slice out;

        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)random();
        buf_base64(&standard, (struct slice){ bytes, n });
        base64url_encode(&url, (struct slice){ bytes, n });
        assert_true(base64_decode(a, (struct slice){ standard.p, standard.n }, &out));
        assert_true(slice_eq(out, (struct slice){ bytes, n }));
        assert_true(base64url_decode(a, (struct slice){ url.p, url.n }, &out));
        assert_true(slice_eq(out, (struct slice){ bytes, n }));
        buf_free(&standard);
        buf_free(&url);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_exactly_or_not_at_all),
        cmocka_unit_test(utf8_is_valid_exactly_for_encoded_scalar_values),
        cmocka_unit_test(base64_is_decoded_strictly_in_both_alphabets),
        cmocka_unit_test(what_is_encoded_is_decoded_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
