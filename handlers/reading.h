#ifndef WEIR_HANDLERS_READING_H
#define WEIR_HANDLERS_READING_H

#include "gateway/app_parts.h"
#include "gateway/engine/read.h"
#include "gateway/http/reply.h"

/* A request for events while it is served: read.c answers pages, subscribe.c streams. The request's state. */
enum read_format { READ_PAGE, READ_BATCH, READ_NDJSON, READ_SSE };

#define LIVE_BATCH 32

struct reading {
    enum read_format format;
    struct stream *stream;
    struct filter filter;
    struct read_spec spec;     /* pos: the reader's position, moved with what it was given */
    struct slice cursor_text;  /* not yet parsed: the stream's definition must be known first */
    int64_t deadline_us;       /* long-poll: monotonic; 0: do not wait */
    int64_t expires_us;        /* of the token, monotonic: no answer is given later */
    struct watch *watch;

    /* of the last job */
    enum err err;
    struct buf body;           /* rendered events */
    size_t events;
    bool up_to_date, asked;    /* asked: the database has been asked once */

    /* an event stream */
    bool started, announced, ending;
    size_t sent;               /* of body */
    struct ring_event *live[LIVE_BATCH];
    size_t live_n, live_at, live_sent;
    bool live_shared;
    int64_t quiet_since_us;    /* monotonic */
};

void reading_page(struct request *rq); /* a job: one page from the database into r->body */
size_t reading_cursor(const struct reading *r, char *out); /* of r->spec.pos */
bool reading_watch(struct request *rq, struct reading *r);

/* subscribe.c: answers with the stream; the first page is in r. */
enum err subscribe_reply(struct request *rq, struct reply *rp, struct reading *r);
void subscribe_render(struct reading *r, const struct event *events, size_t n, int64_t *pos);
void subscribe_gap(struct reading *r, const int64_t *to);

#endif
