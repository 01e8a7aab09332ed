#ifndef WEIR_ENGINE_SAGA_BODY_H
#define WEIR_ENGINE_SAGA_BODY_H

#include "gateway/base/buf.h"
#include "gateway/engine/saga_template.h"

/* The definition of a saga: the body of a PUT, compiled. Immutable; any thread. */
#define SAGA_STEPS_MAX 64        /* sets of steps are bits of uint64_t */
#define SAGA_TYPES_MAX 32        /* of an await or of start_on, each list */
#define SAGA_TYPE_BYTES 200
#define SAGA_MATCHES_MAX 8       /* pointers of an await */
#define SAGA_HEADERS_MAX 32      /* of a call */
#define SAGA_URL_BYTES 4096      /* written; rendered: SAGA_URL_RENDERED */
#define SAGA_URL_RENDERED 8192
#define SAGA_HEADER_BYTES 8192   /* of a value, rendered */
#define SAGA_ATTEMPTS_MAX 1000
#define SAGA_DESCRIPTION_MAX 1000 /* bytes */

enum saga_kind { SAGA_ACTION, SAGA_COMPENSATION, SAGA_KINDS }; /* in the database (weir.saga_steps.kind) */
extern const char *const saga_kind_names[SAGA_KINDS];

/* An attempt that is tried again waits initial * factor^(n - 1), max at most, give or take `jitter` of it. Also of compensations. */
struct saga_retry {
    int64_t initial_us, max_us;  /* 1s, 5m */
    double factor, jitter;       /* 2, 0.2 */
    int32_t max_attempts;        /* 10; the first counts */
};

struct saga_header {
    struct slice name;           /* as written */
    struct saga_template *value;
};

struct saga_http {
    struct slice method;         /* as outbound_method_good has it */
    struct slice target;         /* scheme, host and port of the URL, as outbound_target writes them */
    struct saga_template *url;
    struct saga_header *header;
    size_t header_n;
    struct saga_template *body;  /* NULL: none */
};

struct saga_publish {
    struct slice stream;
    struct saga_template *event; /* an object */
    bool has_id, has_key;        /* `id` and `idempotencykey` are among its members; else both are the idempotency key */
};

struct saga_match {
    struct slice pointer;        /* into the event, as event_render writes it: "/subject", "/data/order_id" */
    struct saga_template *value;
};

struct saga_await {
    unsigned number;             /* within the definition: 2 * step + kind */
    struct slice stream;
    struct slice *type, *failure;/* patterns: `*` is any run of characters */
    size_t type_n, failure_n;
    struct saga_match *match;    /* by pointer, bytewise; none: every event of these types */
    size_t match_n;
};

enum saga_deed_kind { SAGA_NOTHING, SAGA_HTTP, SAGA_PUBLISH, SAGA_AWAIT, SAGA_APPROVAL, SAGA_SIGNAL };

struct saga_deed {
    enum saga_deed_kind kind;    /* SAGA_NOTHING: a step without compensation */
    struct saga_http *http;      /* SAGA_HTTP */
    struct saga_publish *publish;/* SAGA_PUBLISH */
    struct saga_await *await;    /* SAGA_AWAIT; SAGA_PUBLISH: waited for once it is published, or NULL */
};

struct saga_step {
    struct slice name;
    uint64_t after;              /* that have to succeed first: as written, */
    uint64_t before;             /* and all that lead to those */
    uint64_t behind;             /* all that this one leads to, near and far */
    struct saga_deed deed[SAGA_KINDS]; /* approval and signal are actions */
    struct saga_retry retry;
    int64_t timeout_us;          /* of await, approval, signal, since the step began; 0: none */
    int64_t attempt_us;          /* of an HTTP attempt, action and compensation: the step's timeout if the action is HTTP, else 30s */
    bool pivot;                  /* its action is HTTP or publish */
};

struct saga_start_on {
    struct slice stream;
    struct slice *type;          /* patterns */
    size_t type_n;
    struct saga_template *id;    /* SAGA_TEXT; NULL: not given */
    struct saga_template *input; /* NULL: the event's data */
};

struct saga_stream {             /* that the definition names: each once */
    struct slice name;
    bool publish, subscribe;     /* the rights that a PUT needs on it */
};

