#include "gateway/base/json_tree.h"
#include "gateway/engine/schemas.h"

/* Reading the registry: statements of db/schemas.h, and what it means that they find nothing. */

static enum err no_subject(struct arena *a, const struct schema_subject *s, struct fault *f)
{
    struct slice name = schema_subject_text(a, s);

    return schema_fault(f, SCHEMA_NO_SUBJECT, "Subject '%.*s' not found.", (int)name.n, name.p);
}

enum err schemas_get(struct db *db, struct arena *a, const struct schema_subject *s, int version, bool deleted,
                     struct schema_row *ret, struct fault *f)
{
    struct schema_span span = version ? (struct schema_span){ version, version } : SCHEMA_ALL;
    struct schema_version *others;
    struct schema_row *row;
    size_t n;
    enum err e = db_schema_get(db, a, s, span, deleted, 1, &row, &n, f);

    if (e)
        return e;
    if (n) {
        *ret = *row;
        return OK;
    }
    if ((e = schemas_versions(db, a, s, deleted, false, &others, &n, f)))
        return e;
    return schema_fault(f, SCHEMA_NO_VERSION, "Version %d not found.", version);
}

enum err schemas_newest(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span,
                        struct schema_row **ret, size_t *ret_n, struct fault *f)
{
    return db_schema_get(db, a, s, span, false, 1, ret, ret_n, f);
}

enum err schemas_between(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool deleted,
                         int64_t limit, struct schema_row **ret, size_t *ret_n, struct fault *f)
{
    return db_schema_get(db, a, s, span, deleted, limit, ret, ret_n, f);
}

enum err schemas_content(struct db *db, struct arena *a, struct slice context, int64_t id, struct schema_row *ret, struct fault *f)
{
    struct schema_row *row;
    size_t n = 0;
    enum err e = id > 0 && id <= INT32_MAX ? db_schema_by_id(db, a, context, (int)id, &row, &n, f) : OK;

    if (!e && !n)
        return schema_fault(f, SCHEMA_NONE, "Schema %lld not found", (long long)id);
    if (!e)
        *ret = *row;
    return e;
}

enum err schemas_uses(struct db *db, struct arena *a, const struct schema_row *row, const struct schema_version *after,
                      int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f)
{
    return db_schema_uses(db, a, row->subject.context, row->id, after, limit, ret, ret_n, f);
}

enum err schemas_versions(struct db *db, struct arena *a, const struct schema_subject *s, bool deleted, bool deleted_only,
                          struct schema_version **ret, size_t *ret_n, struct fault *f)
{
    struct schema_version *v;
    size_t n, kept = 0;
    enum err e = db_schema_versions(db, a, s, &v, &n, f);

    for (size_t i = 0; !e && i < n; i++)
        if (deleted_only ? v[i].deleted : deleted || !v[i].deleted)
            v[kept++] = v[i];
    if (!e && !kept)
        return no_subject(a, s, f);
    *ret = v;
    *ret_n = kept;
    return e;
}

static bool has_all(struct arena *a, struct slice metadata, const struct schema_property *wanted, size_t n)
{
    struct json_node *root;
    const struct json_node *properties, *one;

    if (!metadata.p || json_tree_parse(metadata, SCHEMA_BODY_DEPTH, a, &root, NULL))
        return n == 0;
    properties = json_tree_get(root, "properties");
    for (size_t i = 0; i < n; i++) {
        one = properties ? json_tree_member(properties, wanted[i].name) : NULL;
        if (!one || one->type != JSON_STRING || !slice_eq(one->text, wanted[i].value))
            return false;
    }
    return true;
}

enum err schemas_with(struct db *db, struct arena *a, const struct schema_subject *s, const struct schema_property *wanted,
                      size_t n, bool deleted, struct schema_row *ret, struct fault *f)
{
    struct schema_version *v;
    bool found = false;
    size_t versions;
    enum err e = schemas_versions(db, a, s, deleted, false, &v, &versions, f);

    while (!e && !found && versions--) {
        struct arena *work = arena_new(SCHEMA_WORK_BYTES);

        e = work ? schemas_get(db, work, s, v[versions].version, deleted, ret, f) : ERR_NO_MEMORY;
        found = !e && has_all(work, ret->metadata, wanted, n);
        arena_free(work);
    }
    if (e || !found)
        return e ? e : schema_fault(f, SCHEMA_NONE, "Schema not found");
    return schemas_get(db, a, s, v[versions].version, deleted, ret, f);
}

enum err schemas_lookup(struct db *db, struct arena *a, const struct schema_candidate *c, bool deleted, struct schema_row *ret,
                        bool *ret_found, struct fault *f)
{
    struct schema_row *row;
    size_t n;
    enum err e = db_schema_match(db, a, &c->row.subject, c->digest, deleted, &row, &n, f);

    *ret_found = !e && n;
    if (*ret_found)
        *ret = *row;
    return e;
}

enum err schemas_referrers(struct db *db, struct arena *a, const struct schema_subject *s, int version, int **ret, size_t *ret_n,
                           struct fault *f)
{
    struct schema_row row;
    enum err e = schemas_get(db, a, s, version, true, &row, f);

    return e ? e : db_schema_referrers(db, a, s, (struct schema_span){ row.version, row.version }, false, false, ret, ret_n, f);
}

enum err schemas_subjects(struct db *db, struct arena *a, const struct schema_filter *l, const struct schema_subject *after,
                          int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f)
{
    return db_schema_subjects(db, a, l, after, limit, ret, ret_n, f);
}

enum err schemas_settings(struct db *db, const struct schema_subject *s, struct schema_settings *ret, struct fault *f)
{
    enum err e = db_schema_settings(db, s, ret, f);

    if (!e && ret->level == SCHEMA_UNSET)
        ret->level = SCHEMA_LEVEL_DEFAULT;
    if (!e && ret->mode == SCHEMA_UNSET)
        ret->mode = MODE_READWRITE;
    return e;
}
