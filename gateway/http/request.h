#ifndef WEIR_HTTP_REQUEST_H
#define WEIR_HTTP_REQUEST_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/config.h"
#include "gateway/base/err.h"
#include "gateway/base/worker.h"
#include "gateway/http/auth.h"

struct app;      /* gateway/app.h; http passes it through and knows nothing of it */
struct db;
struct loop;     /* gateway/http/loop.h */
struct request;
struct reply;

/* A handler runs on an event loop thread and must not block. It returns OK with a reply made, an error (which becomes
 * problem+json, with rq->fault), or ERR_PARKED after it has arranged for request_wake: then it is called again.
 * Handlers of routes with `blocking` set run on a worker thread instead, with rq->db, and never return ERR_PARKED. */
typedef enum err handler_fn(struct request *rq, struct reply *rp);

struct route {
    const char *op;            /* operation id, as in openapi.yaml */
    const char *method;        /* HEAD is served by GET routes unless they have their own */
    const char *path;          /* "/v1/streams/{stream}/events" */
    unsigned perm;             /* enum perm; checked against the path's {stream}, {subject}, {projection} or {saga} (any when there is none) */
    size_t body_limit;         /* bytes; 0: the route takes no body; SIZE_MAX: the setting request_bytes */
    bool blocking;
    handler_fn *handle;
    const char *query;         /* space-separated names of its query parameters, `name*` if repeatable; others → 400; NULL: none */
};
#define ROUTE_MAX 128
#define PATH_ARGS_MAX 4

struct query_arg {
    struct slice name, value;  /* decoded */
};

/* One request in process. Owned by the server; freed when libmicrohttpd reports completion. Everything in it belongs to the
 * loop's thread, except while a job of it runs: then to that worker alone. */
struct request {
    struct app *app;
    const struct config *config;
    struct loop *loop;
    const struct route *route;
    size_t route_index;
    struct arena *arena;
    struct principal *who;     /* NULL on public routes without a token */
    struct slice method, target; /* raw target, with query */
    struct slice path_names[PATH_ARGS_MAX], path_values[PATH_ARGS_MAX];
    size_t path_count;
    struct query_arg *query;
    size_t query_count;
    struct slice body;
    struct slice traceparent;  /* valid W3C value, or p == NULL */
    char id[129];              /* X-Request-Id */
    struct fault fault;
    struct db *db;             /* inside a job only */
    int64_t began_us;          /* monotonic */
    bool gone;                 /* the client has left (seen while parked): answer anything, nobody reads it */
    bool draining;             /* the server stops: finish at once */
    bool revoked;              /* the caller's token was, while the request waited: a stream says so and ends */
    void *state;               /* the handler's own, kept between calls; NULL at first */
    void (*state_free)(void *state); /* called once at completion, on the loop's thread, before the arena goes */
    struct request_internal *in; /* server.c's own */
};

struct slice request_path(const struct request *rq, const char *name);   /* decoded; p == NULL if the route has no such */
struct slice request_query(const struct request *rq, const char *name);  /* first value; p == NULL if absent */
/* The count of all values, even beyond max. */
size_t request_query_all(const struct request *rq, const char *name, struct slice *out, size_t max);
struct slice request_header(const struct request *rq, const char *name); /* any case; p == NULL if absent */
/* Visits every header. */
void request_headers(const struct request *rq, void (*fn)(void *arg, struct slice name, struct slice value), void *arg);
/* The client's address as text, or that of the proxy before us; "" if it cannot be told. Loop or job thread. */
#define REQUEST_ADDRESS 48
const char *request_address(const struct request *rq, char out[REQUEST_ADDRESS]);
/* Best of the offered media types by the Accept header (RFC 9110 12.5.1, q-values); NULL: none → 406. No header: the first. */
const char *request_accept(const struct request *rq, const char *const *offers, size_t n);
bool request_accept_gzip(const struct request *rq); /* by Accept-Encoding */

