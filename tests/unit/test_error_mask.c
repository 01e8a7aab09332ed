#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/json.h"
#include "gateway/engine/error_mask.h"

static struct buf out;

/* From memory of exactly its size, so that AddressSanitizer sees a read beyond. Good until the next call. */
static struct slice mask(struct slice message)
{
    char *copy = malloc(message.n ? message.n : 1);

    memcpy(copy, message.p, message.n);
    buf_reset(&out);
    error_mask(&out, (struct slice){ copy, message.n });
    free(copy);
    assert_false(out.failed);
    return (struct slice){ out.p, out.n };
}

static void assert_masked(const char *message, const char *want)
{
    struct slice got = mask(slice_of(message));

    if (!slice_is(got, want))
        fail_msg("%s\n became %.*s\n not    %s", message, (int)got.n, got.p, want);
}

static void what_varies_in_real_messages_is_masked(void **state)
{
    static const char *const rows[][2] = {
        /* PostgreSQL */
        { "duplicate key value violates unique constraint \"orders_pkey\"\nDETAIL:  Key (id)=(4711) already exists.",
          "duplicate key value violates unique constraint \"…\" DETAIL: Key (id)=(…) already exists." },
        { "Key (email)=(alice smith) already exists.", "Key (email)=(…) already exists." },
        { "null value in column \"amount\" of relation \"orders\" violates not-null constraint",
          "null value in column \"…\" of relation \"…\" violates not-null constraint" },
        { "deadlock detected\nDETAIL:  Process 1234 waits for ShareLock on transaction 99871; blocked by process 77.",
          "deadlock detected DETAIL: Process # waits for ShareLock on transaction #; blocked by process #." },
        { "could not connect to server at \"10.0.3.7\", port 5432 (SQLSTATE 08006)",
          "could not connect to server at \"…\", port # (SQLSTATE #)" },
        /* Python */
        { "KeyError: 'customer_id'", "KeyError: '…'" },
        { "can't concat b'\\x00ab' to 'str'", "can't concat b'…' to '…'" },
        { "invalid literal for int() with base 10: 'it isn\\'t one'", "invalid literal for int() with base #: '…'" },
        { "<urllib3.connection.HTTPSConnection object at 0x7f8a2c0d5e10>: Failed to establish a new connection",
          "<urllib#.connection.HTTPSConnection object at <hex>>: Failed to establish a new connection" },
        { "HTTPSConnectionPool(host='api.example.com', port=443): Read timed out. (read timeout=2.5)",
          "HTTPSConnectionPool(host='…', port=#): Read timed out. (read timeout=#)" },
        { "time data '2026-13-01' does not match format '%Y-%m-%d'", "time data '…' does not match format '…'" },
        /* Java */
        { "Cannot invoke \"com.example.Order.getId()\" because \"<local4>\" is null", "Cannot invoke \"…\" because \"…\" is null" },
        { "com.example.Order@1b6d3586 cannot be cast", "com.example.Order@<hex> cannot be cast" },
        { "com.example.Order@12345678 cannot be cast", "com.example.Order@<hex> cannot be cast" },
        { "Timeout of 60000ms expired before the position for partition orders-3 could be determined",
          "Timeout of #ms expired before the position for partition orders-# could be determined" },
        /* Node */
        { "connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED <ip>:#" },
        { "connect ETIMEDOUT 2001:db8::8a2e:370:7334", "connect ETIMEDOUT <ip>" },
        { "Cannot read properties of undefined (reading 'total')", "Cannot read properties of undefined (reading '…')" },
        { "Unexpected token < in JSON at position 17", "Unexpected token < in JSON at position #" },
        { "Unexpected token u in JSON at position 3, \u201cundefined\u201d is not valid",
          "Unexpected token u in JSON at position #, \u201c…\u201d is not valid" },
        /* HTTP clients */
        { "GET https://user:secret@api.example.com:8443/v1/orders/5?token=x&y=[1]: 404 Not Found",
          "GET https://api.example.com:#/…[#]: # Not Found" },
        { "GET https://10.1.2.3/a failed, see http://[2001:db8::1]:80/b.", "GET https://<ip>/… failed, see http://[<ip>]:#/…." },
        { "postgres://weir:pw@db-3.internal/weir: password authentication failed for user `weir`",
          "postgres://db-#.internal/…: password authentication failed for user `…`" },
        { "Token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0 has expired at 2026-01-31T23:59:59.999999Z",
          "Token <token>.<token> has expired at <time>" },
        { "rate limited until 2026-01-31 23:59:59+01:00 (12:00:01 here, day 2026/02/01)",
          "rate limited until <time> (<time> here, day <time>)" },
        { "no user bob.smith+test@mail.example.org, nor 0af7651916cd43dd8448eb211c80319c", "no user <email>, nor <hex>" },
        { "order 123e4567-E89b-12d3-a456-426614174000 costs -1,234.56 EUR", "order <uuid> costs -# EUR" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_masked(rows[i][0], rows[i][1]);
}

static void what_is_a_word_stays(void **state)
{
    static const char *const same[] = {
        "",
        "Insufficient stock",
        "it isn't the customers' fault; O'Brien can't know",
        "deadbeef and facade are words, std::bad_alloc and ab::cd too",
        "a@b is no address, nor is user@localhost",
        "a quote that \"does not end, and one that 'does not either",
        "com.example.orders.OrderNotFoundException: Straße, naïve, 数据库",
        "internationalizationAndLocalization_of_everything-and-more",
        "ratio a/b = x; (a) [b] {c} <d>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_masked(same[i], same[i]);
}

static void white_space_becomes_one_blank(void **state)
{
    (void)state;
    assert_masked(" \t a\r\n\n  b\x7f\x01"
                  "c \n", "a b c");
}

static void marks_at_the_very_end_are_read_no_further(void **state)
{
    static const char *const ends[] = {
        "x \\", "'\\", "\"a\\\"", "=(", "http://", "http://a:", "http://a@", "a@", "a@b.", "0x", "0X1", "2026-01-31T",
        "2026-01-31T00:00:00+", "2026-01-31T00:00:00.", "1.", "1,", "::", "::1", "1:", "1.2.3.4:", "\xE2\x80",
        "\u201c\xE2\x80", "b'", "12345678-1234-1234-1234-12345678901",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (size_t n = 0; n <= strlen(ends[i]); n++)
            assert_true(mask((struct slice){ ends[i], n }).n <= n + strlen("<email>"));
}

static void the_result_is_bounded_and_cut_between_characters(void **state)
{
    static const char *const units[] = { "é", "数", "😀", "'a' ", "7 ", "'a ", "x@", "a://", "0x1 ", "a.", "=(", "\u201c", ": 1" };
    struct buf long_one = { 0 };

    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (size_t shift = 0; shift < 4; shift++) {
            buf_reset(&long_one);
            buf_put(&long_one, "abc", shift);
            while (long_one.n < 1 << 20)
                buf_str(&long_one, units[u]);
            struct slice got = mask((struct slice){ long_one.p, long_one.n });

            assert_true(got.n <= ERROR_MASKED_MAX && got.n > ERROR_MASKED_MAX - 5);
            assert_true(utf8_valid(got));
        }
    buf_free(&long_one);
}

static void it_is_appended_to_what_is_there(void **state)
{
    (void)state;
    buf_reset(&out);
    buf_str(&out, "Error: ");
    error_mask(&out, SLICE(" 12 apples"));
    assert_true(slice_is((struct slice){ out.p, out.n }, "Error: # apples"));
}

static int release(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_varies_in_real_messages_is_masked),
        cmocka_unit_test(what_is_a_word_stays),
        cmocka_unit_test(white_space_becomes_one_blank),
        cmocka_unit_test(marks_at_the_very_end_are_read_no_further),
        cmocka_unit_test(the_result_is_bounded_and_cut_between_characters),
        cmocka_unit_test(it_is_appended_to_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
