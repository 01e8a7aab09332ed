#ifndef WEIR_ENGINE_OUTBOUND_ANSWER_H
#define WEIR_ENGINE_OUTBOUND_ANSWER_H

#include "gateway/base/buf.h"
#include "gateway/engine/outbound.h"

/* What a call's end means. Pure. */

enum outbound_end {                /* why there is no whole answer; 0: there is one */
    OUTBOUND_WHOLE,
    OUTBOUND_REFUSED_HEADER,       /* the request cannot be made */
    OUTBOUND_REFUSED_HOST,         /* not of outbound.allow_hosts */
    OUTBOUND_REFUSED_ADDRESS,      /* the guard let no address pass */
    OUTBOUND_NO_NAME,
    OUTBOUND_NO_CONNECTION,
    OUTBOUND_NO_TLS,
    OUTBOUND_LATE,
    OUTBOUND_BROKEN,               /* not HTTP, or it ended too early */
    OUTBOUND_TOO_LARGE,
    OUTBOUND_SHORT,                /* this gateway lacks files, ports or memory */
    OUTBOUND_ABORTED,
    OUTBOUND_ENDS
};

struct outbound_came {
    enum outbound_end end;
    bool sent;                     /* a byte of the request was */
    int status;                    /* 0: none came */
    int64_t retry_after_us;        /* -1: not told */
};
/* Sets class, unknown, aborted, status and retry_after_us of *ret. */
enum breaker_outcome outbound_judge(const struct outbound_came *came, bool unknown_before, struct outbound_answer *ret);

#define OUTBOUND_RETRY_AFTER_MAX_US (INT64_C(3600) * 1000000)
/* Retry-After (RFC 9110, 10.2.3): seconds, or an IMF-fixdate; at most an hour from now. -1: malformed. */
int64_t outbound_retry_after(struct slice value, int64_t unix_us);

#define OUTBOUND_SHOWN_BYTES ((size_t)4 << 10) /* of a body, in `answer` */
#define OUTBOUND_RESULT_DEPTH 64
/* The body as the result of a step: JSON as it is, other UTF-8 text as a string, all else null. */
void outbound_put_result(struct buf *out, struct slice body);
void outbound_put_error(struct buf *out, const struct outbound_came *came);
/* cut: the body had more. Without the body of a success, which is the result. */
void outbound_put_answer(struct buf *out, const struct outbound_came *came, struct slice content_type, struct slice body, bool cut);

#endif
