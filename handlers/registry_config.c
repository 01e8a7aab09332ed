#include <strings.h>

#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Levels of compatibility and modes: of all subjects, of a context, of one subject. */
static const struct schema_subject all = { { SCHEMA_DEFAULT_CONTEXT, 1 }, { "", 0 } };

static enum err reply_word(struct request *rq, struct reply *rp, const char *member, const char *word)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"%s\":\"%s\"}", member, word);
    return registry_reply(rq, rp, &b);
}

/* Whose settings the path names. */
static enum err whose(struct request *rq, struct schema_subject *ret)
{
    if (request_path(rq, "subject").p)
        return registry_subject(rq, true, ret);
    *ret = all;
    return OK;
}

static bool is_all(const struct schema_subject *s)
{
    return !s->name.n && slice_is(s->context, SCHEMA_DEFAULT_CONTEXT);
}

static enum err none_of_its_own(struct request *rq, enum schema_code code, const char *what)
{
    struct slice name = request_path(rq, "subject");

    return schema_fault(&rq->fault, code, "Subject '%.*s' does not have subject-level %s configured",
                        name.n < 250 ? (int)name.n : 0, name.p, what);
}

enum err handle_get_registry_config(struct request *rq, struct reply *rp)
{
    struct schema_settings settings;
    struct schema_subject s;
    enum err e;

    if ((e = whose(rq, &s)) || (e = schemas_settings(rq->db, &s, &settings, &rq->fault)))
        return e;
    if (settings.own_level == SCHEMA_UNSET && !is_all(&s) && !registry_flag(rq, "defaultToGlobal"))
        return none_of_its_own(rq, SCHEMA_NO_LEVEL, "compatibility");
    return reply_word(rq, rp, "compatibilityLevel", compat_level_names[settings.level]);
}

/* There is one policy: to take another one for it in silence would be worse than to refuse it. */
static enum err check_policy(struct request *rq)
{
    struct slice policy;
    enum err e = schema_member_parse(rq->arena, rq->body, "compatibilityPolicy", &policy, &rq->fault);

    if (e || !policy.p || (policy.n == 6 && strncasecmp(policy.p, "STRICT", 6) == 0))
        return e;
    return schema_fault(&rq->fault, SCHEMA_BAD_LEVEL, "Invalid compatibilityPolicy. Valid is STRICT; there is no other here.");
}

enum err handle_put_registry_config(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    struct slice text;
    int level, before;
    enum err e;

    if ((e = whose(rq, &s)) || (e = registry_json(rq)) || (e = check_policy(rq)) ||
        (e = schema_member_parse(rq->arena, rq->body, "compatibility", &text, &rq->fault)) ||
        (e = schema_level_parse(text, &level, &rq->fault)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_set_level(rq->db, rq->arena, &s, level, &before, &rq->fault);
    if ((e = registry_end(rq, e, "ConfigChanged")))
        return e;
    return reply_word(rq, rp, "compatibility", compat_level_names[level]);
}

enum err handle_delete_registry_config(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    int before = 0;
    enum err e;

    if ((e = whose(rq, &s)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_set_level(rq->db, rq->arena, &s, SCHEMA_UNSET, &before, &rq->fault);
    if ((e = registry_end(rq, e, "ConfigChanged")))
        return e;
    return reply_word(rq, rp, "compatibilityLevel", compat_level_names[before]);
}

enum err handle_get_registry_mode(struct request *rq, struct reply *rp)
{
    struct schema_settings settings;
    struct schema_subject s;
    enum err e;

    if ((e = whose(rq, &s)) || (e = schemas_settings(rq->db, &s, &settings, &rq->fault)))
        return e;
    if (settings.own_mode == SCHEMA_UNSET && !is_all(&s) && !registry_flag(rq, "defaultToGlobal"))
        return none_of_its_own(rq, SCHEMA_NO_MODE, "mode");
    return reply_word(rq, rp, "mode", schema_mode_names[settings.mode]);
}

/* Who imports uses up ids, which are of all. */
static enum err may_set(struct request *rq, const struct schema_subject *s, int mode)
{
    if (mode != MODE_IMPORT || registry_may(rq, PERM_ADMIN, s))
        return OK;
    return fault(&rq->fault, ERR_FORBIDDEN, "The mode IMPORT needs admin on the subject.");
}

enum err handle_put_registry_mode(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    struct slice text;
    int mode, before;
    enum err e;

    if ((e = whose(rq, &s)) || (e = registry_json(rq)) ||
        (e = schema_member_parse(rq->arena, rq->body, "mode", &text, &rq->fault)) ||
        (e = schema_mode_parse(text, &mode, &rq->fault)) || (e = may_set(rq, &s, mode)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_set_mode(rq->db, rq->arena, &s, mode, registry_flag(rq, "force"), &before, &rq->fault);
    if ((e = registry_end(rq, e, "ModeChanged")))
        return e;
    return reply_word(rq, rp, "mode", schema_mode_names[mode]);
}

enum err handle_delete_registry_mode(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    int before = 0;
    enum err e;

    if ((e = whose(rq, &s)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_set_mode(rq->db, rq->arena, &s, SCHEMA_UNSET, false, &before, &rq->fault);
    if ((e = registry_end(rq, e, "ModeChanged")))
        return e;
    return reply_word(rq, rp, "mode", schema_mode_names[before]);
}
