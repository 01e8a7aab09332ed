#include "gateway/engine/audit.h"

#include <stdlib.h>

#include "db/outbox.h"
#include "gateway/base/clock.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/event.h"

struct audit {
    const struct config *config;
    struct outbox *outbox;
};

enum err audit_begin(struct db *db, struct fault *f)
{
    db_rollback(db);
    return db_exec(db, &DB_BEGIN, NULL, NULL, f);
}

void audit_undo(struct db *db)
{
    db_rollback(db);
}

static void member(struct buf *b, const char *name, struct slice value)
{
    if (!value.n || b->failed)
        return;
    if (b->p[b->n - 1] != '{')
        buf_char(b, ',');
    buf_printf(b, "\"%s\":", name);
    buf_json_string(b, value);
}

static void put_record(struct buf *b, const struct audit_record *r)
{
    BUF_LIT(b, "{\"actor\":{");
    member(b, "iss", r->issuer);
    member(b, "sub", r->subject);
    member(b, "jti", r->token_id);
    buf_char(b, '}');
    member(b, "operation", slice_of(r->operation));
    member(b, "resource", r->resource);
    member(b, "request_id", r->request_id);
    member(b, "address", r->address);
    if (r->changes.p) {
        BUF_LIT(b, ",\"changes\":");
        buf_slice(b, r->changes);
    }
    buf_char(b, '}');
}

/* Of things of one kind, such as /v1/streams, in which the resource is one. */
static struct slice source_of(struct slice resource)
{
    const char *slash = memrchr(resource.p, '/', resource.n);

    return slash && slash > resource.p ? (struct slice){ resource.p, (size_t)(slash - resource.p) } : resource;
}

enum err audit_end(struct audit *a, struct db *db, enum err e, const struct audit_record *r, struct fault *f)
{
    bool told = r->type && a->config->audit_enabled;
    struct outbox_row row = { .stream = SLICE(AUDIT_STREAM), .type = slice_of(r->type), .subject = r->resource,
                              .traceparent = r->traceparent };
    struct buf data = { 0 };
    char id[UUID_TEXT];

    if (e) {
        db_rollback(db);
        return e;
    }
    if (told) {
        uuid7(clock_unix_us(), id);
        uuid_parse(slice_of(id), row.id);
        row.source = source_of(r->resource);
        put_record(&data, r);
        row.data = (struct slice){ data.p, data.n };
    }
    if (data.failed) {
        db_rollback(db);
        e = ERR_NO_MEMORY;
    } else {
        e = db_outbox_commit(db, told ? &row : NULL, f);
    }
    buf_free(&data);
    if (told && !e)
        outbox_wake(a->outbox);
    return e;
}

void audit_stream(const struct config *c, struct stream_row *ret)
{
    ret->description = SLICE("Who did what to which resource. Written by Weir alone.");
    ret->retention_us = c->audit_retention_us ? c->audit_retention_us : -1;
}

struct audit *audit_new(const struct config *c, struct outbox *outbox)
{
    struct audit *a = malloc(sizeof *a);

    if (a)
        *a = (struct audit){ c, outbox };
    return a;
}

void audit_free(struct audit *a)
{
    free(a);
}
