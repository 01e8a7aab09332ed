#ifndef WEIR_ENGINE_OUTBOUND_H
#define WEIR_ENGINE_OUTBOUND_H

#include "db/db.h"
#include "gateway/base/arena.h"
#include "gateway/base/config.h"
#include "gateway/engine/breaker.h"

/* Calls to services by HTTP: libcurl's multi interface on one thread (weir-outbound), any number in flight, connections of its own.
 * What a call may do to a target (scheme, host, port) is bounded by slots (bulkhead), a rate and a circuit breaker; another thread
 * (weir-targets) keeps the breakers, which are those of all gateways, in weir.saga_targets. Any thread may call what is here. */
struct outbound;

struct outbound *outbound_start(const struct config *c, const struct db_config *db, char err[512]); /* both outlive it */
/* room(arg) is called, by any thread, when a target that refused a call may take one: look at outbound_rooms then, not in it. NULL:
 * nobody; it is not called any more once this has returned. */
void outbound_on_room(struct outbound *o, void (*room)(void *arg), void *arg);
bool outbound_reload(struct outbound *o, char err[512]);    /* outbound.file again; on failure what was read before stays */
void outbound_members(struct outbound *o, int n);           /* live gateways, at least 1: they share a target's rate */
bool outbound_drain(struct outbound *o, int64_t mono_us);   /* waits until nothing is in flight; false: time is up */
void outbound_stop(struct outbound *o);                     /* calls in flight end as `aborted`; joins, frees; NULL-safe */

/* ---- a place for a call ---- */
enum outbound_room {
    OUTBOUND_ROOM,                 /* a slot is reserved: outbound_send or outbound_release takes it back */
    OUTBOUND_BUSY,                 /* all slots are taken */
    OUTBOUND_LIMITED,              /* the rate is used up */
    OUTBOUND_OPEN,                 /* its circuit breaker is open, or lets only a probe pass */
    OUTBOUND_CROWDED,              /* it is new, and all targets that the gateway can keep in mind are in use; room() does not tell */
};
struct target;
struct outbound_slot {
    struct target *target;         /* NULL: none */
    uint64_t probe;                /* of the breaker: its number here; 0: it is none */
};
/* Without I/O. Refused: *ret_wait_us is how long it will be so at least, as far as one can know (0: until room() is called). */
enum outbound_room outbound_admit(struct outbound *o, struct slice target, struct outbound_slot *ret, int64_t *ret_wait_us);
void outbound_release(struct outbound *o, struct outbound_slot slot); /* nothing was sent; an empty slot is fine */

/* Targets that have refused calls since they were last satisfied, and have room now: how many may be admitted. Slices are the
 * target's own and stay until it is satisfied. */
struct outbound_free {
    struct slice target;
    int slots;
};
size_t outbound_rooms(struct outbound *o, struct outbound_free *ret, size_t max);
void outbound_satisfied(struct outbound *o, struct slice target); /* nothing waits for it any more */

/* ---- a call ---- */
struct outbound_header {
    struct slice name, value;
};

/* What came of it. */
enum outbound_class {
    OUTBOUND_OK,                   /* 2xx */
    OUTBOUND_FAILED,               /* a business failure: 422, 409; also what the guard refuses to call */
    OUTBOUND_NOT_YET,              /* 425, 202 with Retry-After */
    OUTBOUND_AGAIN,                /* all else */
};
struct outbound_answer {
    enum outbound_class class;
    bool unknown;                  /* whether the target has done it */
    bool aborted;                  /* by outbound_stop: the attempt is lost */
    int status;                    /* 0: no whole answer */
    int64_t retry_after_us;        /* at most an hour; -1: not told */
    struct slice result;           /* OUTBOUND_OK: JSON */
    struct slice error;            /* else: JSON {"type","message","status"?} */
    struct slice answer;           /* what came: JSON {"status","content_type"?,"body"?,"cut"?}; p == NULL: nothing */
    int64_t begun_us, ended_us;    /* unix */
};

#define OUTBOUND_HEADERS_MAX 64

/* The caller's memory, with all that it points to, until `done` returns. */
struct outbound_call {
    struct outbound_slot slot;
    struct slice method;           /* of outbound_method_good */
    struct slice url;              /* of the slot's target */
    const struct outbound_header *headers;
    size_t header_n;               /* at most OUTBOUND_HEADERS_MAX; a value with CR, LF or NUL is a business failure */
    struct slice body;             /* p == NULL: none */
    struct slice key;              /* Idempotency-Key, and webhook-id: bytes that no header can have are percent-encoded */
    struct slice traceparent;      /* of this attempt; p == NULL: none */
    int64_t timeout_us;            /* for all of it */
    bool unknown_before;           /* an earlier attempt's outcome is unknown: a 409 may be its doing */
    /* Called once, by the outbound thread: do not block. The answer's slices live until it returns. */
    void (*done)(struct outbound_call *call, const struct outbound_answer *answer);
    void *arg;                     /* the caller's */
    struct outbound_call *next;    /* outbound's own */
};
void outbound_send(struct outbound *o, struct outbound_call *call); /* frees the slot when it is done */

/* ---- what definitions are checked by, and secrets ---- */
#define OUTBOUND_TARGET_MAX 300
/* The target of a URL: "https://host" or "http://host:8080", in lower case, without the scheme's own port; an address in its one
 * usual form. The URL may go on with anything (templates, too) from the first of / ? # on. False: a clause in why. Pure. */
bool outbound_target(struct slice url, char ret[OUTBOUND_TARGET_MAX], const char **ret_why);
bool outbound_method_good(struct slice method);             /* GET POST PUT PATCH DELETE */
bool outbound_header_good(struct slice name);               /* a token, and none of those that Weir sets by itself */

/* The secret of this name for calls to this target, in the arena. False: a clause in why (unknown, or not for this host). */
bool outbound_secret(struct outbound *o, struct slice name, struct slice target, struct arena *a, struct slice *ret,
                     const char **ret_why);
bool outbound_secret_known(struct outbound *o, struct slice name, struct slice target); /* for definitions */

/* ---- to show ---- */
struct target_status {
    struct slice target;
    struct breaker breaker;
    int64_t retry_us;              /* when a probe is due, unix; 0: it is closed */
    int running, concurrency;      /* calls of this gateway, now and at most */
    double rate;                   /* calls a second, of all gateways; 0: no bound */
    bool is_signed, configured;    /* it has a signing secret; it stands in outbound.file */
};
/* Targets of all gateways after a name, at most limit, in the order of their names; *ret_more: there are others. On a worker. */
enum err targets_list(struct outbound *o, struct db *db, struct arena *a, struct slice after, size_t limit,
                      struct target_status **ret, size_t *ret_n, bool *ret_more, struct fault *f);

#endif
