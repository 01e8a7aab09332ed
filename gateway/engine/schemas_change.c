#include "gateway/engine/schemas.h"

/* Deletion, softly first and then for good, and what is set for a subject. The lock of the subject's row comes first, then the claim
 * of the registry: so nobody registers a reference to what is being deleted. */

static enum err begin(struct db *db, struct arena *a, const struct schema_subject *s, struct fault *f)
{
    struct schema_settings settings;
    struct slice name = schema_subject_text(a, s);
    int next_id;
    enum err e = db_schema_subject_lock(db, s, &settings, f);

    if (e || (e = schemas_settings(db, s, &settings, f)))
        return e;
    if (settings.mode == MODE_READONLY)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "Subject '%.*s' is in read-only mode", name.n < 300 ? (int)name.n : 0, name.p);
    return db_registry_claim(db, &next_id, f);
}

static enum err refuse_referenced(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span,
                                  bool permanent, bool others, struct fault *f)
{
    struct slice name = schema_subject_text(a, s);
    size_t n;
    int *ids;
    enum err e = db_schema_referrers(db, a, s, span, permanent, others, &ids, &n, f);

    if (e || !n)
        return e;
    return schema_fault(f, SCHEMA_REFERENCED,
                        "One or more references exist to the schema {subject=%.*s,version=%d}: from the schema with the id %d.",
                        name.n < 200 ? (int)name.n : 0, name.p, span.from, ids[0]);
}

static enum err take_away(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool permanent,
                          const char *event, int **ret, size_t *ret_n, struct fault *f)
{
    struct buf b = { 0 };
    enum err e = permanent ? db_schema_remove(db, a, s, span, ret, ret_n, f) : db_schema_hide(db, a, s, span, ret, ret_n, f);

    if (!e && permanent)
        e = db_schema_subject_drop(db, s, f);
    if (e)
        return e;
    BUF_LIT(&b, ",\"versions\":[");
    for (size_t i = 0; i < *ret_n; i++)
        buf_printf(&b, "%s%d", i ? "," : "", (*ret)[i]);
    buf_printf(&b, "],\"permanent\":%s", permanent ? "true" : "false");
    e = schemas_tell(db, a, event, s, &b, f);
    buf_free(&b);
    return e;
}

enum err schemas_delete(struct db *db, struct arena *a, const struct schema_subject *s, bool permanent, int **ret, size_t *ret_n,
                        struct fault *f)
{
    struct slice name = schema_subject_text(a, s);
    struct schema_version *v;
    size_t n, hidden = 0;
    enum err e = begin(db, a, s, f);

    if (e || (e = schemas_versions(db, a, s, true, false, &v, &n, f)))
        return e;
    for (size_t i = 0; i < n; i++)
        hidden += v[i].deleted;
    if (!permanent && hidden == n)
        return schema_fault(f, SCHEMA_SUBJECT_DELETED, "Subject '%.*s' was soft deleted. Set permanent=true to delete permanently",
                            name.n < 300 ? (int)name.n : 0, name.p);
    if (permanent && hidden < n)
        return schema_fault(f, SCHEMA_SUBJECT_NOT_DELETED, "Subject '%.*s' was not deleted first before being permanently deleted",
                            name.n < 300 ? (int)name.n : 0, name.p);
    if ((e = refuse_referenced(db, a, s, SCHEMA_ALL, permanent, true, f)))
        return e;
    if (!permanent && (e = db_schema_subject_put(db, s, SCHEMA_UNSET, SCHEMA_UNSET, f)))
        return e;
    return take_away(db, a, s, SCHEMA_ALL, permanent, "SubjectDeleted", ret, ret_n, f);
}

