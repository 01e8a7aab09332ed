#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/engine/cursor_many.h"

#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static uint64_t seed = 88172645463325252u;

static uint64_t random64(void) /* xorshift64 (Marsaglia 2003) */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Streams with random ids, and positions up to `most`. */
struct sample {
    struct cursor_id ids[CURSOR_PARTS_MAX];
    int64_t pos[CURSOR_PARTS_MAX];
    size_t n;
    struct cursor_many cursor;
    char text[CURSOR_TEXT];
    size_t length;
};

static void make(struct sample *s, size_t n, int partitions, int64_t most)
{
    size_t parts = 0;

    s->n = n;
    for (size_t i = 0; i < n; i++) {
        int32_t count = partitions ? partitions : (int32_t)(random64() % 3) + 1;

        s->ids[i] = (struct cursor_id){ (int64_t)(random64() >> 1), count, parts };
        for (int32_t p = 0; p < count; p++)
            s->pos[parts++] = most ? (int64_t)(random64() >> 1) % most + (most == INT64_MAX) : 0;
    }
    assert_in_range(parts, 0, CURSOR_PARTS_MAX);
    cursor_many_make(&s->cursor, s->ids, n);
    s->length = cursor_many_format(&s->cursor, s->ids, n, s->pos, s->text);
}

static enum err parse(const char *text, size_t n, struct cursor_many *c, int64_t *pos)
{
    struct fault f = { 0 };
    enum err e = cursor_many_parse((struct slice){ text, n }, c, pos, &f);

    assert_true(e == OK ? !*f.detail : *f.detail != 0);
    return e;
}

static void assert_comes_back(const struct sample *s)
{
    struct cursor_many c;
    int64_t pos[CURSOR_PARTS_MAX];
    uint32_t digest = 0;
    char again[CURSOR_TEXT];

    assert_in_range(s->length, 1, CURSOR_TEXT - 1);
    assert_int_equal(strspn(s->text, DIGITS), s->length);
    assert_int_equal(parse(s->text, s->length, &c, pos), OK);
    assert_int_equal(c.n, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct cursor_stream *v = cursor_many_find(&c, s->ids[i].stream_id);

        assert_non_null(v);
        assert_int_equal(v->partitions, s->ids[i].partitions);
        assert_memory_equal(pos + v->first, s->pos + s->ids[i].first, (size_t)v->partitions * sizeof *pos);
        digest = cursor_digest(digest, s->ids[i].stream_id);
    }
    assert_int_equal(c.digest, digest);
    assert_int_equal(cursor_many_text(&c, pos, again), s->length);
    assert_string_equal(again, s->text);
}

static void a_cursor_of_any_number_of_streams_comes_back_as_it_was(void **state)
{
    static const int64_t most[] = { 0, 1, 2, 100, 65536, CURSOR_MANY_OFFSET };
    static struct sample s;

    (void)state;
    for (size_t n = 0; n <= 85; n++)
        for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
            make(&s, n, 0, most[i]);
            assert_comes_back(&s);
        }
    for (size_t n = 1; n <= 8; n++) {
        make(&s, n, 0, INT64_MAX);
        assert_comes_back(&s);
    }
}

static void the_promised_extremes_fit(void **state)
{
    static struct sample s;

    (void)state;
    for (int i = 0; i < 200; i++) {
        make(&s, 256, 1, 0);
        for (size_t p = 0; p < 256; p++)
            s.pos[p] = CURSOR_MANY_OFFSET - 1;
        s.length = cursor_many_format(&s.cursor, s.ids, s.n, s.pos, s.text);
        assert_comes_back(&s);
        make(&s, 4, 64, 0);
        for (size_t p = 0; p < 256; p++)
            s.pos[p] = (INT64_C(1) << 44) - 1;
        s.length = cursor_many_format(&s.cursor, s.ids, s.n, s.pos, s.text);
        assert_comes_back(&s);
        assert_int_equal(s.cursor.width, 0); /* of few streams the ids are whole */
    }
}

static void what_would_be_too_long_is_refused(void **state)
{
    static struct sample s;

    (void)state;
    make(&s, 256, 1, 0);
    for (size_t p = 0; p < 256; p++)
        s.pos[p] = INT64_C(1) << 50;
    assert_int_equal(cursor_many_format(&s.cursor, s.ids, s.n, s.pos, s.text), 0);
    s.pos[255] = 0;
    assert_int_equal(cursor_many_format(&s.cursor, s.ids, s.n, s.pos, s.text), 0);
    memset(s.pos, 0, sizeof s.pos); /* and no trace is left of it */
    s.length = cursor_many_format(&s.cursor, s.ids, s.n, s.pos, s.text);
    assert_comes_back(&s);
}

