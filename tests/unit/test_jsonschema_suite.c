#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/jsonschema/jsonschema.h"

/* The official test suite (vendor/json-schema-test-suite): a table per draft, an ok or not ok line a draft. All required tests must
 * pass; of the optional ones as many as stand in `rows`. Those of formats are run where formats assert: in later drafts
 * under a metaschema that says so. */
#define FOLDER "tests/unit/vendor/json-schema-test-suite/"
#define ASSERTING "urn:asserts"

enum kind { REQUIRED, OPTIONAL, FORMATS, KINDS };

/* What fails of the optional tests: content, which never asserts; of formats: lookbehind of variable width, which PCRE2 lacks, the
 * rules of IDNA that need the tables of Unicode, and in drafts 4 and 6 host names by the stricter rules of draft 7. */
static const struct row {
    const char *name;
    enum draft draft;
    unsigned tests, optional_failures, format_failures;
} rows[] = {
    { "draft4", DRAFT_4, 618, 0, 1 },
    { "draft6", DRAFT_6, 839, 0, 1 },
    { "draft7", DRAFT_7, 927, 4, 8 },
    { "draft2019-09", DRAFT_2019_09, 1259, 0, 8 },
    { "draft2020-12", DRAFT_2020_12, 1299, 0, 8 },
};

enum { MAX_DOCUMENTS = 128 };

struct suite {
    struct jsonschema_document docs[MAX_DOCUMENTS + 1];
    size_t n_docs;
    enum draft draft;
    enum kind kind;
    struct slice file, group;
    unsigned passed[KINDS], failed[KINDS];
    bool verbose;
};

static struct slice whole_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf b = { 0 };
    size_t n;

    while (f && buf_reserve(&b, 65536) && (n = fread(b.p + b.n, 1, 65536, f)) > 0)
        b.n += n;
    if (!f || b.failed || !b.n) {
        printf("not ok - %s cannot be read\n", path);
        exit(1);
    }
    fclose(f);
    return (struct slice){ b.p, b.n };
}

/* The value of a member, or absent. */
static struct slice member(struct slice object, const char *name)
{
    struct slice key, value, found = SLICE_NONE;
    struct json j;
    bool escaped;

    json_begin(&j, object, JSON_DEPTH);
    json_object_begin(&j);
    while (json_object_next(&j, &key, &escaped) && json_value(&j, &value))
        if (slice_is(key, name))
            found = value;
    return found;
}

static void read_remotes(struct suite *s, struct slice text)
{
    struct slice key, value;
    struct json j;
    bool escaped;

    json_begin(&j, text, JSON_DEPTH);
    json_object_begin(&j);
    while (s->n_docs < MAX_DOCUMENTS && json_object_next(&j, &key, &escaped) && json_value(&j, &value))
        s->docs[s->n_docs++] = (struct jsonschema_document){ key, value };
}

static void tell(struct suite *s, struct slice test, const char *what)
{
    if (s->kind == REQUIRED || s->verbose)
        printf("# %.*s | %.*s | %.*s: %s\n", (int)s->file.n, s->file.p, (int)s->group.n, s->group.p, (int)test.n, test.p, what);
}

static void run_test(struct suite *s, const struct jsonschema *schema, struct slice test)
{
    struct slice what = member(test, "description");
    bool valid = slice_is(member(test, "valid"), "true"), right;
    struct arena *a = arena_new(SIZE_MAX);
    struct finding findings[20];
    struct fault f = { 0 };
    size_t n = 0, fast;
    enum err e = schema ? jsonschema_validate(schema, member(test, "data"), a, findings, 20, &n, &f) : ERR_INTERNAL;

    right = !e && valid == !n;
    /* Both passes agree, and findings say where. */
    if (!e && (jsonschema_validate(schema, member(test, "data"), NULL, NULL, 0, &fast, &f) || !fast != !n))
        right = false;
    for (size_t i = 0; i < n && !e; i++)
        right &= findings[i].pointer.p && findings[i].schema_pointer.p && findings[i].detail.n > 0;
    if (right) {
        s->passed[s->kind]++;
    } else {
        s->failed[s->kind]++;
        tell(s, what, e ? f.detail[0] ? f.detail : "error" : valid ? "is valid" : "is not valid");
    }
    arena_free(a);
}