/* Typed query parameters: absent leaves *ret as it is; a bad value → ERR_BAD_PARAMETER with a sentence. */
enum err request_query_int(struct request *rq, const char *name, int64_t min, int64_t max, int64_t *ret);
enum err request_query_duration(struct request *rq, const char *name, int64_t max_us, int64_t *ret_us);
enum err request_query_time(struct request *rq, const char *name, int64_t *ret_unix_us);
enum err request_query_bool(struct request *rq, const char *name, bool *ret);

/* Parking. request_wake may be called by any thread, any number of times, until the request completes; the caller must be
 * unregistered by state_free. It makes the loop call the handler (or the stream's reader) again. Wakes are coalesced. */
void request_wake(struct request *rq);
/* The same as one of a wave: while `more` are to follow at once the loops are left asleep, the last one wakes them all. */
void request_wake_wave(struct request *rq, bool more);
/* Loop thread: call the handler again at the latest at this monotonic time (0: no deadline). Also watches for the client's leaving
 * while parked. */
void request_wait_until(struct request *rq, int64_t mono_us);
/* Loop thread: run fn on a worker thread (with rq->db set), then wake. false: pool full. One job at a time. The handler
 * returns ERR_PARKED after it; request_working tells whether the job still runs (spurious wakes happen). */
bool request_work(struct request *rq, void (*fn)(struct request *rq));
/* For handlers: ERR_PARKED, or ERR_OVERLOADED when the pool is full. */
enum err request_job(struct request *rq, void (*fn)(struct request *rq));
bool request_working(const struct request *rq);
/* For a job that takes long: nobody waits for it any more. Any thread, while the request is there. It is seen from the time on when
 * request_wait_until was called. */
bool request_left(const struct request *rq);
/* The same for work of another thread than the pool's: expect (loop thread) before it can begin, fulfil (any thread, once) as its
 * last touch of the request (`more` as above). In between the handler is not called, whatever happens to the connection, which may
 * be gone: headers are not there to look at any more. For what takes milliseconds: the connection is suspended only if it takes longer. */
void request_expect(struct request *rq);
void request_fulfil(struct request *rq, bool more);

/* Quotas of who calls (gateway/http/quota.h): the events and bytes of a publish, all or nothing, before it is done; one open stream
 * or long-poll, given back when the request completes. ERR_QUOTA_EXCEEDED, or a 413 for what no quota could ever hold. */
enum err request_charge(struct request *rq, size_t events, size_t bytes);
enum err request_hold(struct request *rq);

/* Body field tables → structs, with jansson (small management bodies only; publish scans its own). */
enum field_type { F_STRING, F_INT, F_NUMBER, F_BOOL, F_DURATION, F_ENUM, F_LABELS, F_STRINGS, F_OBJECT };
struct strings {
    const struct slice *v;     /* in the arena */
    size_t n;
};
struct field {
    const char *name;
    enum field_type type;
    size_t offset;             /* of struct slice, int64_t, double, bool, int64_t us, int; LABELS: struct slice, the JSON text of an
                                * object of strings; STRINGS: struct strings; OBJECT: where the offsets of its fields begin */
    bool required;
    int64_t min, max;          /* INT, NUMBER value, STRING/LABELS bytes, DURATION us, STRINGS count */
    const void *values;        /* ENUM: its words, space-separated; the index is stored. DURATION: a word that stands for -1
                                * ("forever"). STRINGS: a struct field for each of them (F_STRING). OBJECT: its fields */
    size_t present;            /* offset of a bool set when the member is there and not null, or SIZE_MAX */
    bool nullable;             /* null allowed: sets *null_at true (merge-patch: back to the default) */
    size_t null_at;            /* offset of a bool, or SIZE_MAX */
};
/* Strict: unknown members, wrong types, duplicates → ERR_BAD_BODY with a pointer. `out` holds the defaults before. The fields
 * end with a NULL name. A name may stand twice: for an object, and for what is none. */
enum err request_body(struct request *rq, const struct field *fields, void *out);
enum err request_json(struct request *rq); /* ERR_UNSUPPORTED_MEDIA_TYPE unless the body is of a JSON type */

#endif