static void one_busy_partition_does_not_lengthen_the_others(void **state)
{
    static struct sample s;
    size_t before;

    (void)state;
    make(&s, 100, 1, 100);
    before = s.length;
    s.pos[50] = INT64_C(1) << 40;
    s.length = cursor_many_format(&s.cursor, s.ids, s.n, s.pos, s.text);
    assert_comes_back(&s);
    assert_in_range(s.length, before, before + 20);
}

static void a_stream_that_is_not_there_is_not_found(void **state)
{
    static struct sample s;

    (void)state;
    make(&s, 0, 1, 0);
    assert_null(cursor_many_find(&s.cursor, 5));
    for (int i = 0; i < 50; i++) {
        make(&s, 100, 1, 1000);
        assert_null(cursor_many_find(&s.cursor, (int64_t)(random64() >> 1)));
    }
}

static void every_damage_is_refused(void **state)
{
    static struct sample s;
    struct cursor_many c;
    int64_t pos[CURSOR_PARTS_MAX];

    (void)state;
    make(&s, 3, 0, 1000);
    for (size_t cut = 0; cut < s.length; cut++) {
        assert_int_equal(parse(s.text, cut, &c, pos), ERR_BAD_CURSOR);
        assert_int_equal(parse(s.text + s.length - cut, cut, &c, pos), ERR_BAD_CURSOR);
    }
    for (size_t i = 0; i < s.length; i++)
        for (const char *d = DIGITS; *d; d++) {
            char was = s.text[i];

            s.text[i] = *d;
            assert_int_equal(parse(s.text, s.length, &c, pos), *d == was ? OK : ERR_BAD_CURSOR);
            s.text[i] = was;
        }
}

/* Right checksums over nonsense: bits that were changed by hand. What is taken all the same has this very spelling. */
static void a_right_checksum_does_not_make_nonsense_a_cursor(void **state)
{
    static struct sample s;
    unsigned char bytes[CURSOR_BYTES], changed[CURSOR_BYTES];
    size_t taken = 0, n;

    (void)state;
    make(&s, 4, 0, 1000);
    n = cursor_unseal((struct slice){ s.text, s.length }, bytes);
    assert_in_range(n, 20, 100);
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct cursor_many c;
        int64_t pos[CURSOR_PARTS_MAX];
        char text[CURSOR_TEXT], again[CURSOR_TEXT];
        size_t length;

        memcpy(changed, bytes, n);
        changed[bit / 8] ^= (unsigned char)(1u << bit % 8);
        length = cursor_seal(changed, n, text);
        if (parse(text, length, &c, pos))
            continue;
        taken++;
        assert_int_equal(cursor_many_text(&c, pos, again), length);
        assert_string_equal(again, text);
    }
    assert_in_range(taken, 32, n * 8 - 16); /* those of the digest change nothing else; those of version and kind all */
}

static void the_two_versions_are_told_apart(void **state)
{
    static struct sample s;
    struct cursor one = { .count = 2, .pos = { 5, 6 } }, back;
    struct cursor_many c;
    int64_t pos[CURSOR_PARTS_MAX];
    char text[CURSOR_TEXT];
    size_t n = cursor_format(&one, SLICE("orders"), 77, text);

    (void)state;
    assert_int_equal(parse(text, n, &c, pos), ERR_CURSOR_FOREIGN);
    make(&s, 1, 2, 10);
    assert_int_equal(cursor_parse((struct slice){ s.text, s.length }, SLICE("orders"), s.ids[0].stream_id, &back, NULL),
                     ERR_CURSOR_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_of_any_number_of_streams_comes_back_as_it_was),
        cmocka_unit_test(the_promised_extremes_fit),
        cmocka_unit_test(what_would_be_too_long_is_refused),
        cmocka_unit_test(one_busy_partition_does_not_lengthen_the_others),
        cmocka_unit_test(a_stream_that_is_not_there_is_not_found),
        cmocka_unit_test(every_damage_is_refused),
        cmocka_unit_test(a_right_checksum_does_not_make_nonsense_a_cursor),
        cmocka_unit_test(the_two_versions_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
