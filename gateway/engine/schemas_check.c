#include "gateway/base/utf8.h"
#include "gateway/engine/schemas.h"

/* Against which versions a level asks, one after the other: each in memory of its own, since there may be many. */
#define SHOWN_BYTES 600                /* of a pointer and of a sentence; what is longer is cut */
#define EXAMPLE_BYTES 2000             /* of a counterexample; a longer one is left out */

struct slice schema_shown(struct arena *a, struct slice s)
{
    if (s.n <= SHOWN_BYTES)
        return arena_slice(a, s);
    return slice_of(arena_printf(a, "%.*s…", (int)utf8_cut(s.p, s.n, SHOWN_BYTES), s.p));
}

bool schema_finding_keep(struct arena *a, const struct compat_finding *found, struct compat_finding *ret)
{
    *ret = *found;
    ret->old_pointer = schema_shown(a, found->old_pointer);
    ret->new_pointer = schema_shown(a, found->new_pointer);
    ret->detail = schema_shown(a, found->detail);
    if (found->counterexample.n > EXAMPLE_BYTES)
        ret->counterexample = SLICE_NONE;
    else if (found->counterexample.p && !(ret->counterexample = arena_slice(a, found->counterexample)).p)
        return false;
    return ret->old_pointer.p && ret->new_pointer.p && ret->detail.p;
}

const struct compat_finding schema_other_type = { .rule = "SCHEMA_TYPE_CHANGED", .old_pointer = { "", 0 }, .new_pointer = { "", 0 },
                                                  .detail = { "The schemas are of different types.", 35 } };

static bool keep(struct arena *a, struct schema_verdict *v, const struct compat_finding *found, const struct schema_row *old)
{
    v->old = (struct schema_row){ .version = old->version };
    return schema_finding_keep(a, found, &v->v[v->n++]);
}

static enum err check_one(const struct config *c, struct db *db, struct arena *work, struct arena *a,
                          const struct schema_candidate *candidate, const struct schema_row *old, struct schema_verdict *v,
                          struct fault *f)
{
    struct compat_finding found[SCHEMA_FINDINGS];
    struct schema_text text;
    size_t n = 0;
    enum err e;

    if (old->type != candidate->row.type)
        return keep(a, v, &schema_other_type, old) ? OK : ERR_NO_MEMORY;
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
                           struct schema_span span, bool all, struct comparison *with, struct schema_verdict *v, struct fault *f)
{
    bool more = true, in_time = true;
    enum err e = OK;

    while (!e && more && !v->n) {
        struct arena *work = arena_new(SCHEMA_WORK_BYTES);
        struct schema_row *old;
        size_t n = 0;

        e = work ? db_schema_get(db, work, &candidate->row.subject, span, false, 1, &old, &n, f) : ERR_NO_MEMORY;
        more = !e && n;
        if (more && !(e = comparison_next(with, &in_time, f)))
            e = in_time ? check_one(c, db, work, a, candidate, old, v, f)
                        : schema_fault(f, SCHEMA_TOO_LARGE, "To compare it with all versions before takes longer than "
                                       "registry.check_time allows; version %d is as far as it went.", span.to + 1);
        if (e == ERR_NO_MEMORY && work)
            e = schema_no_room(work, f);
        more = more && all && old->version > 1;
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
                       int version, struct comparison *with, struct schema_verdict *ret, struct fault *f)
{
    struct schema_span span = version > 0 ? (struct schema_span){ version, version } : SCHEMA_ALL;
    struct schema_settings settings;
    enum err e = schemas_settings(db, &candidate->row.subject, &settings, f);

    ret->n = 0;
    ret->level = settings.level;
    if (e || settings.level == COMPAT_NONE)
        return e;
    return check_span(c, db, a, candidate, span, !version && is_transitive(settings.level), with, ret, f);
}

static struct slice line(struct arena *a, const struct compat_finding *f)
{
    return slice_of(arena_printf(a, "{errorType:'%s', description:'%.*s', oldPath:'%.*s', newPath:'%.*s'}", f->rule,
                                 (int)f->detail.n, f->detail.p, (int)f->old_pointer.n, f->old_pointer.p, (int)f->new_pointer.n,
                                 f->new_pointer.p));
}

void schema_verdict_lines(struct arena *a, const struct schema_verdict *v, struct slice ret[SCHEMA_LINES], size_t *ret_n)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n; i++) {
        struct slice example = v->v[i].counterexample;

        ret[n++] = line(a, &v->v[i]);
        if (example.p)
            ret[n++] = slice_of(arena_printf(a, "counterexample: %.*s", (int)example.n, example.p));
    }
    if (v->n) {
        ret[n++] = slice_of(arena_printf(a, "{oldSchemaVersion: %d}", v->old.version));
        ret[n++] = slice_of(arena_printf(a, "{compatibility: '%s'}", compat_level_names[v->level]));
    }
    *ret_n = n;
}

static void put_first(struct buf *b, const struct schema_verdict *v)
{
    const struct compat_finding *f = &v->v[0];

    buf_printf(b, "%s at '", f->rule);
    buf_slice(b, f->new_pointer);
    buf_printf(b, "' ('");
    buf_slice(b, f->old_pointer);
    buf_printf(b, "' in version %d): ", v->old.version);
    buf_slice(b, f->detail);
}

enum err schema_verdict_fault(struct arena *a, const struct schema_subject *s, const struct schema_verdict *v, struct fault *f)
{
    struct slice name = schema_subject_text(a, s), lines[SCHEMA_LINES];
    struct buf b = { 0 };
    size_t n, left = 0;

    schema_verdict_lines(a, v, lines, &n);
    BUF_LIT(&b, "Schema being registered is incompatible with an earlier schema for subject \"");
    buf_slice(&b, name);
    BUF_LIT(&b, "\": ");
    put_first(&b, v);
    BUF_LIT(&b, ", details: [");
    for (size_t i = 0; i < n; i++) {
        if (i > 1 && i + 2 < n && b.n + lines[i].n > SCHEMA_MESSAGE_BYTES) { /* the first finding and the last two stay */
            left++;
            continue;
        }
        buf_str(&b, i ? ", " : "");
        buf_slice(&b, lines[i].p ? lines[i] : SLICE(""));
    }
    if (left)
        buf_printf(&b, ", {left out: %zu}", left);
    buf_char(&b, ']');
    f->whole = b.failed ? NULL : arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return schema_fault(f, SCHEMA_INCOMPATIBLE, "Schema being registered is incompatible with an earlier schema for its subject.");
}
