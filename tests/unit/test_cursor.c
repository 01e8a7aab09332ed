#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/base/json.h"
#include "gateway/engine/cursor.h"

#define STREAM SLICE("orders")
#define STREAM_ID INT64_C(0x7123456789abcdef)
#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static const int64_t positions[] = { 0, 1, 127, 128, 16383, 16384, INT64_C(1) << 53, INT64_MAX - 1, INT64_MAX };
#define POSITIONS (sizeof positions / sizeof *positions)

static struct cursor sample(int count, bool partial)
{
    struct cursor c = { .count = count, .partial = partial };

    for (int i = 0; i < count; i++) {
        c.partition[i] = partial ? (i * 7 + 3) % PARTITIONS_MAX : 0;
        c.pos[i] = positions[(size_t)(i + count) % POSITIONS];
    }
    return c;
}

static enum err parse(const char *p, size_t n, struct cursor *ret)
{
    struct fault f = { 0 };
    enum err e = cursor_parse((struct slice){ p, n }, STREAM, STREAM_ID, ret, &f);

    assert_true(e == OK ? !*f.detail : *f.detail != 0);
    return e;
}

static void assert_bad(const char *p, size_t n)
{
    struct cursor c;

    if (parse(p, n, &c) != ERR_BAD_CURSOR)
        fail_msg("taken: %.*s", (int)n, p);
}

static void a_cursor_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int count = 1; count <= PARTITIONS_MAX; count++) {
            struct cursor c = sample(count, kind), back = { 0 };
            char text[CURSOR_TEXT];
            size_t n = cursor_format(&c, STREAM, STREAM_ID, text);

            assert_int_equal(n, strlen(text));
            assert_int_equal(strspn(text, DIGITS), n);
            assert_int_equal(parse(text, n, &back), OK);
            assert_int_equal(back.count, count);
            assert_int_equal(back.partial, kind);
            assert_memory_equal(back.partition, c.partition, sizeof c.partition);
            assert_memory_equal(back.pos, c.pos, sizeof c.pos);
        }
}

static void the_longest_cursor_has_room(void **state)
{
    struct cursor c = { .partial = true, .count = PARTITIONS_MAX };
    char text[CURSOR_TEXT];

    (void)state;
    for (int i = 0; i < PARTITIONS_MAX; i++) {
        c.partition[i] = PARTITIONS_MAX - 1;
        c.pos[i] = INT64_MAX;
    }
    assert_in_range(cursor_format(&c, STREAM, INT64_MAX, text), 1, 2048);
}

static void every_truncation_is_refused(void **state)
{
    char text[CURSOR_TEXT];

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct cursor c = sample(5, kind);
        size_t n = cursor_format(&c, STREAM, STREAM_ID, text);

        for (size_t cut = 0; cut < n; cut++) {
            assert_bad(text, cut);
            assert_bad(text + n - cut, cut);
        }
    }
}

static void every_change_of_a_character_is_refused(void **state)
{
    char text[CURSOR_TEXT];
    struct cursor c = sample(4, true);
    size_t n = cursor_format(&c, STREAM, STREAM_ID, text);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char was = text[i];

        for (int b = 0; b < 256; b++)
            if ((char)b != was) {
                text[i] = (char)b;
                assert_bad(text, n);
            }
        text[i] = was;
    }
}

static void what_is_added_is_refused(void **state)
{
    char text[4 * CURSOR_TEXT] = "";
    struct cursor c = sample(3, false);
    size_t n = cursor_format(&c, STREAM, STREAM_ID, text);

    (void)state;
    for (size_t more = 1; n + more < sizeof text; more++) {
        text[n + more - 1] = more % 2 ? 'A' : '=';
        assert_bad(text, n + more);
    }
    assert_bad("", 0);
    assert_bad("earliest", 8);
}

/* --- texts with a right checksum, built by hand --- */

static uint32_t checksum(const unsigned char *p, size_t n)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

/* Takes a good cursor's bytes apart, puts `tail` in place of what follows the first `keep` bytes, and signs it anew. */
static enum err parse_made(size_t keep, int first, int second, const unsigned char *tail, size_t tail_n)
{
    struct cursor c = { .count = 1 }, back;
    struct arena *a = arena_new(8192);
    unsigned char bytes[2000];
    char text[4096];
    size_t n = cursor_format(&c, STREAM, STREAM_ID, text), out = 0;
    struct slice raw;
    uint32_t sum;
    enum err e;

    assert_true(base64url_decode(a, (struct slice){ text, n }, &raw));
    memcpy(bytes, raw.p, keep);
    if (first >= 0)
        bytes[0] = (unsigned char)first;
    if (second >= 0)
        bytes[1] = (unsigned char)second;
    memcpy(bytes + keep, tail, tail_n);
    n = keep + tail_n;
    sum = checksum(bytes, n);
    for (int i = 0; i < 4; i++)
        bytes[n++] = (unsigned char)(sum >> (8 * i));
    for (size_t i = 0; i < n * 8; i += 6) { /* bit by bit: slow, obvious */
        unsigned v = 0;

        for (size_t k = i; k < i + 6; k++)
            v = v << 1 | (k < n * 8 ? bytes[k / 8] >> (7 - k % 8) & 1 : 0);
        text[out++] = DIGITS[v];
    }
    e = parse(text, out, &back);
    arena_free(a);
    return e;
}

