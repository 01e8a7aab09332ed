#include "gateway/base/clock.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Subjects and their versions: looking and deleting. */
#define PAGE 1000
#define PAGE_ARENA ((size_t)4 << 20)

/* A list that is being written: of what the caller may see it leaves out `offset`. */
struct list {
    struct request *rq;
    struct schema_filter filter;
    struct buf b;
    int64_t offset, limit, at;
    size_t bytes;                         /* it ends early at so many; 0: it does not */
    int64_t deadline_us;                  /* and at this time (monotonic); 0: none */
    bool latest_only;                     /* of schemas */
    enum err e;
    char context[SCHEMA_CONTEXT_BYTES];   /* the last one that was listed */
    size_t context_n;
};

/* What has found nothing in its time says so: an empty list would say that there is nothing. */
static bool is_full(struct list *l)
{
    if (l->e || l->at - l->offset >= l->limit || (l->bytes && l->b.n >= l->bytes))
        return true;
    if (!l->deadline_us || clock_mono_us() < l->deadline_us)
        return false;
    if (l->at <= l->offset)
        l->e = schema_fault(&l->rq->fault, SCHEMA_TOO_LARGE, "It takes too long to find the first one; ask with a subjectPrefix.");
    return true;
}

/* Whether one more is written. */
static bool take(struct list *l)
{
    if (l->at++ < l->offset)
        return false;
    buf_str(&l->b, l->b.n > 1 ? "," : "");
    return true;
}

static void put(struct list *l, struct slice text)
{
    if (take(l))
        buf_json_string(&l->b, text);
}

/* Where a list has got to, kept beside the memory of its pages. */
struct list_place {
    char context[SCHEMA_CONTEXT_BYTES], name[SCHEMA_SUBJECT_BYTES];
    struct schema_subject at;
};

static void move_to(struct list_place *p, const struct schema_subject *s)
{
    memcpy(p->context, s->context.p, s->context.n);
    memcpy(p->name, s->name.p, s->name.n);
    p->at = (struct schema_subject){ { p->context, s->context.n }, { p->name, s->name.n } };
}

/* Tells fn of the subjects that the caller may see, in order, until the list is full. */
static enum err each_subject(struct list *l, void (*fn)(struct list *l, const struct schema_version *v))
{
    struct list_place place = { .at = { SLICE(""), SLICE("") } };
    size_t n = PAGE;
    enum err e = OK;

    while (!e && n == PAGE && !is_full(l)) {
        struct arena *a = arena_new(PAGE_ARENA);
        struct schema_version *v;

        e = a ? schemas_subjects(l->rq->db, a, &l->filter, &place.at, PAGE, &v, &n, &l->rq->fault) : ERR_NO_MEMORY;
        for (size_t i = 0; !e && i < n && !is_full(l); i++)
            if (registry_visible(l->rq, &v[i].subject))
                fn(l, &v[i]);
        if (!e && n)
            move_to(&place, &v[n - 1].subject);
        arena_free(a);
    }
    return e ? e : l->e;
}

static enum err reply_list(struct list *l, struct reply *rp, enum err e)
{
    buf_char(&l->b, ']');
    if (e)
        buf_free(&l->b);
    return e ? e : registry_reply(l->rq, rp, &l->b);
}

/* ":*:" and no prefix are all contexts. */
static enum err prefix(struct request *rq, struct schema_filter *ret)
{
    struct slice text = request_query(rq, "subjectPrefix");
    struct schema_subject s;
    enum err e;

    if (!text.p)
        text = request_query(rq, "subject"); /* as some clients have it */

    ret->context = ret->prefix = SLICE("");
    if (!text.n || slice_is(text, ":*:"))
        return OK;
    if ((e = schema_subject_parse(text, &s, &rq->fault)))
        return e;
    ret->context = s.context;
    ret->prefix = s.name;
    return OK;
}

/* Clients spell it either way. */
static bool only_deleted(const struct request *rq)
{
    return registry_flag(rq, "deletedOnly") || registry_flag(rq, "deleted_only");
}

static void put_subject(struct list *l, const struct schema_version *v)
{
    char room[SCHEMA_NAME_BYTES];

    put(l, schema_subject_name(&v->subject, room));
}

