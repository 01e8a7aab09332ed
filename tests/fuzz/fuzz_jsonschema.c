#include <stdlib.h>

#include "gateway/jsonschema/jsonschema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct jsonschema_document docs[] = {
    { SLICE("other.json"), SLICE("{\"$id\":\"http://a/other.json\",\"$defs\":{\"s\":{\"$anchor\":\"s\",\"type\":\"string\"}}}") },
};

static enum draft draft_of(uint8_t c)
{
    return (enum draft)(c % 5);
}

/* The first byte chooses the draft, the rest of the first line is the schema, what follows the value: whatever they are, it ends soon,
 * both passes agree, and every finding is whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = size ? memchr(data, '\n', size) : NULL;
    struct jsonschema *s = NULL;
    struct finding found[8];
    struct fault f = { 0 };
    size_t n = 0, fast = 0;

    if (!line)
        return 0;
    struct slice schema = { (const char *)data + 1, (size_t)(line - (const char *)data) };
    struct slice value = { line + 1, size - (size_t)(line + 1 - (const char *)data) };

    if (!schema.n)
        return 0;
    schema.n--;
    enum err e = jsonschema_compile(schema, draft_of(data[0]), docs, 1, &s, &f);

    if (e && (e != ERR_BAD_BODY || !f.detail[0]))
        abort();
    if (e)
        return 0;
    struct arena *a = arena_new(1 << 20);
    enum err first = jsonschema_validate(s, value, NULL, NULL, 0, &fast, &f);
    enum err second = jsonschema_validate(s, value, a, found, 8, &n, &f);

    if (first == OK && second == OK && !fast != !n)
        abort();
    if (first && first != ERR_BAD_JSON && first != ERR_SCHEMA_LIMIT)
        abort();
    for (size_t i = 0; i < n && second == OK; i++)
        if (!found[i].pointer.p || !found[i].schema_pointer.p || !found[i].detail.n)
            abort();
    arena_free(a);
    jsonschema_free(s);
    return 0;
}
