#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "gateway/http/assets.h"

static void finds_each_file_by_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < asset_count; i++)
        assert_ptr_equal(asset_find(slice_of(assets[i].path)), &assets[i]);
    assert_non_null(asset_find(SLICE("/openapi.json")));
    assert_non_null(asset_find(SLICE("/docs")));
    assert_non_null(asset_find(SLICE("/docs/swagger-ui-bundle.js")));
    assert_null(asset_find(SLICE("/docs/")));
    assert_null(asset_find(SLICE("/docs/../openapi.json")));
    assert_null(asset_find(SLICE("")));
    assert_null(asset_find(SLICE_NONE));
}

static void every_packed_file_unpacks_to_its_bytes(void **state)
{
    size_t packed = 0;

    (void)state;
    for (size_t i = 0; i < asset_count; i++) {
        const struct asset *a = &assets[i];
        z_stream z = { .next_in = (Bytef *)(uintptr_t)a->gzip.p, .avail_in = (uInt)a->gzip.n };
        char *out = malloc(a->bytes.n + 1);

        assert_true(a->bytes.n > 0);
        if (a->gzip.p) {
            assert_true(a->gzip.n < a->bytes.n);
            assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
            z.next_out = (Bytef *)out;
            z.avail_out = (uInt)(a->bytes.n + 1);
            assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
            assert_int_equal(z.total_out, a->bytes.n);
            assert_memory_equal(out, a->bytes.p, a->bytes.n);
            inflateEnd(&z);
            packed++;
        }
        free(out);
    }
    assert_true(packed > 0);
}

static void representations_have_strong_tags_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < asset_count; i++) {
        assert_int_equal(assets[i].etag[0], '"');
        assert_string_not_equal(assets[i].etag, assets[i].gzip_etag);
        for (size_t j = 0; j < i; j++)
            assert_true((strcmp(assets[i].etag, assets[j].etag) == 0) == slice_eq(assets[i].bytes, assets[j].bytes));
    }
}

static void a_copy_is_known_by_any_tag_of_the_list(void **state)
{
    (void)state;
    assert_true(etag_listed(SLICE("\"a\""), "\"a\""));
    assert_true(etag_listed(SLICE("\"x\" , W/\"a\""), "\"a\""));
    assert_true(etag_listed(SLICE("*"), "\"a\""));
    assert_false(etag_listed(SLICE_NONE, "\"a\""));
    assert_false(etag_listed(SLICE("\"ab\", W/, a"), "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_file_by_its_path),
        cmocka_unit_test(every_packed_file_unpacks_to_its_bytes),
        cmocka_unit_test(representations_have_strong_tags_of_their_own),
        cmocka_unit_test(a_copy_is_known_by_any_tag_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
