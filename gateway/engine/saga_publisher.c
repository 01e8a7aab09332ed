#include "gateway/engine/saga_publisher.h"

#include <pthread.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/engine/receipt.h"
#include "gateway/engine/validate.h"

#define QUEUE_MAX 10000
#define ARENA_SPARE ((size_t)8 << 20)  /* beside the event: findings, attributes */

struct saga_publisher {
    const struct config *config;
    struct commit *commit;
    struct streams *streams;
    struct schema_cache *schemas;
    struct pool *pool;
    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t changed;
    size_t in_flight;            /* submitted, not done */
};

/* --- the outcome --- */

/* What a repetition may mend, and how the others are called. */
static const struct {
    enum err err;
    enum saga_published outcome;
    const char *type;
} outcomes[] = {
    { ERR_OVERLOADED, SAGA_PUBLISH_AGAIN, "overloaded" },
    { ERR_DATABASE_UNAVAILABLE, SAGA_PUBLISH_AGAIN, "database-unavailable" },
    { ERR_DATABASE_FULL, SAGA_PUBLISH_AGAIN, "database-full" },
    { ERR_OUTCOME_UNKNOWN, SAGA_PUBLISH_AGAIN, "outcome-unknown" },
    { ERR_SHUTTING_DOWN, SAGA_PUBLISH_AGAIN, "shutting-down" },
    { ERR_IDEMPOTENCY_IN_FLIGHT, SAGA_PUBLISH_AGAIN, "idempotency-in-flight" },
    { ERR_NO_MEMORY, SAGA_PUBLISH_AGAIN, "no-memory" },
    { ERR_INTERNAL, SAGA_PUBLISH_AGAIN, "internal" },
    { ERR_DB_RETRY, SAGA_PUBLISH_AGAIN, "internal" },
    { ERR_DB_UNIQUE, SAGA_PUBLISH_AGAIN, "internal" },
    { ERR_UNKNOWN_STREAM, SAGA_NOT_PUBLISHED, "unknown-stream" },
    { ERR_RESERVED_NAME, SAGA_NOT_PUBLISHED, "reserved-name" },
    { ERR_SCHEMA_VIOLATION, SAGA_NOT_PUBLISHED, "schema-violation" },
    { ERR_SCHEMA_LIMIT, SAGA_NOT_PUBLISHED, "schema-limit" },
    { ERR_EVENT_TOO_LARGE, SAGA_NOT_PUBLISHED, "event-too-large" },
    { ERR_ID_REUSED, SAGA_NOT_PUBLISHED, "id-reused" },
    { ERR_IDEMPOTENCY_KEY_REUSED, SAGA_NOT_PUBLISHED, "idempotency-key-reused" },
    { ERR_SUBJECT_MOVED, SAGA_NOT_PUBLISHED, "subject-moved" },
    { ERR_VERSION_CONFLICT, SAGA_NOT_PUBLISHED, "version-conflict" },
    { ERR_END, SAGA_NOT_PUBLISHED, "bad-event" },
};

static void put_findings(struct buf *b, const struct fault *f)
{
    for (size_t i = 0; i < f->finding_n; i++) {
        const struct finding *x = &f->findings[i];

        buf_str(b, i ? "},{" : ",\"errors\":[{");
        BUF_LIT(b, "\"pointer\":");
        buf_json_string(b, x->pointer);
        if (x->keyword.p)
            buf_member_text(b, "keyword", x->keyword);
        buf_member_text(b, "detail", x->detail);
    }
    if (f->finding_n)
        BUF_LIT(b, "}]");
}

static void put_error(struct buf *b, const char *type, const struct fault *f)
{
    BUF_LIT(b, "{\"type\":");
    buf_json_string(b, slice_of(type));
    buf_member_text(b, "message", slice_of(*f->detail ? f->detail : "Weir could not publish the event."));
    if (*f->pointer)
        buf_member_text(b, "pointer", slice_of(f->pointer));
    put_findings(b, f);
    buf_char(b, '}');
}

