#include <stdlib.h>

#include "gateway/engine/avro.h"
#include "gateway/engine/compat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct schema_reference refs[] = {
    { SLICE("a.R"), SLICE("{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"s\",\"type\":\"a.S\"}]}") },
    { SLICE("a.S"), SLICE("{\"type\":\"enum\",\"name\":\"S\",\"namespace\":\"a\",\"symbols\":[\"X\",\"Y\"]}") },
};
enum { REFS = sizeof refs / sizeof *refs, FINDINGS = 4 };

static const struct avro_schema *parse(struct slice text, struct arena *a)
{
    const struct schema_text s = { text, refs, REFS };
    const struct avro_schema *schema;
    struct fault f = { 0 };
    enum err e = avro_parse(&s, a, &schema, &f);

    if (e && !f.detail[0])
        abort();
    return e ? NULL : schema;
}

/* What is written is read again, and written alike; but in the canonical form, which forgets that a type has no namespace. */
static void again(const struct avro_schema *schema, enum avro_form form, struct arena *a)
{
    struct buf first = { 0 }, second = { 0 };
    const struct avro_schema *read;

    avro_write(schema, form, &first);
    if (form != AVRO_CANONICAL) {
        if (!(read = parse((struct slice){ first.p, first.n }, a)))
            abort();
        avro_write(read, form, &second);
        if (first.n != second.n || memcmp(first.p, second.p, first.n))
            abort();
    }
    buf_free(&first);
    buf_free(&second);
}

/* The first line is one schema, the rest another. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    struct slice first = { text, end ? (size_t)(end - text) : size };
    struct slice second = { text + first.n + (end != NULL), size - first.n - (end != NULL) };
    const struct schema_text x = { first, refs, REFS }, y = { second, refs, REFS };
    struct arena *a = arena_new(64 << 20);
    const struct avro_schema *schema = parse(first, a);
    struct compat_finding found[FINDINGS];
    struct fault f = { 0 };
    size_t n;

    if (schema) {
        for (int form = AVRO_COMPACT; form <= AVRO_CANONICAL; form++)
            again(schema, (enum avro_form)form, a);
        if (compat_check(SCHEMA_AVRO, &x, &x, a, found, FINDINGS, &n, &f) || n)
            abort();
        if (!compat_check(SCHEMA_AVRO, &x, &y, a, found, FINDINGS, &n, &f))
            for (size_t i = 0; i < n; i++)
                if (!found[i].rule || !found[i].detail.n || !found[i].new_pointer.p)
                    abort();
    }
    arena_free(a);
    return 0;
}
