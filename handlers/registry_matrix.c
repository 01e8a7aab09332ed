#include "gateway/engine/contracts.h"

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Which versions of which subjects the contracts can read. A row is a version with all contracts of its subject: subjects in order,
 * of each the newest version first. A page ends at its limit, and early, after a whole row, at one of these. */
#define ROWS_MOST 1000
#define ROWS_DEFAULT 100
#define CELLS 2000
#define BYTES ((size_t)8 << 20)
#define PERIOD_US (5 * US_PER_S)
#define ROW_US (10 * US_PER_S)            /* after which the rest of a row is left open */
#define SUBJECTS 100                      /* that are asked for at once */
#define SUBJECTS_ARENA ((size_t)4 << 20)

/* A subject that outlives the memory it was read into. */
struct spot {
    char context[SCHEMA_CONTEXT_BYTES], name[SCHEMA_SUBJECT_BYTES];
    struct schema_subject at;
};

struct matrix {
    struct request *rq;
    struct arena *work;                   /* of this row */
    struct buf body;
    bool latest;
    int64_t rows, limit, deadline_us;
    size_t cells, cells_before;           /* before this row */
    struct spot told;                     /* the subject of the last row, */
    int version;                          /* 0: it has none */
    bool full;
};

static void move_to(struct spot *p, const struct schema_subject *s)
{
    memcpy(p->context, s->context.p, s->context.n);
    memcpy(p->name, s->name.p, s->name.n);
    p->at = (struct schema_subject){ { p->context, s->context.n }, { p->name, s->name.n } };
}

static void put_finding(struct buf *b, const struct compat_finding *f)
{
    buf_printf(b, "{\"rule\":\"%s\"", f->rule);
    buf_member_text(b, "producer_pointer", f->old_pointer);
    buf_member_text(b, "consumer_pointer", f->new_pointer);
    buf_member_text(b, "detail", f->detail);
    if (f->counterexample.p) {
        BUF_LIT(b, ",\"counterexample\":");
        buf_slice(b, f->counterexample);
    }
    buf_char(b, '}');
}

static enum err put_cell(void *matrix, const struct contract_verdict *v)
{
    struct matrix *m = matrix;
    struct buf *b = &m->body;

    buf_str(b, m->cells > m->cells_before ? ",{\"consumer\":" : "{\"consumer\":");
    buf_json_string(b, v->consumer);
    buf_printf(b, ",\"enforced\":%s,\"compatible\":%s", v->enforced ? "true" : "false",
               !v->compared ? "null" : v->n ? "false" : "true");
    for (size_t i = 0; i < v->n; i++) {
        struct compat_finding one;

        if (!schema_finding_keep(m->work, &v->v[i], &one))
            return ERR_NO_MEMORY;
        buf_str(b, i ? "," : ",\"findings\":[");
        put_finding(b, &one);
    }
    buf_str(b, v->n ? "]}" : "}");
    m->cells++;
    return b->failed ? ERR_NO_MEMORY : OK;
}

static void put_name(struct matrix *m, const struct schema_subject *s)
{
    struct slice name = schema_subject_text(m->work, s);

    if (name.p)
        buf_json_string(&m->body, name);
    else
        m->body.failed = true;
}

/* The newest version up to one. *ret_version: 0: there is none, or no contract reads the subject. */
static enum err put_row(struct matrix *m, const struct schema_subject *s, int upto, int *ret_version)
{
    struct comparison with = { .time_us = ROW_US };
    struct schema_span span = { 1, upto };
    size_t mark = m->body.n, n;
    struct schema_text whole;
    struct schema_row *row;
    enum err e = schemas_newest(m->rq->db, m->work, s, span, &row, &n, &m->rq->fault);

    *ret_version = 0;
    if (e || !n || (e = schema_whole(m->rq->config, m->rq->db, m->work, row, &whole, &m->rq->fault)))
        return e;
    buf_str(&m->body, m->rows ? ",{\"subject\":" : "{\"subject\":");
    put_name(m, s);
    buf_printf(&m->body, ",\"version\":%d,\"contracts\":[", row->version);
    m->cells_before = m->cells;
    if ((e = contracts_compare(m->rq->db, row, &whole, false, &with, put_cell, m, &m->rq->fault)))
        return e;
    BUF_LIT(&m->body, "]}");
    if (m->cells == m->cells_before) {
        m->body.n = mark;
        return OK;
    }
    m->rows++;
    *ret_version = row->version;
    return OK;
}

