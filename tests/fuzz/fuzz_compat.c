#include <stdlib.h>

#include "gateway/engine/compat.h"
#include "gateway/jsonschema/jsonschema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FINDINGS = 4 };

static struct slice line_of(struct slice *rest)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct slice line = { rest->p, end ? (size_t)(end - rest->p) : rest->n };

    rest->p += line.n + (end != NULL);
    rest->n -= line.n + (end != NULL);
    return line;
}

static bool takes(const struct jsonschema *s, struct slice document, bool *ret_known)
{
    size_t n;

    *ret_known = jsonschema_validate(s, document, NULL, NULL, 0, &n, NULL) == OK;
    return *ret_known && !n;
}

static bool breaks(const struct jsonschema *before, const struct jsonschema *after, struct slice document)
{
    bool known;

    return takes(before, document, &known) && !takes(after, document, &known) && known;
}

/* The first line is the old schema, the second the new one, all others are documents: none of them may be valid before and not
 * after when the schemas are called compatible, and every counterexample has to be. A default that is filled in is left out. */
static void judge(const struct schema_text *writer, const struct schema_text *reader, struct slice documents)
{
    struct jsonschema *before = NULL, *after = NULL;
    struct arena *a = arena_new(64 << 20);
    struct compat_finding found[FINDINGS];
    struct fault f = { 0 };
    size_t n = 0;
    bool whole = !jsonschema_compile(writer->text, DRAFT_7, NULL, 0, &before, NULL) &&
                 !jsonschema_compile(reader->text, DRAFT_7, NULL, 0, &after, NULL);
    enum err e = compat_check(SCHEMA_JSON, reader, writer, a, found, FINDINGS, &n, &f);

    if (e && !f.detail[0])
        abort();
    for (size_t i = 0; !e && i < n; i++)
        if (!found[i].rule || !found[i].detail.n || !found[i].old_pointer.p ||
            (found[i].counterexample.p && !breaks(before, after, found[i].counterexample)))
            abort();
    while (whole && !e && !n && documents.n && !memmem(reader->text.p, reader->text.n, "default", 7))
        if (breaks(before, after, line_of(&documents)))
            abort();
    jsonschema_free(before);
    jsonschema_free(after);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size };
    struct schema_text writer = { .text = line_of(&rest) }, reader = { .text = line_of(&rest) };

    judge(&writer, &reader, rest);
    return 0;
}
