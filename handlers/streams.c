#include <stdio.h>

#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/engine/validate.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"

#define LIST_MAX 1000
#define LIST_DEFAULT 100
#define DEDUP_MAX_US (30 * 24 * 3600 * US_PER_S)
#define RETENTION_MAX_US (INT64_C(36500) * 24 * 3600 * US_PER_S)

/* What a PUT or PATCH names; a null gives the default back. */
struct settings {
    struct stream_row row;
    bool has_partitions;
    bool null_partitions, null_retention, null_dedup, null_validation, null_template, null_types, null_reads, null_description,
        null_labels;
};

#define AT(member) offsetof(struct settings, member)

static const struct field settings_fields[] = {
    { "partitions", F_INT, AT(row.partitions), false, 1, PARTITIONS_MAX, NULL, AT(has_partitions), true, AT(null_partitions) },
    { "retention", F_DURATION, AT(row.retention_us), false, US_PER_S, RETENTION_MAX_US, "forever", SIZE_MAX, true,
      AT(null_retention) },
    { "dedup_window", F_DURATION, AT(row.dedup_window_us), false, US_PER_S, DEDUP_MAX_US, NULL, SIZE_MAX, true, AT(null_dedup) },
    { "schema_validation", F_ENUM, AT(row.validation), false, 0, 0, VALIDATION_WORDS, SIZE_MAX, true, AT(null_validation) },
    { "subject_template", F_STRING, AT(row.subject_template), false, 1, 500, NULL, SIZE_MAX, true, AT(null_template) },
    { "allow_unknown_types", F_BOOL, AT(row.allow_unknown_types), false, 0, 1, NULL, SIZE_MAX, true, AT(null_types) },
    { "subject_reads", F_BOOL, AT(row.subject_reads), false, 0, 1, NULL, SIZE_MAX, true, AT(null_reads) },
    { "description", F_STRING, AT(row.description), false, 0, 4000, NULL, SIZE_MAX, true, AT(null_description) },
    { "labels", F_LABELS, AT(row.labels), false, 0, 16384, NULL, SIZE_MAX, true, AT(null_labels) },
    { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
};

static void defaults_for_nulls(struct settings *s)
{
    struct stream_row d;

    streams_defaults(&d);
#define BACK(null, member)                                                                                             \
    if (s->null)                                                                                                       \
        s->row.member = d.member;
    BACK(null_retention, retention_us)
    BACK(null_dedup, dedup_window_us)
    BACK(null_validation, validation)
    BACK(null_template, subject_template)
    BACK(null_types, allow_unknown_types)
    BACK(null_reads, subject_reads)
    BACK(null_description, description)
    BACK(null_labels, labels)
#undef BACK
}

static void put_duration(struct buf *b, const char *name, int64_t us)
{
    char text[32];

    duration_format(us, text);
    buf_printf(b, ",\"%s\":\"%s\"", name, us < 0 ? "forever" : text);
}

static void put_figures(struct buf *b, const struct head_row *h, size_t n)
{
    int64_t events = 0, bytes = 0, last = INT64_MIN;

    for (size_t i = 0; i < n; i++) {
        events += h[i].head - h[i].earliest + 1;
        bytes += h[i].bytes;
        if (h[i].head > 0 && h[i].recorded_us > last)
            last = h[i].recorded_us;
    }
    buf_printf(b, ",\"events\":%lld,\"bytes\":%lld", (long long)events, (long long)bytes);
    if (last == INT64_MIN)
        BUF_LIT(b, ",\"last_event_time\":null");
    else
        buf_member_time(b, "last_event_time", last);
    BUF_LIT(b, ",\"partition_status\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s{\"partition\":%d,\"earliest\":\"%lld\",\"head\":\"%lld\"}", i ? "," : "", h[i].partition,
                   (long long)h[i].earliest, (long long)h[i].head);
    buf_char(b, ']');
}

static void put_settings(struct buf *b, const struct stream_row *s)
{
    static const char *const validation[] = { "off", "warn", "enforce" };

    buf_printf(b, "\"partitions\":%d", (int)s->partitions);
    put_duration(b, "retention", s->retention_us);
    put_duration(b, "dedup_window", s->dedup_window_us);
    buf_printf(b, ",\"schema_validation\":\"%s\",\"subject_template\":", validation[s->validation]);
    buf_json_string(b, s->subject_template);
    buf_printf(b, ",\"allow_unknown_types\":%s,\"subject_reads\":%s,\"description\":", s->allow_unknown_types ? "true" : "false",
               s->subject_reads ? "true" : "false");
    buf_json_string(b, s->description);
    BUF_LIT(b, ",\"labels\":");
    buf_slice(b, s->labels);
}

static void put_stream(struct buf *b, const struct stream_row *s, const struct head_row *heads, size_t n)
{
    BUF_LIT(b, "{\"name\":");
    buf_json_string(b, s->name);
    buf_char(b, ',');
    put_settings(b, s);
    buf_member_time(b, "created", s->created_us);
    buf_member_time(b, "updated", s->updated_us);
    put_figures(b, heads, n);
    buf_char(b, '}');
}

static enum err reply_stream_row(struct request *rq, struct reply *rp, int status, const struct stream_row *row)
{
    struct head_row heads[PARTITIONS_MAX];
    struct buf b = { 0 };
    size_t n;
    enum err e;

    if ((e = streams_heads(rq->db, row->stream_id, heads, &n, &rq->fault)))
        return e;
    put_stream(&b, row, heads, n);
    return reply_json(rp, status, &b);
}

/* Ends the operation with its audit record. NULL: there was none before, or is none after. */
static enum err recorded(struct request *rq, enum err e, const char *type, struct slice name, const struct stream_row *before,
                         const struct stream_row *after)
{
    const char *path = arena_printf(rq->arena, "/v1/streams/%.*s", (int)name.n, name.p);
    struct buf changes = { 0 };

    if (!e && before) {
        BUF_LIT(&changes, "{\"before\":{");
        put_settings(&changes, before);
        buf_char(&changes, '}');
    }
    if (!e && after) {
        buf_str(&changes, before ? ",\"after\":{" : "{\"after\":{");
        put_settings(&changes, after);
        buf_char(&changes, '}');
    }
    buf_char(&changes, '}');
    return audited(rq, e, type, slice_of(path), &changes);
}

static enum err writable_name(struct request *rq, struct slice name)
{
    if (!name_valid(name))
        return fault(&rq->fault, ERR_BAD_NAME, "Stream names are [a-z0-9][a-z0-9._-]{0,119}.");
    if (name_reserved(name))
        return fault(&rq->fault, ERR_RESERVED_NAME, "Weir alone writes %.*s.", (int)name.n, name.p);
    return OK;
}

/* The body's members over what `row` is. */
static enum err read_settings(struct request *rq, struct settings *s)
{
    const char *before = s->row.subject_template.p;
    enum err e = request_body(rq, settings_fields, s);

    if (e)
        return e;
    defaults_for_nulls(s);
    if (s->row.subject_template.p == before || subject_template_valid(s->row.subject_template))
        return OK;
    snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "/subject_template");
    return fault(&rq->fault, ERR_BAD_BODY, "In braces it holds {stream} and {type} only.");
}