enum err handle_list_subjects(struct request *rq, struct reply *rp)
{
    struct list l = { .rq = rq };
    enum err e;

    if ((e = registry_window(rq, INT32_MAX, &l.offset, &l.limit)) || (e = prefix(rq, &l.filter)))
        return e;
    l.filter.deleted = registry_flag(rq, "deleted");
    l.filter.deleted_only = only_deleted(rq);
    buf_char(&l.b, '[');
    return reply_list(&l, rp, each_subject(&l, put_subject));
}

static void put_context(struct list *l, const struct schema_version *v)
{
    struct slice context = v->subject.context;

    if (slice_eq(context, (struct slice){ l->context, l->context_n }))
        return;
    memcpy(l->context, context.p, context.n);
    l->context_n = context.n;
    put(l, context);
}

/* The default one is there always. */
enum err handle_list_contexts(struct request *rq, struct reply *rp)
{
    struct list l = { .rq = rq, .filter = { .context = SLICE(""), .prefix = SLICE(""), .deleted = true } };
    enum err e = registry_window(rq, INT32_MAX, &l.offset, &l.limit);

    if (e)
        return e;
    buf_char(&l.b, '[');
    if (!is_full(&l))
        put_context(&l, &(struct schema_version){ .subject = { SLICE(SCHEMA_DEFAULT_CONTEXT), SLICE("") } });
    return reply_list(&l, rp, each_subject(&l, put_context));
}

#define SCHEMAS_MOST 1000                     /* in one answer, */
#define SCHEMAS_BYTES ((size_t)16 << 20)      /* which ends early at so many bytes */
#define SCHEMAS_PAGE 20
#define SCHEMAS_ARENA ((size_t)256 << 20)     /* of a page: the largest schemas there may be */
#define SCHEMAS_US (5 * US_PER_S)             /* after which no further page is begun */
#define VERSIONS_ARENA ((size_t)16 << 20)     /* of the numbers of a subject's versions */

/* Versions of one subject, in order. */
static enum err put_page(struct list *l, const struct schema_version *v, size_t n)
{
    struct schema_span span = { v[0].version, v[n - 1].version };
    struct arena *a = arena_new(SCHEMAS_ARENA);
    struct schema_row *rows;
    size_t found = 0;
    enum err e = OK;

    e = a ? schemas_between(l->rq->db, a, &v->subject, span, l->filter.deleted, (int64_t)n, &rows, &found, &l->rq->fault)
          : ERR_NO_MEMORY;
    while (found-- && !is_full(l))
        if (take(l))
            registry_put_row(&l->b, &rows[found]);
    arena_free(a);
    return e;
}

/* Texts are read of those alone that are shown. */
static void put_schemas(struct list *l, const struct schema_version *subject)
{
    int64_t count = l->latest_only ? 1 : subject->version;
    struct schema_version *v;
    struct fault f = { 0 };
    struct arena *a;
    size_t n = 0;

    if (l->at + count <= l->offset) {
        l->at += count;
        return;
    }
    a = arena_new(VERSIONS_ARENA);
    l->e = a ? schemas_versions(l->rq->db, a, &subject->subject, l->filter.deleted, false, &v, &n, &f) : ERR_NO_MEMORY;
    if (l->e == ERR_REGISTRY)                 /* deleted just now */
        l->e = OK;
    else if (l->e)
        l->rq->fault = f;
    for (size_t i = l->latest_only && n ? n - 1 : 0; i < n && !is_full(l); i += SCHEMAS_PAGE)
        l->e = put_page(l, &v[i], n - i < SCHEMAS_PAGE ? n - i : SCHEMAS_PAGE);
    arena_free(a);
}

enum err handle_list_schemas(struct request *rq, struct reply *rp)
{
    struct list l = { .rq = rq, .bytes = SCHEMAS_BYTES, .latest_only = registry_flag(rq, "latestOnly") };
    enum err e;

