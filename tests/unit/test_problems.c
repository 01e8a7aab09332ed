#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/http/reply.h"

/* Errors that no answer carries, or none of this form. */
static bool inside_only(size_t e)
{
    return e == OK || e == ERR_PARKED || e == ERR_REGISTRY || e == ERR_DB_UNIQUE || e == ERR_DB_RETRY;
}

/* Paths are relative to the root of the tree, where the tests run. The caller frees. */
static char *whole_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    assert_true(feof(f));
    fclose(f);
    return text;
}

static void every_error_has_a_row(void **state)
{
    (void)state;
    assert_int_equal(problem_count, ERR_END);
    for (size_t e = 0; e < problem_count; e++) {
        assert_int_equal(problems[e].code == NULL, inside_only(e));
        if (!problems[e].code)
            continue;
        assert_in_range(problems[e].status, 400, 599);
        assert_true(strlen(problems[e].title) > 0);
        assert_true(strlen(problems[e].explain) > 20);
    }
}

static void codes_are_kebab_case_and_unique(void **state)
{
    (void)state;
    for (size_t e = 0; e < problem_count; e++) {
        const char *code = problems[e].code;

        if (!code)
            continue;
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz-"), strlen(code));
        assert_true(code[0] != '-' && code[strlen(code) - 1] != '-' && !strstr(code, "--"));
        for (size_t other = 0; other < e; other++)
            assert_false(problems[other].code && strcmp(problems[other].code, code) == 0);
    }
}

static void texts_stand_in_html_as_they_are(void **state)
{
    (void)state;
    for (size_t e = 0; e < problem_count; e++)
        if (problems[e].code)
            assert_true(!strpbrk(problems[e].title, "<>&\"|") && !strpbrk(problems[e].explain, "<>&\"|"));
}

static void every_outcome_can_be_answered(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_END; e++)
        assert_non_null(problem_of((enum err)e)->code);
    assert_string_equal(problem_of(ERR_ID_REUSED)->code, "id-reused");
    assert_string_equal(problem_of(ERR_DB_UNIQUE)->code, "internal");
    assert_string_equal(problem_of(ERR_DB_RETRY)->code, "database-unavailable");
    assert_string_equal(problem_of((enum err)(ERR_END + 7))->code, "internal");
}

static void a_problem_is_found_by_its_code(void **state)
{
    (void)state;
    for (size_t e = 0; e < problem_count; e++)
        if (problems[e].code)
            assert_ptr_equal(problem_by_code(slice_of(problems[e].code)), &problems[e]);
    assert_null(problem_by_code(SLICE("no-such-code")));
    assert_null(problem_by_code(SLICE("")));
    assert_null(problem_by_code(SLICE_NONE));
}

static void the_page_of_problems_says_what_the_table_says(void **state)
{
    char *page = whole_file("docs/problems.md");
    char line[1000];

    (void)state;
    for (size_t e = 0; e < problem_count; e++) {
        const struct problem *p = &problems[e];

        if (!p->code)
            continue;
        snprintf(line, sizeof line, "\n| %d | `%s` | %s | %s |\n", p->status, p->code, p->title, p->explain);
        if (!strstr(page, line))
            fail_msg("docs/problems.md lacks this row:%s", line);
    }
    free(page);
}

static void the_contract_lists_every_code(void **state)
{
    char *contract = whole_file("openapi/openapi.yaml");
    const char *list = strstr(contract, "\n    ProblemCode:\n");
    char line[200];

    (void)state;
    assert_non_null(list);
    for (size_t e = 0; e < problem_count; e++) {
        if (!problems[e].code)
            continue;
        snprintf(line, sizeof line, "\n        - %s\n", problems[e].code);
        if (!strstr(list, line))
            fail_msg("ProblemCode of openapi.yaml lacks %s", problems[e].code);
    }
    free(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_row),
        cmocka_unit_test(codes_are_kebab_case_and_unique),
        cmocka_unit_test(texts_stand_in_html_as_they_are),
        cmocka_unit_test(every_outcome_can_be_answered),
        cmocka_unit_test(a_problem_is_found_by_its_code),
        cmocka_unit_test(the_page_of_problems_says_what_the_table_says),
        cmocka_unit_test(the_contract_lists_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
