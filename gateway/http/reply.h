#ifndef WEIR_HTTP_REPLY_H
#define WEIR_HTTP_REPLY_H

#include "gateway/http/request.h"

/* The answer of one request, filled by its handler, sent by the server. Header values are copied. */
struct reply_header {
    const char *name, *value;
};
#define REPLY_HEADERS_MAX 12

/* A stream's reader runs on the loop's thread when the client can take more: writes up to max bytes and returns their
 * number; 0: nothing now (it has arranged for request_wake before, or started a job: then it must write nothing); -1: the end
 * of the stream. */
typedef long reader_fn(struct request *rq, char *out, size_t max);

struct reply {
    int status;                 /* 0: none yet */
    const char *content_type;
    struct buf body;            /* ownership passes to the server */
    struct slice fixed;         /* instead of body: bytes that live as long as the program */
    reader_fn *reader;          /* instead of body: a stream of unknown length */
    struct reply_header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    bool close;                 /* close the connection after it */
};

/* The value is copied into the arena, the name is not. */
void reply_header(struct request *rq, struct reply *rp, const char *name, const char *value);
/* Takes the buffer over; ERR_NO_MEMORY if it failed. */
enum err reply_bytes(struct reply *rp, int status, const char *content_type, struct buf *body);
enum err reply_json(struct reply *rp, int status, struct buf *body);   /* application/json */
enum err reply_fixed(struct reply *rp, int status, const char *content_type, struct slice bytes);
enum err reply_empty(struct reply *rp, int status);
enum err reply_stream(struct reply *rp, int status, const char *content_type, reader_fn *reader);

/* err → problem+json (RFC 9457) from the table of problems.c and rq->fault; sets WWW-Authenticate, Retry-After, and so on. Replaces
 * whatever rp held. */
void reply_problem(struct request *rq, struct reply *rp, enum err e);

/* problems.c: one row an error. */
struct problem {
    int status;
    const char *code;           /* stable, kebab-case */
    const char *title;          /* a short sentence */
    const char *explain;        /* for the page at /problems/<code>: why it comes and what to do, one to three sentences */
};
const struct problem *problem_of(enum err e);
const struct problem *problem_by_code(struct slice code);
extern const struct problem problems[];   /* indexed by enum err; rows without code are internal */
extern const size_t problem_count;

#endif
