#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#include "gateway/http/encode.h"

static void unpacks_to(const struct buf *packed, struct slice wanted)
{
    z_stream z = { .next_in = (Bytef *)packed->p, .avail_in = (uInt)packed->n };
    char *out = malloc(wanted.n + 1);

    assert_non_null(out);
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)(wanted.n + 1);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, wanted.n);
    assert_int_equal(z.avail_in, 0);
    assert_memory_equal(out, wanted.p, wanted.n);
    inflateEnd(&z);
    free(out);
}

/* Digits of a linear congruential generator: they shrink to about a half, so that output takes several steps too. */
static struct buf digits(size_t n)
{
    struct buf b = { 0 };

    for (uint32_t v = 1; b.n < n; v = v * 1664525u + 1013904223u)
        buf_printf(&b, "%u,", v);
    assert_false(b.failed);
    b.n = n;
    return b;
}

static void what_is_packed_unpacks_to_the_same_bytes(void **state)
{
    static const size_t sizes[] = { 100, 65535, 65536, 65537, 131072, 1000000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf in = digits(sizes[i]), out = { 0 };

        assert_true(encode_gzip((struct slice){ in.p, in.n }, &out));
        assert_true(out.n < in.n);
        unpacks_to(&out, (struct slice){ in.p, in.n });
        buf_free(&in);
        buf_free(&out);
    }
}

static void what_does_not_get_smaller_is_left(void **state)
{
    struct buf noise = { 0 }, out = { 0 };
    uint64_t v = 88172645463325252u; /* xorshift64 (Marsaglia 2003) */

    (void)state;
    while (noise.n < 200000) {
        v ^= v << 13;
        v ^= v >> 7;
        v ^= v << 17;
        buf_put(&noise, &v, sizeof v);
    }
    assert_false(encode_gzip((struct slice){ noise.p, noise.n }, &out));
    buf_free(&out);
    assert_false(encode_gzip(SLICE("{}"), &out));
    buf_free(&out);
    assert_false(encode_gzip(SLICE(""), &out));
    buf_free(&out);
    buf_free(&noise);
}

static void text_is_packed_and_event_streams_are_not(void **state)
{
    (void)state;
    assert_true(encode_type("application/json"));
    assert_true(encode_type("application/problem+json"));
    assert_true(encode_type("application/cloudevents-batch+json; charset=utf-8"));
    assert_true(encode_type("application/x-ndjson"));
    assert_true(encode_type("text/html; charset=utf-8"));
    assert_true(encode_type("text/css"));
    assert_true(encode_type("application/yaml"));
    assert_false(encode_type("text/event-stream"));
    assert_false(encode_type("application/octet-stream"));
    assert_false(encode_type("image/png"));
    assert_false(encode_type(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_unpacks_to_the_same_bytes),
        cmocka_unit_test(what_does_not_get_smaller_is_left),
        cmocka_unit_test(text_is_packed_and_event_streams_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