enum err schemas_delete_version(struct db *db, struct arena *a, const struct schema_subject *s, int version, bool permanent,
                                int *ret_version, struct fault *f)
{
    struct slice name = schema_subject_text(a, s);
    int shown = name.n < 250 ? (int)name.n : 0, *gone;
    struct schema_span one;
    struct schema_row row;
    size_t n;
    enum err e = begin(db, a, s, f);

    if (e || (e = schemas_get(db, a, s, version, version || permanent, &row, f)))
        return e;
    if (!permanent && row.deleted)
        return schema_fault(f, SCHEMA_VERSION_DELETED,
                            "Subject '%.*s' Version %d was soft deleted. Set permanent=true to delete permanently", shown, name.p,
                            row.version);
    if (permanent && !row.deleted)
        return schema_fault(f, SCHEMA_VERSION_NOT_DELETED,
                            "Subject '%.*s' Version %d was not deleted first before being permanently deleted", shown, name.p,
                            row.version);
    one = (struct schema_span){ row.version, row.version };
    if ((e = refuse_referenced(db, a, s, one, permanent, false, f)))
        return e;
    *ret_version = row.version;
    return take_away(db, a, s, one, permanent, "SchemaDeleted", &gone, &n, f);
}

/* --- settings --- */

static enum err lock_settings(struct db *db, const struct schema_subject *s, struct schema_settings *ret, struct fault *f)
{
    int next_id;
    enum err e = db_schema_subject_lock(db, s, ret, f);

    return e ? e : db_registry_claim(db, &next_id, f);
}

static enum err keep_settings(struct db *db, struct arena *a, const struct schema_subject *s, int level, int mode,
                              const char *event, const char *member, const char *word, struct fault *f)
{
    struct buf b = { 0 };
    enum err e = db_schema_subject_put(db, s, level, mode, f);

    if (!e)
        e = db_schema_subject_drop(db, s, f);
    if (e)
        return e;
    buf_member_text(&b, member, slice_of(word)); /* null: taken away */
    e = schemas_tell(db, a, event, s, &b, f);
    buf_free(&b);
    return e;
}

/* The settings of all are there without having been set. */
static enum err refuse_unset(struct arena *a, const struct schema_subject *s, struct fault *f)
{
    struct slice name = schema_subject_text(a, s);

    if (!s->name.n && slice_is(s->context, SCHEMA_DEFAULT_CONTEXT))
        return OK;
    return schema_fault(f, SCHEMA_NO_SUBJECT, "Subject '%.*s' not found.", name.n < 300 ? (int)name.n : 0, name.p);
}

enum err schemas_set_level(struct db *db, struct arena *a, const struct schema_subject *s, int level, int *ret_before,
                           struct fault *f)
{
    struct schema_settings now;
    enum err e = lock_settings(db, s, &now, f);

    if (!e && level == SCHEMA_UNSET && now.own_level == SCHEMA_UNSET)
        e = refuse_unset(a, s, f);
    if (e)
        return e;
    *ret_before = now.own_level == SCHEMA_UNSET ? SCHEMA_LEVEL_DEFAULT : now.own_level;
    return keep_settings(db, a, s, level, now.own_mode, "ConfigChanged", "compatibility",
                         level == SCHEMA_UNSET ? NULL : compat_level_names[level], f);
}

enum err schemas_set_mode(struct db *db, struct arena *a, const struct schema_subject *s, int mode, bool force, int *ret_before,
                          struct fault *f)
{
    struct schema_settings now;
    bool any = false;
    enum err e = lock_settings(db, s, &now, f);

    if (!e && mode == SCHEMA_UNSET && now.own_mode == SCHEMA_UNSET)
        e = refuse_unset(a, s, f);
    if (!e && mode == MODE_IMPORT && now.own_mode != MODE_IMPORT && !force)
        e = db_schema_any(db, s, &any, f);
    if (!e && any)
        e = schema_fault(f, SCHEMA_NOT_PERMITTED, "Cannot import since found existing subjects");
    if (e)
        return e;
    *ret_before = now.own_mode == SCHEMA_UNSET ? MODE_READWRITE : now.own_mode;
    return keep_settings(db, a, s, now.own_level, mode, "ModeChanged", "mode",
                         mode == SCHEMA_UNSET ? NULL : schema_mode_names[mode], f);
}
