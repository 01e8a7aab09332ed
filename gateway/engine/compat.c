#include <stdarg.h>
#include <stdio.h>

#include "gateway/engine/compat_parts.h"

const char *const compat_level_names[COMPAT_LEVELS] = {
    [COMPAT_NONE] = "NONE",
    [COMPAT_BACKWARD] = "BACKWARD",
    [COMPAT_FORWARD] = "FORWARD",
    [COMPAT_FULL] = "FULL",
    [COMPAT_BACKWARD_TRANSITIVE] = "BACKWARD_TRANSITIVE",
    [COMPAT_FORWARD_TRANSITIVE] = "FORWARD_TRANSITIVE",
    [COMPAT_FULL_TRANSITIVE] = "FULL_TRANSITIVE",
};

static const struct {
    bool backward, forward, transitive;
} levels[COMPAT_LEVELS] = {
    [COMPAT_BACKWARD] = { true, false, false },
    [COMPAT_FORWARD] = { false, true, false },
    [COMPAT_FULL] = { true, true, false },
    [COMPAT_BACKWARD_TRANSITIVE] = { true, false, true },
    [COMPAT_FORWARD_TRANSITIVE] = { false, true, true },
    [COMPAT_FULL_TRANSITIVE] = { true, true, true },
};

struct compat_finding *compat_add(struct compat_report *r, const char *rule, struct slice old_pointer, struct slice new_pointer,
                                  const char *fmt, ...)
{
    struct compat_finding *one;
    char text[512];
    va_list ap;

    if (r->n == r->max)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    one = &r->v[r->n];
    *one = (struct compat_finding){
        .rule = rule, .old_pointer = old_pointer, .new_pointer = new_pointer, .detail = arena_slice(r->arena, slice_of(text))
    };
    if (!one->detail.p || !old_pointer.p || !new_pointer.p) {
        r->no_memory = true;
        return NULL;
    }
    r->n++;
    return one;
}

enum err compat_check(enum schema_type type, const struct schema_text *reader, const struct schema_text *writer, struct arena *a,
                      struct compat_finding *ret, size_t max, size_t *ret_n, struct fault *f)
{
    struct compat_report r = { .arena = a, .v = ret, .max = max };
    enum err e = (type == SCHEMA_AVRO ? compat_avro : compat_json)(reader, writer, &r, f);

    if (!e && r.no_memory)
        e = fault(f, ERR_NO_MEMORY, "The comparison takes more memory than there is for it.");
    if (!e)
        *ret_n = r.n;
    return e;
}

/* What the old schema reads is told with the old pointer in the old schema all the same. */
static void turn(struct compat_finding *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slice old_pointer = v[i].new_pointer;

        v[i].new_pointer = v[i].old_pointer;
        v[i].old_pointer = old_pointer;
    }
}

enum err compat_check_level(enum compat_level level, enum schema_type type, const struct schema_text *candidate,
                            const struct schema_text *earlier, size_t n, struct arena *a, struct compat_finding *ret, size_t max,
                            size_t *ret_n, struct fault *f)
{
    size_t found = 0, more;
    enum err e;

    for (size_t i = n; i--;) {
        for (int forward = 0; forward < 2; forward++) {
            struct compat_finding *at = ret + found;

            if (forward ? !levels[level].forward : !levels[level].backward)
                continue;
            e = forward ? compat_check(type, &earlier[i], candidate, a, at, max - found, &more, f)
                        : compat_check(type, candidate, &earlier[i], a, at, max - found, &more, f);
            if (e)
                return e;
            if (forward)
                turn(at, more);
            for (size_t k = 0; k < more; k++)
                at[k].version = i;
            found += more;
        }
        if (!levels[level].transitive || found == max)
            break;
    }
    *ret_n = found;
    return OK;
}
