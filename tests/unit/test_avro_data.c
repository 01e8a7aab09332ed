#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/engine/avro_data.h"

/* Avro's binary encoding, after the specification 1.11. Real serializers are tests/api/test_validation_real.py's. */

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define LIST RECORD("{\"name\":\"v\",\"type\":\"int\"},{\"name\":\"next\",\"type\":[\"null\",\"R\"]}")

static const struct row {
    const char *schema, *hex;
    const char *pointer;          /* NULL: it conforms */
    const char *why;
} rows[] = {
    { "\"null\"", "", NULL, NULL },
    { "\"null\"", "00", "", "follow" },
    { "\"boolean\"", "01", NULL, NULL },
    { "\"boolean\"", "02", "", "neither 0 nor 1" },
    { "\"boolean\"", "", "", "end" },
    { "\"int\"", "01", NULL, NULL },                                   /* -1 */
    { "\"int\"", "ffffffff0f", NULL, NULL },                           /* -2^31 */
    { "\"int\"", "8080808010", "", "32 bits" },                        /* 2^31 */
    { "\"int\"", "80", "", "end" },
    { "\"long\"", "ffffffffffffffffff01", NULL, NULL },                /* -2^63 */
    { "\"long\"", "ffffffffffffffffff02", "", "64 bits" },
    { "\"long\"", "80808080808080808080808000", "", "64 bits" },
    { "\"float\"", "0000803f", NULL, NULL },
    { "\"float\"", "000080", "", "end" },
    { "\"double\"", "000000000000f03f", NULL, NULL },
    { "\"bytes\"", "04ff00", NULL, NULL },
    { "\"bytes\"", "06ff00", "", "end" },
    { "\"bytes\"", "01", "", "negative" },
    { "\"bytes\"", "ffffffffffffffffff01", "", "negative" },
    { "\"string\"", "06666f6f", NULL, NULL },
    { "\"string\"", "02ff", "", "UTF-8" },
    { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "010203", NULL, NULL },
    { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "0102", "", "end" },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "02", NULL, NULL },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "04", "", "symbol" },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "01", "", "symbol" },
    { "[\"null\",\"string\"]", "00", NULL, NULL },
    { "[\"null\",\"string\"]", "020461c3", "", "UTF-8" },
    { "[\"null\",\"string\"]", "04", "", "branch" },
    { "{\"type\":\"array\",\"items\":\"long\"}", "0406360000", "", "follow" },
    { "{\"type\":\"array\",\"items\":\"long\"}", "04063600", NULL, NULL },
    { "{\"type\":\"array\",\"items\":\"long\"}", "0304063600", NULL, NULL }, /* with its bytes */
    { "{\"type\":\"array\",\"items\":\"long\"}", "0206023600", NULL, NULL }, /* two blocks */
    { "{\"type\":\"array\",\"items\":\"int\"}", "0402808080801000", "/1", "32 bits" },
    { "{\"type\":\"array\",\"items\":\"int\"}", "ffffffffffffffffff0100", "", "number of items" },
    { "{\"type\":\"map\",\"values\":\"boolean\"}", "0202610100", NULL, NULL },
    { "{\"type\":\"map\",\"values\":\"boolean\"}", "0206612f7e0200", "/a~1~0", "neither" },
    { RECORD("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"string\"}"), "02026b", NULL, NULL },
    { RECORD("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"string\"}"), "0204", "/b", "end" },
    { RECORD(""), "", NULL, NULL },
    { LIST, "02020400", NULL, NULL },
    { LIST, "0202040206", "/next/next/next", "end" },
};

static void unhex(const char *hex, unsigned char *ret, size_t *ret_n)
{
    *ret_n = strlen(hex) / 2;
    for (size_t i = 0; i < *ret_n; i++) {
        char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        ret[i] = (unsigned char)strtoul(two, NULL, 16);
    }
}

/* The bytes stand at the end of an allocation of their own, so that a sanitizer sees a byte too much. */
static void check(const char *schema, const unsigned char *bytes, size_t n, struct finding *ret, bool *ret_good, struct arena *a)
{
    const struct schema_text text = { slice_of(schema), NULL, 0 };
    const struct avro_schema *s;
    struct fault f = { 0 };
    char *own = malloc(n + 1);
    int64_t steps = 10000;

    assert_non_null(own);
    memcpy(own + 1, bytes, n);
    if (avro_parse(&text, a, &s, &f))
        fail_msg("%s: %s", schema, f.detail);
    assert_int_equal(avro_data_check(s, (struct slice){ own + 1, n }, &steps, a, ret, ret_good), OK);
    assert_in_range(steps, 0, 9999);
    free(own);
}

static void a_datum_conforms_or_it_is_said_where_it_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a = arena_new(1 << 20);
        unsigned char bytes[64];
        struct finding found;
        bool good;
        size_t n;

        unhex(rows[i].hex, bytes, &n);
        check(rows[i].schema, bytes, n, &found, &good, a);
        if (good != !rows[i].pointer)
            fail_msg("row %zu: %s of %s: %s", i, rows[i].hex, rows[i].schema, good ? "conforms" : found.detail.p);
        if (!good && (!slice_is(found.pointer, rows[i].pointer) || !strstr(found.detail.p, rows[i].why)))
            fail_msg("row %zu: at %.*s: %s", i, (int)found.pointer.n, found.pointer.p, found.detail.p);
        arena_free(a);
    }
}

static void nesting_is_bounded(void **state)
{
    unsigned char bytes[2000];
    struct arena *a = arena_new(1 << 20);
    struct finding found;
    bool good;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 2;            /* v: 1, next: another one */
    check(LIST, bytes, sizeof bytes, &found, &good, a);
    assert_false(good);
    assert_non_null(strstr(found.detail.p, "too deep"));
    arena_free(a);
}

/* An array of 2^62 nulls has nine bytes. */
static void work_is_bounded(void **state)
{
    const struct schema_text text = { SLICE("{\"type\":\"array\",\"items\":\"null\"}"), NULL, 0 };
    struct arena *a = arena_new(1 << 20);
    const struct slice datum = SLICE("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00");
    const struct avro_schema *s;
    struct finding found;
    int64_t steps = 1000;
    bool good = true;

    (void)state;
    assert_int_equal(avro_parse(&text, a, &s, NULL), OK);
    assert_int_equal(avro_data_check(s, datum, &steps, a, &found, &good), ERR_SCHEMA_LIMIT);
    assert_true(!good && steps < 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datum_conforms_or_it_is_said_where_it_does_not),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(work_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