/* Tells the outcome. The publication is its owner's again, and may be gone. */
static void end(struct saga_publication *pub, enum err e, const struct fault *f)
{
    struct saga_publisher *p = pub->publisher;
    struct stream *stream = pub->of;
    struct arena *arena = pub->arena;
    struct buf answer = pub->kept.answer, error = { 0 };
    size_t i = 0;

    if (!e) {
        pub->outcome = SAGA_PUBLISHED;
        pub->result = (struct slice){ answer.p, answer.n };
    } else {
        while (outcomes[i].err != e && outcomes[i].err != ERR_END)
            i++;
        put_error(&error, outcomes[i].type, f);
        pub->outcome = outcomes[i].outcome;
        pub->unknown = e == ERR_OUTCOME_UNKNOWN;
        pub->error = error.failed ? SLICE("{\"type\":\"no-memory\",\"message\":\"Out of memory.\"}") :
                                    (struct slice){ error.p, error.n };
    }
    pub->done(pub);
    buf_free(&error);
    buf_free(&answer);
    stream_unref(stream);
    arena_free(arena);
    pthread_mutex_lock(&p->lock);
    p->in_flight--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* On the lane's thread. */
static void on_done(struct publish *publish, bool more)
{
    (void)more;
    end(publish->arg, publish->err, &publish->fault);
}

static enum err render(struct publish *publish)
{
    struct publish_key *key = publish->key;

    receipt_put(&key->answer, publish->stream, publish->events.v);
    key->status = 201;
    *key->cursor = '\0';
    return key->answer.failed ? ERR_NO_MEMORY : OK;
}

/* --- on the pool's thread --- */

static enum err parse(struct saga_publication *pub, struct fault *f)
{
    const struct config *c = pub->publisher->config;
    const struct event_limits limits = { (size_t)c->event_bytes, 1, (unsigned)c->json_depth };
    struct events *events = &pub->publish.events;
    enum err e;

    e = event_parse(pub->arena, pub->stream, EVENT_JSON, pub->event, pub->traceparent, &limits, clock_unix_us(), events, f);
    if (!e && events->v->expected_version >= 0 && !events->v->subject.p)
        return fault(f, ERR_BAD_EVENT, "expectedversion needs a subject.");
    return e;
}

/* What does not conform now may have been recorded before, when it did: the lane knows. */
static enum err validate(struct saga_publication *pub, struct db *db, struct fault *f)
{
    struct publish *publish = &pub->publish;
    struct fault *refusal;
    enum err e = validate_events(pub->publisher->schemas, db, &pub->of->row, &publish->events, pub->arena, f);

    if (e != ERR_SCHEMA_VIOLATION)
        return e;
    if (!(refusal = arena_alloc(pub->arena, sizeof *refusal)))
        return ERR_NO_MEMORY;
    *refusal = *f;
    *f = (struct fault){ 0 };
    publish->refusal = refusal;
    return OK;
}

static enum err prepare(struct saga_publication *pub, struct db *db, struct fault *f)
{
    struct saga_publisher *p = pub->publisher;
    enum err e = OK;

    if (!(pub->arena = arena_new(8 * (size_t)p->config->event_bytes + ARENA_SPARE)))
        return ERR_NO_MEMORY;
    if (name_reserved(pub->stream))
        return fault(f, ERR_RESERVED_NAME, "Weir alone writes %.*s.", (int)pub->stream.n, pub->stream.p);
    if (!(pub->of = streams_cached(p->streams, pub->stream)) && (e = streams_load(p->streams, db, pub->stream, &pub->of, f)))
        return e;
    if ((e = parse(pub, f)) || (e = validate(pub, db, f)))
        return e;
    pub->publish.stream = pub->of;
    pub->publish.key = &pub->kept;
    /* Of no caller: these have an issuer before their key. */
    if (!event_key(SLICE("saga"), pub->key, pub->kept.key) || !event_key(pub->stream, pub->event, pub->kept.fingerprint))
        return ERR_INTERNAL;
    return commit_submit(p->commit, &pub->publish, f);
}

static void on_turn(struct job *job, void *db)
{
    struct saga_publication *pub = (struct saga_publication *)((char *)job - offsetof(struct saga_publication, job));
    struct fault f = { 0 };
    enum err e = prepare(pub, db, &f);

    if (e)
        end(pub, e, &f);
}

/* --- interface --- */

bool saga_publish(struct saga_publisher *p, struct saga_publication *pub)
{
    bool taken;

    pub->publisher = p;
    pub->of = NULL;
    pub->arena = NULL;
    pub->unknown = false;
    pub->result = pub->error = SLICE_NONE;
    pub->publish = (struct publish){ .if_version = -1, .done = on_done, .alone = true, .arg = pub };
    pub->kept = (struct publish_key){ .render = render, .limit = SIZE_MAX };
    pub->job = (struct job){ .run = on_turn };
    pthread_mutex_lock(&p->lock);
    p->in_flight++;
    pthread_mutex_unlock(&p->lock);
    if ((taken = pool_submit(p->pool, &pub->job)))
        return true;
    pthread_mutex_lock(&p->lock);
    p->in_flight--;
    pthread_mutex_unlock(&p->lock);
    return false;
}

struct saga_publisher *saga_publisher_start(const struct config *c, const struct db_config *db, struct commit *commit,
                                            struct streams *streams, struct schema_cache *schemas)
{
    struct saga_publisher *p = calloc(1, sizeof *p);
    const struct pool_config pool = { .name = "weir-tell", .threads = 1, .queue = QUEUE_MAX, .ctx_new = db_of_worker,
                                      .ctx_free = db_of_worker_free, .arg = (void *)(uintptr_t)db };

    if (!p)
        return NULL;
    *p = (struct saga_publisher){ .config = c, .commit = commit, .streams = streams, .schemas = schemas };
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    if ((p->pool = pool_new(&pool)))
        return p;
    saga_publisher_stop(p);
    return NULL;
}

void saga_publisher_stop(struct saga_publisher *p)
{
    if (!p)
        return;
    pool_stop(p->pool);
    pthread_mutex_lock(&p->lock);
    while (p->in_flight)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p);
}