    if ((e = registry_window(rq, SCHEMAS_MOST, &l.offset, &l.limit)) || (e = prefix(rq, &l.filter)) ||
        (e = schemas_long_begin(rq->app->schemas, LONG_READING, &rq->fault)))
        return e;
    l.filter.deleted = registry_flag(rq, "deleted");
    l.deadline_us = clock_mono_us() + SCHEMAS_US;
    buf_char(&l.b, '[');
    e = each_subject(&l, put_schemas);
    schemas_long_end(rq->app->schemas, LONG_READING);
    return reply_list(&l, rp, e);
}

enum err handle_list_versions(struct request *rq, struct reply *rp)
{
    int64_t offset, limit;
    struct schema_subject s;
    struct schema_version *v;
    struct buf b = { 0 };
    size_t n;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_window(rq, INT32_MAX, &offset, &limit)) ||
        (e = schemas_versions(rq->db, rq->arena, &s, registry_flag(rq, "deleted"), only_deleted(rq), &v, &n, &rq->fault)))
        return e;
    buf_char(&b, '[');
    for (size_t i = (size_t)offset; i < n && (int64_t)i - offset < limit; i++)
        buf_printf(&b, "%s%d", b.n > 1 ? "," : "", v[i].version);
    buf_char(&b, ']');
    return registry_reply(rq, rp, &b);
}

static enum err get(struct request *rq, struct schema_row *ret)
{
    struct schema_subject s;
    int version;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_version(rq, &version)))
        return e;
    return schemas_get(rq->db, rq->arena, &s, version, registry_flag(rq, "deleted"), ret, &rq->fault);
}

enum err handle_get_schema_version(struct request *rq, struct reply *rp)
{
    struct schema_row row;
    struct buf b = { 0 };
    enum err e = get(rq, &row);

    if (e)
        return e;
    registry_put_row(&b, &row);
    return registry_reply(rq, rp, &b);
}

#define PROPERTIES 32 /* that can be asked for at once */

enum err handle_get_schema_by_metadata(struct request *rq, struct reply *rp)
{
    struct slice names[PROPERTIES], values[PROPERTIES];
    size_t n = request_query_all(rq, "key", names, PROPERTIES);
    struct schema_property wanted[PROPERTIES];
    struct schema_subject s;
    struct schema_row row;
    struct buf b = { 0 };
    enum err e;

    if (n > PROPERTIES || request_query_all(rq, "value", values, PROPERTIES) != n)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "There are as many values as keys, and at most %d.", PROPERTIES);
    for (size_t i = 0; i < n; i++)
        wanted[i] = (struct schema_property){ names[i], values[i] };
    if ((e = registry_subject(rq, false, &s)) ||
        (e = schemas_with(rq->db, rq->arena, &s, wanted, n, registry_flag(rq, "deleted"), &row, &rq->fault)))
        return e;
    registry_put_row(&b, &row);
    return registry_reply(rq, rp, &b);
}

enum err handle_get_schema_version_text(struct request *rq, struct reply *rp)
{
    struct schema_row row;
    struct buf b = { 0 };
    enum err e = get(rq, &row);

    if (e)
        return e;
    buf_slice(&b, row.text);
    return registry_reply(rq, rp, &b);
}

enum err handle_list_referrers(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    int version, *ids;
    size_t n;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_version(rq, &version)) ||
        (e = schemas_referrers(rq->db, rq->arena, &s, version, &ids, &n, &rq->fault)))
        return e;
    return registry_reply_numbers(rq, rp, ids, n);
}

enum err handle_delete_subject(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    size_t n = 0;
    int *gone;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_delete(rq->db, rq->arena, &s, registry_flag(rq, "permanent"), &gone, &n, &rq->fault);
    if ((e = registry_end(rq, e, "SubjectDeleted")))
        return e;
    return registry_reply_numbers(rq, rp, gone, n);
}

enum err handle_delete_schema_version(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    struct buf b = { 0 };
    int version, gone = 0;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_version(rq, &version)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_delete_version(rq->db, rq->arena, &s, version, registry_flag(rq, "permanent"), &gone, &rq->fault);
    if ((e = registry_end(rq, e, "SchemaDeleted")))
        return e;
    buf_i64(&b, gone);
    return registry_reply(rq, rp, &b);
}