enum err handle_put_stream(struct request *rq, struct reply *rp)
{
    struct slice name = request_path(rq, "stream");
    struct settings s = { 0 };
    struct stream_row before;
    bool created = false;
    enum err e;

    streams_defaults(&s.row);
    if ((e = writable_name(rq, name)))
        return e;
    if (rq->body.n && (e = read_settings(rq, &s)))
        return e;
    s.row.name = name;
    if ((e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = streams_put(rq->app->streams, rq->db, rq->arena, &s.row, s.has_partitions, &before, &created, &rq->fault);
    e = recorded(rq, e, created ? "StreamCreated" : "StreamChanged", name, created ? NULL : &before, &s.row);
    if (e)
        return e;
    streams_forget(rq->app->streams, s.row.stream_id);
    if (created)
        reply_header(rq, rp, "Location", arena_printf(rq->arena, "/v1/streams/%.*s", (int)name.n, name.p));
    return reply_stream_row(rq, rp, created ? 201 : 200, &s.row);
}

/* What the body names, over what is there. */
static enum err patch(struct request *rq, struct slice name, struct settings *s, struct stream_row *ret_before)
{
    enum err e;

    if ((e = streams_lock(rq->db, rq->arena, name, ret_before, &rq->fault)))
        return e;
    s->row = *ret_before;
    if ((e = read_settings(rq, s)))
        return e;
    if (s->row.partitions != ret_before->partitions)
        return fault(&rq->fault, ERR_PARTITIONS_FIXED, "The stream has %d partitions, which cannot be changed.",
                     (int)ret_before->partitions);
    return streams_update(rq->app->streams, rq->db, &s->row, &rq->fault);
}

enum err handle_patch_stream(struct request *rq, struct reply *rp)
{
    struct slice name = request_path(rq, "stream");
    struct settings s = { 0 };
    struct stream_row before;
    enum err e;

    if ((e = writable_name(rq, name)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = patch(rq, name, &s, &before);
    if ((e = recorded(rq, e, "StreamChanged", name, &before, &s.row)))
        return e;
    streams_forget(rq->app->streams, s.row.stream_id);
    return reply_stream_row(rq, rp, 200, &s.row);
}

enum err handle_get_stream(struct request *rq, struct reply *rp)
{
    struct stream_row row;
    enum err e = streams_get(rq->db, rq->arena, request_path(rq, "stream"), &row, &rq->fault);

    return e ? e : reply_stream_row(rq, rp, 200, &row);
}

enum err handle_delete_stream(struct request *rq, struct reply *rp)
{
    struct slice name = request_path(rq, "stream");
    struct stream_row before;
    enum err e;

    if ((e = writable_name(rq, name)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    if (!(e = streams_lock(rq->db, rq->arena, name, &before, &rq->fault)))
        e = streams_delete(rq->app->streams, rq->db, name, &rq->fault);
    if ((e = recorded(rq, e, "StreamDeleted", name, &before, NULL)))
        return e;
    streams_forget(rq->app->streams, before.stream_id);
    return reply_empty(rp, 204);
}

enum err auto_create_stream(struct request *rq, struct slice name)
{
    struct stream_row row;
    bool created = false;
    enum err e = audit_begin(rq->db, &rq->fault);

    if (e)
        return e;
    e = streams_auto_create(rq->app->streams, rq->db, name, &row, &created, &rq->fault);
    return recorded(rq, e, created ? "StreamCreated" : NULL, name, NULL, &row);
}

static bool visible(const void *who, struct slice name)
{
    return principal_may(who, PERM_ANY, name);
}

static void put_list(struct buf *b, const struct stream_list *l)
{
    BUF_LIT(b, "{\"items\":[");
    for (size_t i = 0; i < l->n; i++) {
        size_t at = 0, count = 0;

        while (at < l->head_n && l->heads[at].stream_id != l->rows[i].stream_id)
            at++;
        while (at + count < l->head_n && l->heads[at + count].stream_id == l->rows[i].stream_id)
            count++;
        if (i)
            buf_char(b, ',');
        put_stream(b, &l->rows[i], l->heads + at, count);
    }
    BUF_LIT(b, "],\"next\":");
    if (l->more)
        buf_json_string(b, l->rows[l->n - 1].name);
    else
        BUF_LIT(b, "null");
    buf_char(b, '}');
}

enum err handle_list_streams(struct request *rq, struct reply *rp)
{
    struct slice after = request_query(rq, "after"), last;
    int64_t limit = LIST_DEFAULT;
    struct stream_list list;
    struct buf b = { 0 };
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) ||
        (e = streams_list(rq->db, rq->arena, after.p ? after : SLICE(""), (size_t)limit, visible, rq->who, &list, &rq->fault)))
        return e;
    put_list(&b, &list);
    if (list.more) {
        last = list.rows[list.n - 1].name;
        reply_header(rq, rp, "Link", arena_printf(rq->arena, "</v1/streams?limit=%lld&after=%.*s>; rel=\"next\"", (long long)limit,
                                                  (int)last.n, last.p));
    }
    return reply_json(rp, 200, &b);
}
