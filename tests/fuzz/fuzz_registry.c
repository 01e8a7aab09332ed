#include <stdint.h>
#include <stdlib.h>

#include "gateway/engine/contracts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name that is taken is the same one when it is read as it is answered. */
static void names(struct arena *a, struct slice text)
{
    struct schema_subject s, again;
    struct fault f = { 0 };
    int version;

    if (!schema_subject_parse(text, &s, &f)) {
        struct slice shown = schema_subject_text(a, &s);

        if (!shown.p || schema_subject_parse(shown, &again, &f) || !slice_eq(s.context, again.context) ||
            !slice_eq(s.name, again.name))
            abort();
    } else if (f.registry != SCHEMA_BAD_SUBJECT) {
        abort();
    }
    if (schema_version_parse(text, &version, &f) ? f.registry != SCHEMA_BAD_VERSION : version < 0)
        abort();
}

static void check(enum err e, const struct fault *f)
{
    if (e && (!f->detail[0] || (e != ERR_BAD_JSON && e != ERR_BAD_BODY && e != ERR_REGISTRY)))
        abort();
}

static void contract(struct arena *a, struct slice text)
{
    const struct config c = { .registry_contract_reads = 100 };
    struct contract_body body;
    struct fault f = { 0 };
    enum err e = contract_body_parse(&c, a, SLICE("billing"), text, &body, &f);

    check(e, &f);
    if (!e && (!body.n || body.n > 100))
        abort();
    for (size_t i = 0; !e && i < body.n; i++)
        if (!body.v[i].subject.context.n || !body.v[i].subject.name.n || (!body.v[i].body.text.p && body.v[i].body.version < 0))
            abort();
}

/* The first line is a subject or a version, what follows a body: what is taken is whole, what is refused says why. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
    struct arena *a = arena_new((size_t)64 << 20);
    struct schema_body body;
    struct fault f = { 0 };
    struct slice word;

    if (a && line && size < 1 << 16) {
        struct slice rest = { line + 1, size - (size_t)(line + 1 - text) };
        enum err e = schema_body_parse(a, rest, &body, &f);

        names(a, (struct slice){ text, (size_t)(line - text) });
        check(e, &f);
        for (size_t i = 0; !e && i < body.n; i++)
            if (!body.refs[i].name.p || !body.refs[i].subject.context.n || body.refs[i].version < 0)
                abort();
        if (!e && (body.type < 0 || body.type >= SCHEMA_TYPES || body.id < 0))
            abort();
        contract(a, rest);
        f = (struct fault){ 0 };
        check(schema_member_parse(a, rest, "compatibility", &word, &f), &f);
    }
    arena_free(a);
    return 0;
}