struct saga_definition {
    struct saga_step *step;
    size_t step_n;
    uint64_t roots;              /* that are after none */
    struct saga_start_on *start_on; /* NULL: none */
    int64_t timeout_us;          /* 0: none */
    bool pause;                  /* on_exhausted: "pause"; else "compensate" */
    struct slice description;    /* p == NULL: none */
    struct saga_stream *stream;
    size_t stream_n;
    const struct saga_await *await[2 * SAGA_STEPS_MAX]; /* by number; NULL: there is none */
    struct slice text;           /* all of it as one compact JSON object, defaults spelled out: to be kept, shown, parsed again */
};

/* All of it is in the arena; `text` is copied. ERR_BAD_JSON; ERR_BAD_BODY: not the members, or not their types and bounds;
 * ERR_BAD_DEFINITION: impossible. With a pointer. That the streams exist is not looked at. */
enum err saga_definition_parse(struct arena *a, struct slice text, struct saga_definition *ret, struct fault *f);

int saga_step_number(const struct saga_definition *d, struct slice name); /* -1: there is none */
/* Of an instance: it stands in headers, in paths and in the key of each call. */
#define SAGA_ID_MAX 120          /* bytes, visible ASCII without a slash; neither . nor .. */
bool saga_id_valid(struct slice id);
/* <saga>/<instance id>/<step>/<action|compensation>: of a call, and of the event that is published. */
void saga_idempotency_key(struct buf *b, struct slice saga, struct slice id, const struct saga_step *step, enum saga_kind kind);

/* ---- what a step does, with its places filled in: all in the arena, results of saga_render ---- */

struct saga_call {
    struct slice method, target, url;
    struct saga_call_header {
        struct slice name, value;
    } *header;                   /* as defined, and Content-Type where there is a body and none was defined */
    size_t header_n;
    struct slice body;           /* p == NULL: none */
};
/* scope->target is set here. A body is JSON; but a string under a Content-Type that is not JSON is sent as its characters. */
enum saga_rendering saga_render_call(const struct saga_http *h, const struct saga_scope *scope, struct arena *a,
                                     struct saga_call *ret, struct fault *f);
/* For the history, rendered without `secret`: {"method","url","headers":{},"body"}, the body as JSON or a string, cut at max_body bytes
 * (then a string, and "cut":true). */
void saga_call_show(struct buf *b, const struct saga_call *c, size_t max_body);

/* An event that is published once more after its answer is another one: what tells it from the first is its key in the log and its id,
 * both with the number of the round behind them, as in …/action/2. p == NULL: no memory. */
struct slice saga_round_key(struct arena *a, struct slice key, int32_t round);
/* The event as a body for event_parse (EVENT_JSON), with its id and the attribute idempotencykey. round: 0 for the first time. */
enum saga_rendering saga_render_event(const struct saga_publish *p, const struct saga_scope *scope, struct slice key, int32_t round,
                                      struct arena *a, struct slice *ret, struct fault *f);

/* ---- awaits ---- */

enum saga_match_result { SAGA_MATCHES_NOT, SAGA_MATCHES, SAGA_MATCHES_FAILURE };
enum saga_match_result saga_await_type(const struct saga_await *w, struct slice type); /* a failure type goes before a type */
bool saga_start_type(const struct saga_start_on *s, struct slice type);

/* The values that are waited for, in the order of `match`: ret has room for match_n, JSON texts. */
enum saga_rendering saga_await_wanted(const struct saga_await *w, const struct saga_scope *scope, struct arena *a,
                                      struct slice *ret, struct fault *f);
/* What the event (as event_render writes it) has there. SAGA_REFUSED: one leads to nothing, so nobody waits for it. */
enum saga_rendering saga_await_found(const struct saga_await *w, struct slice event, struct arena *a, struct slice *ret);
/* The same for values that are equal as JSON (1.0 is 1, members in any order), here and in every release. false: out of memory. */
bool saga_await_hash(const struct saga_await *w, int64_t saga_id, int32_t version, const struct slice *values, struct arena *a,
                     int64_t *ret);
/* Are they? failed: out of memory. */
bool saga_await_equal(const struct saga_await *w, const struct slice *wanted, const struct slice *found, struct arena *a,
                      bool *ret_failed);

#endif
