#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/base/uuid.h"

static const uint8_t id[16] = { 0x01, 0x95, 0x57, 0x10, 0x8c, 0x1e, 0x7d, 0x34, 0xb1, 0xf6, 0x2a, 0x4c, 0x5e, 0x6f, 0x70, 0x81 };

static void an_id_is_read_back_as_it_was_written(void **state)
{
    char text[UUID_TEXT], hex[HEX16_TEXT];
    uint8_t got[16];

    (void)state;
    uuid_format(id, text);
    hex16_format(id, hex);
    assert_string_equal(text, "01955710-8c1e-7d34-b1f6-2a4c5e6f7081");
    assert_string_equal(hex, "019557108c1e7d34b1f62a4c5e6f7081");
    assert_true(uuid_parse(slice_of(text), got));
    assert_memory_equal(got, id, sizeof id);
    assert_true(uuid_parse(SLICE("01955710-8C1E-7D34-B1F6-2A4C5E6F7081"), got));
    assert_memory_equal(got, id, sizeof id);
    assert_true(hex16_parse(slice_of(hex), got));
    assert_memory_equal(got, id, sizeof id);
}

static void what_is_no_id_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "x", "01955710-8c1e-7d34-b1f6-2a4c5e6f708", "01955710-8c1e-7d34-b1f6-2a4c5e6f70811",
        "019557108c1e7d34b1f62a4c5e6f7081",
        "01955710-8c1e-7d34-b1f6-2a4c5e6f708g", "0195571-08c1e-7d34-b1f6-2a4c5e6f7081", "01955710_8c1e-7d34-b1f6-2a4c5e6f7081",
        "{1955710-8c1e-7d34-b1f6-2a4c5e6f708}",
        "01955710-8c1e-7d34-b1f6-2a4c5e6f-081", "01955710-8c1e-7d34-b1f6-2a4c5e6f70\xc3\xa9",
    };
    uint8_t got[16];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(uuid_parse(slice_of(bad[i]), got));
    assert_false(uuid_parse(SLICE_NONE, got));
    assert_false(hex16_parse(SLICE("019557108c1e7d34b1f62a4c5e6f708"), got));
    assert_false(hex16_parse(SLICE("01955710-8c1e-7d34-b1f6-2a4c5e6f7081"), got));
    assert_false(hex16_parse(SLICE("019557108c1e7d34b1f62a4c5e6f708G"), got));
}

static void a_uuid_of_version_7_tells_its_time(void **state)
{
    (void)state;
    assert_int_equal(uuid7_ms(id), INT64_C(0x019557108c1e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_read_back_as_it_was_written),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(a_uuid_of_version_7_tells_its_time),
    };

    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
