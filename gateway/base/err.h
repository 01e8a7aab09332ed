#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdint.h>

#include "gateway/base/slice.h"

/* Outcomes of every function that can fail. The stable code, HTTP status and explanation of each stand in one table,
 * gateway/http/problems.c (a test holds it against this list and the OpenAPI document). */
enum err {
    OK = 0,
    ERR_PARKED,              /* not an error: the request waits and its handler is called again */
    /* 400 */
    ERR_BAD_REQUEST,         /* framing, target, header */
    ERR_BAD_PARAMETER,       /* query parameter: unknown, malformed, out of bounds */
    ERR_BAD_JSON,            /* not RFC 8259, not UTF-8, too deep */
    ERR_BAD_BODY,            /* JSON, but not what this call takes */
    ERR_BAD_EVENT,           /* not a valid CloudEvent */
    ERR_BAD_NAME,
    ERR_BAD_CURSOR,
    ERR_CURSOR_PARTIAL,      /* a receipt's cursor on a stream of several partitions */
    ERR_CURSOR_FOREIGN,      /* a cursor of another stream */
    ERR_TOO_MANY_PARTITIONS, /* selected to be read together */
    /* 401, 403 */
    ERR_UNAUTHENTICATED,     /* no token */
    ERR_INVALID_TOKEN,
    ERR_FORBIDDEN,           /* insufficient scope */
    ERR_RESERVED_NAME,       /* 403: a stream that Weir alone writes */
    /* 404, 405, 406 */
    ERR_NOT_FOUND,           /* no such route or resource */
    ERR_UNKNOWN_STREAM,
    ERR_UNKNOWN_GROUP,
    ERR_UNKNOWN_LETTER,      /* of a dead letter queue */
    ERR_UNKNOWN_JOB,
    ERR_UNKNOWN_PROJECTION,
    ERR_UNKNOWN_KEY,         /* of a projection's states */
    ERR_UNKNOWN_SAGA,
    ERR_UNKNOWN_INSTANCE,    /* of a saga */
    ERR_UNKNOWN_STEP,        /* of an instance's version */
    ERR_UNKNOWN_SUBJECT,     /* of a stream */
    ERR_UNKNOWN_SNAPSHOT,
    ERR_METHOD_NOT_ALLOWED,
    ERR_NOT_ACCEPTABLE,
    /* 409 */
    ERR_CONFLICT,
    ERR_PARTITIONS_FIXED,
    ERR_ID_REUSED,
    ERR_SUBJECT_MOVED,
    ERR_IDEMPOTENCY_IN_FLIGHT,
    ERR_PATCH_TEST_FAILED,   /* a `test` of a JSON Patch */
    ERR_PROJECTION_STOPPED,  /* paused or failed: fault.position */
    ERR_SNAPSHOT_VERSION,    /* beyond the subject's, or before that of the stored one */
    ERR_SUBJECT_READS_OFF,   /* the index has not what is asked for */
    /* 410 */
    ERR_CURSOR_EXPIRED,
    ERR_CURSOR_UNKNOWN,
    ERR_VERSION_GONE,        /* of a subject: removed, or never there */
    /* 408, 412, 413, 415, 422, 429, 431 */
    ERR_TIMEOUT,             /* 408: the request did not arrive in time */
    ERR_VERSION_CONFLICT,
    ERR_BODY_TOO_LARGE,
    ERR_EVENT_TOO_LARGE,
    ERR_TOO_MANY_EVENTS,
    ERR_UNSUPPORTED_MEDIA_TYPE,
    ERR_IDEMPOTENCY_KEY_REUSED, /* 422 */
    ERR_SCHEMA_VIOLATION,    /* 422: fault.findings */
    ERR_PATCH_FAILED,        /* 422: it does not fit what it is to change */
    ERR_BAD_DEFINITION,      /* 422: well-formed, but impossible */
    ERR_SCHEMA_LIMIT,        /* 422: checking a value against its schema takes more work than is allowed */
    ERR_OVERLOADED,
    ERR_QUOTA_EXCEEDED,      /* 429: the caller's */
    ERR_TOO_MANY_TICKETS,    /* 429: of one principal */
    ERR_URI_TOO_LONG,
    ERR_HEADERS_TOO_LARGE,
    /* 5xx */
    ERR_INTERNAL,
    ERR_NO_MEMORY,
    ERR_DATABASE_UNAVAILABLE, /* 503 */
    ERR_DATABASE_FULL,        /* 503: disk full */
    ERR_OUTCOME_UNKNOWN,      /* 503: may or may not have been recorded */
    ERR_SHUTTING_DOWN,        /* 503 */
    ERR_PROJECTION_BEHIND,    /* 504: fault.position */
    ERR_REVOCATIONS_FULL,     /* 507 */
    ERR_REGISTRY,             /* of the schema registry: fault.registry says which; its first three digits are the status */
    /* inside only, never answered */
    ERR_DB_UNIQUE,            /* unique violation */
    ERR_DB_RETRY,             /* serialization failure, deadlock, a parent row that is gone: try again */
    ERR_END
};

/* One thing that is wrong with a value: where it is, and the keyword of the schema (there too) that it does not meet. Absent
 * slices are not told. */
struct finding {
    struct slice pointer, keyword, schema_pointer, detail;
};

/* What an engine function tells about its failure, beyond the code. Zero-initialise. Filled by the callee only on
 * failure; the strings are copied in. Never holds SQL, secrets or addresses. */
struct fault {
    char detail[400];        /* one sentence for the caller: where and why */
    char pointer[200];       /* JSON Pointer into the request body, or "" */
    const char *earliest;    /* ERR_CURSOR_EXPIRED: a cursor to go on from, in the arena that the callee was given; or NULL */
    const char *position;    /* ERR_PROJECTION_BEHIND, _STOPPED: a cursor, in the arena; or NULL */
    int64_t current_version; /* of a subject; valid if has_version */
    bool has_version;
    int64_t earliest_version;/* of a subject, the first that is kept; 0: not told */
    int retry_after;         /* seconds; 0: none */
    int registry;            /* ERR_REGISTRY: error_code */
    const struct finding *findings; /* instead of `pointer`: all that is wrong, in the caller's arena */
    size_t finding_n;
    const char *whole;       /* ERR_REGISTRY: a message that is longer than detail, in the arena; or NULL */
};

/* Sets detail (printf) and returns e; f may be NULL. */
enum err fault(struct fault *f, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What stands in the way of the start, or of a reload: one sentence for the operator. Always false. */
bool err_tell(char err[512], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
