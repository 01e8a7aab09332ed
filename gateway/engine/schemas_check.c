#include <stdio.h>

#include "gateway/engine/schemas.h"

/* Against which versions a level asks, one after the other: each in memory of its own, since there may be many. */
#define CHECK_ARENA ((size_t)256 << 20)
#define LINE_BYTES 4000                /* of a counterexample that is shown */

static bool keep(struct arena *a, struct schema_verdict *v, const struct compat_finding *found, const struct schema_row *old)
{
    struct compat_finding *f = &v->v[v->n];

    *f = *found;
    f->old_pointer = arena_slice(a, found->old_pointer);
    f->new_pointer = arena_slice(a, found->new_pointer);
    f->detail = arena_slice(a, found->detail);
    f->counterexample = found->counterexample.p ? arena_slice(a, found->counterexample) : SLICE_NONE;
    v->old = (struct schema_row){ .version = old->version };
    v->n++;
    return f->old_pointer.p && f->new_pointer.p && f->detail.p && (!found->counterexample.p || f->counterexample.p);
}

static enum err check_one(const struct config *c, struct db *db, struct arena *work, struct arena *a,
                          const struct schema_candidate *candidate, const struct schema_row *old, struct schema_verdict *v,
                          struct fault *f)
{
    static const struct compat_finding other_type = { .rule = "SCHEMA_TYPE_CHANGED", .old_pointer = { "", 0 },
                                                      .new_pointer = { "", 0 },
                                                      .detail = { "The schemas are of different types.", 35 } };
    struct compat_finding found[SCHEMA_FINDINGS];
    struct schema_text text;
    size_t n = 0;
    enum err e;

    if (old->type != candidate->row.type)
        return keep(a, v, &other_type, old) ? OK : ERR_NO_MEMORY;
    if ((e = schema_whole(c, db, work, old, &text, f)))
        return e;
    e = compat_check_level((enum compat_level)v->level, (enum schema_type)old->type, &candidate->whole, &text, 1, work, found,
                           SCHEMA_FINDINGS, &n, f);
    for (size_t i = 0; !e && i < n; i++)
        if (!keep(a, v, &found[i], old))
            e = ERR_NO_MEMORY;
    return e;
}

/* The newest version of the span and, with `all`, those before it until one does not fit. */
static enum err check_span(const struct config *c, struct db *db, struct arena *a, const struct schema_candidate *candidate,
                           struct schema_span span, bool all, struct schema_verdict *v, struct fault *f)
{
    bool more = true;
    enum err e = OK;

    while (!e && more && !v->n) {
        struct arena *work = arena_new(CHECK_ARENA);
        struct schema_row *old;
        size_t n = 0;

        e = work ? db_schema_get(db, work, &candidate->row.subject, span, false, 1, &old, &n, f) : ERR_NO_MEMORY;
        if (!e && n)
            e = check_one(c, db, work, a, candidate, old, v, f);
        more = all && n && old->version > 1;
        if (more)
            span.to = old->version - 1;
        arena_free(work);
    }
    return e;
}

static bool is_transitive(int level)
{
    return level >= COMPAT_BACKWARD_TRANSITIVE;
}

enum err schemas_check(const struct config *c, struct db *db, struct arena *a, const struct schema_candidate *candidate,
                       int version, struct schema_verdict *ret, struct fault *f)
{
    struct schema_span span = version > 0 ? (struct schema_span){ version, version } : SCHEMA_ALL;
    struct schema_settings settings;
    enum err e = schemas_settings(db, &candidate->row.subject, &settings, f);

    ret->n = 0;
    ret->level = settings.level;
    if (e || settings.level == COMPAT_NONE)
        return e;
    return check_span(c, db, a, candidate, span, !version && is_transitive(settings.level), ret, f);
}

static struct slice line(struct arena *a, const struct compat_finding *f)
{
    return slice_of(arena_printf(a, "{errorType:'%s', description:'%.*s', oldPath:'%.*s', newPath:'%.*s'}", f->rule,
                                 (int)f->detail.n, f->detail.p, (int)f->old_pointer.n, f->old_pointer.p, (int)f->new_pointer.n,
                                 f->new_pointer.p));
}

void schema_verdict_lines(struct arena *a, const struct schema_verdict *v, struct slice *ret, size_t max, size_t *ret_n)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n && n + 4 <= max; i++) {
        ret[n++] = line(a, &v->v[i]);
        if (v->v[i].counterexample.p && v->v[i].counterexample.n <= LINE_BYTES)
            ret[n++] = slice_of(arena_printf(a, "counterexample: %.*s", (int)v->v[i].counterexample.n, v->v[i].counterexample.p));
    }
    if (v->n) {
        ret[n++] = slice_of(arena_printf(a, "{oldSchemaVersion: %d}", v->old.version));
        ret[n++] = slice_of(arena_printf(a, "{compatibility: '%s'}", compat_level_names[v->level]));
    }
    *ret_n = n;
}
