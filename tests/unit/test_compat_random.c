#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/engine/compat.h"
#include "gateway/jsonschema/jsonschema.h"
#include "tests/unit/schema_random.h"

/* Pairs of schemas, drawn at random or one made of the other by changes, and documents. Whenever we say that a pair is
 * compatible, neither ajv (tests/registry/judge_pairs.mjs) nor our own validator finds a document that the old schema takes and
 * the new one refuses; and ajv finds every counterexample to be one. WEIR_COMPAT_PAIRS sets how many, WEIR_COMPAT_SEED which. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PAIRS = 80 };
#else
enum { PAIRS = 200 };
#endif
enum { DOCUMENTS = 40, FINDINGS = 4 };

static struct jsonschema *compile(struct slice text)
{
    struct jsonschema *s = NULL;

    return jsonschema_compile(text, DRAFT_7, NULL, 0, &s, NULL) ? NULL : s;
}

static bool takes(const struct jsonschema *s, struct slice document)
{
    size_t n;

    return s && jsonschema_validate(s, document, NULL, NULL, 0, &n, NULL) == OK && !n;
}

/* Documents made from both schemas; our own validator judges the claim first. */
static void put_documents(struct buf *line, struct slice old_text, struct slice new_text, bool compatible)
{
    struct arena *a = arena_new(64 << 20);
    struct jsonschema *before = compile(old_text), *after = compile(new_text);
    struct json_node *old_root, *new_root;
    struct buf one = { 0 };

    assert_int_equal(json_tree_parse(old_text, 64, a, &old_root, NULL), OK);
    assert_int_equal(json_tree_parse(new_text, 64, a, &new_root, NULL), OK);
    for (int i = 0; i < DOCUMENTS; i++) {
        const struct json_node *root = i % 3 ? old_root : new_root;

        buf_reset(&one);
        schema_document(&one, root, root, 4);
        struct slice document = { one.p, one.n };

        if (compatible && after && takes(before, document) && !takes(after, document)) {
            printf("%.*s\nto %.*s\nbreaks %.*s\n", (int)old_text.n, old_text.p, (int)new_text.n, new_text.p, (int)one.n, one.p);
            fail(); /* with a message cmocka would cut them */
        }
        buf_str(line, i ? "," : "");
        buf_slice(line, document);
    }
    buf_free(&one);
    jsonschema_free(before);
    jsonschema_free(after);
    arena_free(a);
}

/* The old schema, and the new one: it with changes, or another one. */
static void draw_pair(struct buf *old_text, struct buf *new_text, bool defaults)
{
    struct arena *a = arena_new(64 << 20);
    struct draw d = { old_text, (int)schema_pick(SCHEMA_DRAFTS), defaults };
    struct json_node *root;

    schema_draw(&d);
    assert_int_equal(json_tree_parse((struct slice){ old_text->p, old_text->n }, 64, a, &root, NULL), OK);
    d.out = new_text;
    if (schema_pick(20)) {
        schema_change(&d, root, 4 + schema_pick(16));
    } else {
        d.draft = schema_pick(3) ? d.draft : (int)schema_pick(SCHEMA_DRAFTS);
        schema_draw(&d);
    }
    arena_free(a);
}

static void put_pair(struct buf *line, bool defaults)
{
    struct arena *a = arena_new(64 << 20);
    struct buf old_text = { 0 }, new_text = { 0 };
    struct compat_finding found[FINDINGS];
    struct fault f = { 0 };
    size_t n;

    draw_pair(&old_text, &new_text, defaults);
    const struct schema_text writer = { .text = { old_text.p, old_text.n } }, reader = { .text = { new_text.p, new_text.n } };

    if (compat_check(SCHEMA_JSON, &reader, &writer, a, found, FINDINGS, &n, &f))
        fail_msg("%.*s: %s", (int)new_text.n, new_text.p, f.detail);
    buf_printf(line, "{\"old\":%.*s,\"new\":%.*s,\"compatible\":%s,\"fill\":%s,\"documents\":[", (int)old_text.n, old_text.p,
               (int)new_text.n, new_text.p, n ? "false" : "true", defaults ? "true" : "false");
    put_documents(line, writer.text, reader.text, !n && !defaults);
    BUF_LIT(line, "],\"counterexamples\":[");
    for (size_t i = 0, any = 0; i < n; i++)
        if (found[i].counterexample.p)
            buf_printf(line, "%s%.*s", any++ ? "," : "", (int)found[i].counterexample.n, found[i].counterexample.p);
    BUF_LIT(line, "]}\n");
    buf_free(&old_text);
    buf_free(&new_text);
    arena_free(a);
}

static unsigned long figure(const char *summary, const char *name)
{
    const char *at = strstr(summary, name);

    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static void judge_pairs(unsigned long pairs, bool defaults, char summary[static 65536])
{
    char path[] = "/tmp/weir-judge-XXXXXX", command[200];
    struct buf line = { 0 };
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    snprintf(command, sizeof command, "node tests/registry/judge_pairs.mjs > %s", path);
    FILE *judge = popen(command, "w");

    assert_non_null(judge);
    for (unsigned long i = 0; i < pairs; i++) {
        buf_reset(&line);
        put_pair(&line, defaults);
        fwrite(line.p, 1, line.n, judge);
    }
    buf_free(&line);
    int status = pclose(judge);
    ssize_t n = read(fd, summary, 65535);

    close(fd);
    unlink(path);
    summary[n > 0 ? n : 0] = '\0';
    printf("# %s", summary); /* cmocka would cut it */
    if (status)
        fail_msg("tests/registry/judge_pairs.mjs ended with %d: run `make deps` first", status);
}

static unsigned long pairs_wanted(void)
{
    const char *pairs = getenv("WEIR_COMPAT_PAIRS"), *first = getenv("WEIR_COMPAT_SEED");

    schema_seed = first ? strtoull(first, NULL, 10) : 5;
    return pairs ? strtoul(pairs, NULL, 10) : PAIRS;
}

static void what_we_call_compatible_takes_every_document_that_was_valid(void **state)
{
    static char summary[65536];
    unsigned long pairs = pairs_wanted();

    (void)state;
    judge_pairs(pairs, false, summary);
    assert_int_equal(figure(summary, "broken "), 0);
    assert_true(figure(summary, "pairs ") > pairs / 2);
    assert_true(figure(summary, "compatible ") > pairs / 8);
    assert_true(figure(summary, "accepted ") > pairs);
    assert_true(figure(summary, "counterexamples ") > pairs / 10);
}

static void a_default_that_is_filled_in_is_no_break(void **state)
{
    static char summary[65536];
    unsigned long pairs = pairs_wanted() / 4;

    (void)state;
    judge_pairs(pairs, true, summary);
    assert_int_equal(figure(summary, "broken "), 0);
    assert_true(figure(summary, "compatible ") > pairs / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_call_compatible_takes_every_document_that_was_valid),
        cmocka_unit_test(a_default_that_is_filled_in_is_no_break),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