static bool is_full(const struct matrix *m)
{
    return m->rows && (m->rows >= m->limit || m->cells >= CELLS || m->body.n >= BYTES || clock_mono_us() >= m->deadline_us);
}

/* The rows of a subject, of the versions up to one. */
static enum err put_subject(struct matrix *m, const struct schema_subject *s, int upto)
{
    enum err e = OK;

    while (!e && upto && !(m->full = is_full(m))) {
        int version = 0;

        m->work = arena_new(SCHEMA_WORK_BYTES);
        e = m->work ? put_row(m, s, upto, &version) : ERR_NO_MEMORY;
        arena_free(m->work);
        if (e || !version)
            break;
        move_to(&m->told, s);
        m->version = version;
        upto = m->latest ? 0 : version - 1;
    }
    return e;
}

static enum err put_all(struct matrix *m)
{
    struct spot place;
    size_t n = SUBJECTS;
    enum err e = OK;

    move_to(&place, &m->told.at);
    if (m->version && !m->latest && registry_visible(m->rq, &place.at))
        e = put_subject(m, &place.at, m->version - 1);
    while (!e && !m->full && n == SUBJECTS) {
        struct arena *a = arena_new(SUBJECTS_ARENA);
        struct schema_subject *v;

        e = a ? contracts_subjects(m->rq->db, a, &place.at, SUBJECTS, &v, &n, &m->rq->fault) : ERR_NO_MEMORY;
        for (size_t i = 0; !e && !m->full && i < n; i++)
            if (registry_visible(m->rq, &v[i]))
                e = put_subject(m, &v[i], SCHEMA_VERSION_MAX);
        if (!e && n)
            move_to(&place, &v[n - 1]);
        arena_free(a);
    }
    return e;
}

/* "<version>.<subject>": the last row of the page before. */
static enum err begin(struct request *rq, struct matrix *m)
{
    struct slice text = request_query(rq, "after");
    const char *dot = text.p ? memchr(text.p, '.', text.n) : NULL;
    struct schema_subject s = { SLICE(""), SLICE("") };
    int64_t version = 0;

    if (text.p && (!dot || !json_int64((struct slice){ text.p, (size_t)(dot - text.p) }, &version) || version < 1 ||
                   version > SCHEMA_VERSION_MAX ||
                   schema_subject_parse((struct slice){ dot + 1, (size_t)(text.p + text.n - dot) - 1 }, &s, &rq->fault)))
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter after must be what `next` was.");
    move_to(&m->told, &s);
    m->version = (int)version;
    return OK;
}

static enum err put_one(struct matrix *m, struct slice subject)
{
    struct schema_subject s;
    enum err e = schema_subject_parse(subject, &s, &m->rq->fault);

    if (e)
        return e;
    if (!registry_visible(m->rq, &s))
        return fault(&m->rq->fault, ERR_FORBIDDEN, "The token does not allow this subject.");
    if (m->version && m->latest)
        return OK;
    return put_subject(m, &s, m->version ? m->version - 1 : SCHEMA_VERSION_MAX);
}

static enum err put_rows(struct request *rq, struct matrix *m)
{
    struct slice subject = request_query(rq, "subject"), name;
    enum err e;

    if ((e = schemas_long_begin(rq->app->schemas, LONG_READING, &rq->fault)))
        return e;
    e = subject.p ? put_one(m, subject) : put_all(m);
    schemas_long_end(rq->app->schemas, LONG_READING);
    buf_char(&m->body, ']');
    if (e || !m->full)
        return e;
    name = schema_subject_text(rq->arena, &m->told.at);
    buf_member_text(&m->body, "next", slice_of(arena_printf(rq->arena, "%d.%.*s", m->version, (int)name.n, name.p)));
    return OK;
}

enum err handle_get_matrix(struct request *rq, struct reply *rp)
{
    struct matrix m = { .rq = rq, .latest = registry_flag(rq, "latestOnly"), .limit = ROWS_DEFAULT,
                        .deadline_us = clock_mono_us() + PERIOD_US };
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, ROWS_MOST, &m.limit)) || (e = begin(rq, &m)))
        return e;
    BUF_LIT(&m.body, "{\"rows\":[");
    if ((e = put_rows(rq, &m))) {
        buf_free(&m.body);
        return e;
    }
    buf_char(&m.body, '}');
    return registry_reply(rq, rp, &m.body);
}