#define MADE(...) \
    parse_made(14, -1, -1, (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ }))
#define MADE_PARTIAL(...) \
    parse_made(14, -1, 1, (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ }))

static void a_right_checksum_does_not_make_nonsense_a_cursor(void **state)
{
    unsigned char many[1 + 65] = { 65 };

    (void)state;
    assert_int_equal(MADE(1, 0), OK);
    assert_int_equal(MADE(1, 5), OK);
    assert_int_equal(MADE(2, 5, 0x80, 1), OK);
    assert_int_equal(MADE(0), ERR_BAD_CURSOR);
    assert_int_equal(MADE(1), ERR_BAD_CURSOR);
    assert_int_equal(MADE(2, 5), ERR_BAD_CURSOR);
    assert_int_equal(MADE(1, 5, 5), ERR_BAD_CURSOR);
    assert_int_equal(parse_made(14, -1, -1, many, sizeof many), ERR_BAD_CURSOR);
    assert_int_equal(parse_made(14, 0, -1, (const unsigned char *)"\1\5", 2), ERR_BAD_CURSOR);
    assert_int_equal(parse_made(14, 2, -1, (const unsigned char *)"\1\5", 2), ERR_BAD_CURSOR);
    assert_int_equal(parse_made(14, -1, 2, (const unsigned char *)"\1\5", 2), ERR_BAD_CURSOR);
    assert_int_equal(parse_made(10, -1, -1, (const unsigned char *)"", 0), ERR_BAD_CURSOR);
    assert_int_equal(MADE_PARTIAL(1, 63, 5), OK);
    assert_int_equal(MADE_PARTIAL(1, 64, 5), ERR_BAD_CURSOR);
    assert_int_equal(MADE_PARTIAL(1, 5), ERR_BAD_CURSOR);
}

static void a_number_has_one_spelling(void **state)
{
    (void)state;
    assert_int_equal(MADE(0x81, 0, 5), ERR_BAD_CURSOR);
    assert_int_equal(MADE(1, 0x85, 0), ERR_BAD_CURSOR);
    assert_int_equal(MADE(1, 0x80, 0x80, 0), ERR_BAD_CURSOR);
    assert_int_equal(MADE_PARTIAL(1, 0x80, 0, 5), ERR_BAD_CURSOR);
    assert_int_equal(MADE(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), OK); /* INT64_MAX */
    assert_int_equal(MADE(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0), ERR_BAD_CURSOR);
    assert_int_equal(MADE(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), ERR_BAD_CURSOR);
}

static void another_stream_and_another_incarnation_are_told_apart(void **state)
{
    struct cursor c = sample(2, false), back;
    struct fault f = { 0 };
    char text[CURSOR_TEXT];
    struct slice t = { text, cursor_format(&c, STREAM, STREAM_ID, text) };

    (void)state;
    assert_int_equal(cursor_parse(t, SLICE("users"), STREAM_ID, &back, &f), ERR_CURSOR_FOREIGN);
    assert_non_null(strstr(f.detail, "users"));
    assert_int_equal(cursor_parse(t, SLICE("users"), STREAM_ID + 1, &back, NULL), ERR_CURSOR_FOREIGN);
    assert_int_equal(cursor_parse(t, STREAM, STREAM_ID + 1, &back, &f), ERR_CURSOR_UNKNOWN);
    assert_non_null(strstr(f.detail, "orders"));
    assert_int_equal(cursor_parse(t, STREAM, STREAM_ID, &back, NULL), OK);
}

static enum err positions_of(const struct cursor *c, int partitions, int64_t *ret)
{
    char text[CURSOR_TEXT];
    struct slice t = { text, cursor_format(c, STREAM, STREAM_ID, text) };

    return cursor_positions(t, STREAM, STREAM_ID, partitions, ret, NULL);
}

static void the_positions_of_all_partitions_or_none_are_given(void **state)
{
    const struct cursor whole = sample(3, false), receipt = { .count = 1, .partial = true, .partition = { 0 }, .pos = { 5 } };
    int64_t pos[PARTITIONS_MAX] = { 0 };

    (void)state;
    assert_int_equal(positions_of(&whole, 3, pos), OK);
    assert_memory_equal(pos, whole.pos, 3 * sizeof *pos);
    assert_int_equal(positions_of(&receipt, 1, pos), OK);
    assert_int_equal(pos[0], 5);
    pos[0] = 7;
    assert_int_equal(positions_of(&whole, 2, pos), ERR_BAD_CURSOR);
    assert_int_equal(positions_of(&whole, 4, pos), ERR_BAD_CURSOR);
    assert_int_equal(positions_of(&receipt, 2, pos), ERR_CURSOR_PARTIAL);
    assert_int_equal(cursor_positions(SLICE("no"), STREAM, STREAM_ID, 1, pos, NULL), ERR_BAD_CURSOR);
    assert_int_equal(pos[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_comes_back_as_it_was),
        cmocka_unit_test(the_longest_cursor_has_room),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_change_of_a_character_is_refused),
        cmocka_unit_test(what_is_added_is_refused),
        cmocka_unit_test(a_right_checksum_does_not_make_nonsense_a_cursor),
        cmocka_unit_test(a_number_has_one_spelling),
        cmocka_unit_test(the_positions_of_all_partitions_or_none_are_given),
        cmocka_unit_test(another_stream_and_another_incarnation_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
