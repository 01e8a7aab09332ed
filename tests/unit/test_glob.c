#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/base/glob.h"

static void a_star_stands_for_any_run_of_characters(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool match;
    } rows[] = {
        { "orders", "orders", true },    { "orders", "orders2", false },  { "orders", "order", false },
        { "orders", "Orders", false },   { "orders.*", "orders.eu", true }, { "orders.*", "orders.", true },
        { "orders.*", "orders", false }, { "orders*", "orders", true },   { "*", "anything", true },
        { "*", "", true },               { "", "", true },                { "", "a", false },
        { "**", "", true },              { "***", "abc", true },          { "*.dlq", "a.dlq", true },
        { "*.dlq", ".dlq", true },       { "*.dlq", "a.dlq2", false },    { "a*b*c", "abc", true },
        { "a*b*c", "aXbYc", true },      { "a*b*c", "acb", false },       { "a*b*c", "abbbc", true },
        { "a*bc*bc", "abc", false },     { "a*bc*bc", "abcbc", true },    { "*ab*ab*", "abab", true },
        { "*ab*ab*", "aab", false },     { "*aab", "aaab", true },        { "a*a", "a", false },
        { "a*a", "aa", true },           { "?", "a", false },             { "[a]", "a", false },
        { "a.b", "aXb", false },         { "\\*", "*", false },           { "*é*", "caféteria", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (glob_match(slice_of(rows[i].pattern), slice_of(rows[i].name)) != rows[i].match)
            fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].name);
    }
}

/* By the definition, exponential, for short texts. */
static bool matches(const char *p, const char *s)
{
    if (*p == '*')
        return matches(p + 1, s) || (*s && matches(p, s + 1));
    return *p == *s && (!*p || matches(p + 1, s + 1));
}

static void every_short_pattern_matches_as_defined(void **state)
{
    char pattern[7] = "", name[7];

    (void)state;
    for (int p = 0; p < 3 * 3 * 3 * 3 * 3 * 3; p++) {
        int rest = p;

        for (int i = 0; i < 6; i++, rest /= 3)
            pattern[i] = "ab*"[rest % 3];
        for (int s = 1; s < 128; s++) { /* the leading 1 marks the length */
            int n = 31 - __builtin_clz((unsigned)s);

            for (int i = 0; i < n; i++)
                name[i] = s >> i & 1 ? 'b' : 'a';
            name[n] = '\0';
            for (int from = 0; from <= 6; from++) {
                if (glob_match(slice_of(pattern + from), slice_of(name)) != matches(pattern + from, name))
                    fail_msg("\"%s\" and \"%s\"", pattern + from, name);
            }
        }
    }
}

static void a_hostile_pattern_takes_no_longer_than_a_kind_one(void **state)
{
    static char pattern[8000], name[120];

    (void)state;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[sizeof pattern - 1] = 'b';
    memset(name, 'a', sizeof name);
    int64_t began = clock_mono_us();

    for (int i = 0; i < 1000; i++)
        assert_false(glob_match((struct slice){ pattern, sizeof pattern }, (struct slice){ name, sizeof name }));
    assert_true(clock_mono_us() - began < 20 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_stands_for_any_run_of_characters),
        cmocka_unit_test(every_short_pattern_matches_as_defined),
        cmocka_unit_test(a_hostile_pattern_takes_no_longer_than_a_kind_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
