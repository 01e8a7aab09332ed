#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/arena.h"
#include "gateway/base/json.h"

static void assert_holds(const struct buf *b, const char *text)
{
    assert_false(b->failed);
    assert_int_equal(b->n, strlen(text));
    assert_memory_equal(b->p, text, b->n);
}

static void what_is_appended_stands_there_in_order(void **state)
{
    struct buf b = { 0 };

    (void)state;
    BUF_LIT(&b, "a");
    buf_char(&b, 'b');
    buf_str(&b, "cd");
    buf_slice(&b, SLICE("ef"));
    buf_slice(&b, SLICE_NONE);
    buf_put(&b, "gh", 1);
    buf_printf(&b, "%d%s", 7, "z");
    assert_holds(&b, "abcdefg7z");
    buf_reset(&b);
    assert_int_equal(b.n, 0);
    buf_free(&b);
    buf_free(NULL);
}

static void integers_are_written_to_their_extremes(void **state)
{
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = { { 0, "0" },
                 { -1, "-1" },
                 { 10, "10" },
                 { INT64_MAX, "9223372036854775807" },
                 { INT64_MIN, "-9223372036854775808" } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = { 0 };

        buf_i64(&b, rows[i].v);
        assert_holds(&b, rows[i].text);
        buf_free(&b);
    }
}

static void a_limit_is_sticky_and_exact(void **state)
{
    struct buf b = { .limit = 1000 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_char(&b, 'x');
    assert_false(b.failed);
    buf_char(&b, 'y');
    assert_true(b.failed);
    assert_int_equal(b.n, 1000);
    buf_put(&b, "", 0);
    assert_true(b.failed);
    assert_null(buf_take(&b, &(size_t){ 0 }));
    assert_int_equal(b.limit, 1000);
    buf_printf(&b, "%0999d", 1);
    assert_int_equal(b.n, 999);
    buf_printf(&b, "%02d", 1);
    assert_true(b.failed);
    buf_str(&b, "");
    buf_char(&b, 'z');
    assert_int_equal(b.n, 999);
    assert_false(buf_reserve(&b, 1));
    buf_free(&b);
    assert_false(buf_reserve(&b, SIZE_MAX));
    buf_free(&b);
}

static void long_formats_grow_the_buffer(void **state)
{
    struct buf b = { 0 };

    (void)state;
    for (int n = 1; n < 3000; n += 37) {
        size_t before = b.n;

        buf_printf(&b, "%0*d", n, 5);
        assert_int_equal(b.n - before, n);
        assert_int_equal(b.p[b.n - 1], '5');
    }
    buf_free(&b);
}

static void taking_hands_over_a_terminated_text(void **state)
{
    struct buf b = { 0 };
    size_t n = 9;
    char *p = buf_take(&b, &n);

    (void)state;
    assert_non_null(p);
    assert_int_equal(n, 0);
    free(p);
    buf_str(&b, "text");
    p = buf_take(&b, &n);
    assert_string_equal(p, "text");
    assert_int_equal(n, 4);
    assert_null(b.p);
    free(p);
}

static void strings_are_escaped_as_json_demands(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_json_string(&b, SLICE("plain"));
    buf_json_string(&b, SLICE(""));
    buf_json_string(&b, SLICE("\"\\/"));
    buf_json_string(&b, SLICE("\b\t\n\f\r\x01\x1f\x7f"));
    buf_json_string(&b, SLICE("a\0b"));
    buf_json_string(&b, SLICE("ä€😀"));
    assert_holds(&b, "\"plain\"\"\"\"\\\"\\\\/\"\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"\"a\\u0000b\"\"ä€😀\"");
    buf_free(&b);
}

static void every_byte_at_every_place_survives_escaping(void **state)
{
    struct arena *a = arena_new(SIZE_MAX);

    (void)state;
    for (int c = 0; c < 128; c++)
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            struct buf b = { 0 };
            struct json j;
            struct slice inside, back;
            bool escaped;

            memset(text, '~', sizeof text);
            text[at] = (char)c;
            text[(at + 9) % 20] = '!';
            buf_json_string(&b, (struct slice){ text, sizeof text });
            json_begin(&j, (struct slice){ b.p, b.n }, 1);
            assert_true(json_scan_string(&j, &inside, &escaped) && json_end(&j));
            assert_true(json_unescape(a, inside, escaped, &back));
            assert_int_equal(back.n, sizeof text);
            assert_memory_equal(back.p, text, sizeof text);
            buf_free(&b);
        }
    arena_free(a);
}

static void base64_matches_the_vectors_of_rfc_4648(void **state)
{
    static const char *const rows[][2] = { { "", "" },         { "f", "Zg==" },         { "fo", "Zm8=" },
                                           { "foo", "Zm9v" },  { "foob", "Zm9vYg==" },  { "fooba", "Zm9vYmE=" },
                                           { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+" } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = { 0 };

        buf_base64(&b, slice_of(rows[i][0]));
        assert_holds(&b, rows[i][1]);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_stands_there_in_order),
        cmocka_unit_test(integers_are_written_to_their_extremes),
        cmocka_unit_test(a_limit_is_sticky_and_exact),
        cmocka_unit_test(long_formats_grow_the_buffer),
        cmocka_unit_test(taking_hands_over_a_terminated_text),
        cmocka_unit_test(strings_are_escaped_as_json_demands),
        cmocka_unit_test(every_byte_at_every_place_survives_escaping),
        cmocka_unit_test(base64_matches_the_vectors_of_rfc_4648),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