/* For formats of later drafts: {"$schema": ASSERTING, …} */
static struct slice asserting(struct slice schema, struct arena *a)
{
    struct slice inside = member(schema, "format");
    char *text;

    if (!inside.p)
        return schema;
    text = arena_printf(a, "{\"$schema\":\"" ASSERTING "\",\"format\":%.*s}", (int)inside.n, inside.p);
    return slice_of(text);
}

static void run_group(struct suite *s, struct slice group)
{
    struct arena *a = arena_new(SIZE_MAX);
    struct slice schema = member(group, "schema"), test;
    struct jsonschema *compiled = NULL;
    struct fault f = { 0 };
    struct json j;
    enum err e;

    s->group = member(group, "description");
    if (s->kind == FORMATS && s->draft >= DRAFT_2019_09)
        schema = asserting(schema, a);
    if ((e = jsonschema_compile(schema, s->draft, s->docs, s->n_docs, &compiled, &f)))
        tell(s, SLICE("the schema"), f.detail[0] ? f.detail : "error");
    json_begin(&j, member(group, "tests"), JSON_DEPTH);
    json_array_begin(&j);
    while (json_array_next(&j) && json_value(&j, &test))
        run_test(s, compiled, test);
    jsonschema_free(compiled);
    arena_free(a);
}

static void run_draft(struct suite *s, struct slice text)
{
    struct slice group, list;
    struct json j, k;
    bool escaped;

    json_begin(&j, text, JSON_DEPTH);
    json_object_begin(&j);
    while (json_object_next(&j, &s->file, &escaped) && json_value(&j, &list)) {
        s->kind = memmem(s->file.p, s->file.n, "optional/format/", 16) ? FORMATS
                  : memmem(s->file.p, s->file.n, "optional/", 9)       ? OPTIONAL
                                                                       : REQUIRED;
        json_begin(&k, list, JSON_DEPTH);
        json_array_begin(&k);
        while (json_array_next(&k) && json_value(&k, &group))
            run_group(s, group);
    }
}

static bool run_row(const struct row *row, const struct suite *common)
{
    struct suite s = *common;
    char path[200];

    s.draft = row->draft;
    s.docs[s.n_docs].uri = SLICE(ASSERTING);
    s.docs[s.n_docs++].text =
        row->draft == DRAFT_2019_09
            ? SLICE("{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",\"$id\":\"" ASSERTING "\",\"$vocabulary\":{"
                    "\"https://json-schema.org/draft/2019-09/vocab/core\":true,"
                    "\"https://json-schema.org/draft/2019-09/vocab/format\":true}}")
            : SLICE("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"" ASSERTING "\",\"$vocabulary\":{"
                    "\"https://json-schema.org/draft/2020-12/vocab/core\":true,"
                    "\"https://json-schema.org/draft/2020-12/vocab/format-assertion\":true}}");
    snprintf(path, sizeof path, FOLDER "%s.json", row->name);
    struct slice text = whole_file(path);

    run_draft(&s, text);
    free((char *)text.p);
    bool ok = s.passed[REQUIRED] == row->tests && !s.failed[REQUIRED] && s.failed[OPTIONAL] <= row->optional_failures &&
              s.failed[FORMATS] <= row->format_failures;

    printf("# %-13s required %4u of %4u   optional %4u of %4u   formats %4u of %4u\n", row->name, s.passed[REQUIRED], row->tests,
           s.passed[OPTIONAL], s.passed[OPTIONAL] + s.failed[OPTIONAL], s.passed[FORMATS], s.passed[FORMATS] + s.failed[FORMATS]);
    printf("%s - the test suite of %s passes\n", ok ? "ok" : "not ok", row->name);
    return ok;
}

int main(int argc, char **argv)
{
    struct suite common = { .verbose = argc > 1 && !strcmp(argv[1], "-v") };
    struct slice remotes = whole_file(FOLDER "remotes.json");
    bool ok = true;

    read_remotes(&common, remotes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ok &= run_row(&rows[i], &common);
    free((char *)remotes.p);
    return ok ? 0 : 1;
}
