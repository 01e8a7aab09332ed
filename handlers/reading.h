#ifndef WEIR_HANDLERS_READING_H
#define WEIR_HANDLERS_READING_H

#include "gateway/app_parts.h"
#include "gateway/engine/read.h"
#include "gateway/http/reply.h"

/* A request for events while it is served, of one stream or of several: reading.c has what all share, read.c answers pages,
 * subscribe.c streams, read_many.c knows which streams and their common cursor. The request's state. */
enum read_format { READ_PAGE, READ_BATCH, READ_NDJSON, READ_SSE };

#define LIVE_BATCH 32

/* A stream that is read. */
struct member {
    struct request *rq;
    struct stream *stream;     /* a reference */
    struct watch *watch;       /* NULL: not watched (yet) */
    atomic_bool due;           /* look into memory: nobody has yet, or it was woken since */
    bool named;                /* the caller named it; else a pattern matched, and it may go */
    bool ask;                  /* read it from the database */
    bool vouched;              /* a page has judged pos */
    bool current;              /* a page reached its end */
    bool cold;                 /* memory knows nothing of it yet */
    int64_t pos[];             /* of each partition, the last offset seen */
};

struct many;                   /* read_many.c */

struct reading {
    enum read_format format;
    struct member **members;   /* room for what may be added */
    size_t n;
    struct many *many;         /* NULL: of one stream */
    struct read_spec spec;     /* of each member in turn; its filter is in the arena */
    struct slice cursor_text;  /* not yet parsed: the streams must be known first */
    int64_t deadline_us;       /* long-poll: monotonic; 0: do not wait */
    int64_t expires_us;        /* of the token, monotonic: no answer is given later */

    /* of the last job */
    enum err err;
    struct buf body;           /* rendered events */
    size_t events;
    bool up_to_date, asked;    /* asked: the database has been asked once */
    bool waited;               /* memory has been looked at */

    /* an event stream */
    bool started, announced, ending, unspeakable; /* unspeakable: the cursor has become too long */
    bool withheld;             /* events that the position is past were not sent: it must not be told */
    size_t sent;               /* of body */
    struct ring_event *live[LIVE_BATCH];
    struct member *live_of;
    size_t live_n, live_at, live_sent;
    bool live_shared;
    size_t turn;               /* the next member to look at */
    bool again, work;          /* in this round: one had events; the database is needed */
    int64_t quiet_since_us;    /* monotonic */
};

/* reading.c. A new one, with what the query says of all but the streams; `max` members at most. */
enum err reading_open(struct request *rq, size_t max, struct reading **ret);
/* Takes the reference over; its positions are 0. NULL: out of memory, and the reference is gone. */
struct member *reading_add(struct request *rq, struct reading *r, struct stream *s);
void reading_drop(struct reading *r, struct member *m);   /* it was deleted */
bool reading_watch(struct request *rq, struct reading *r, struct member *m);
void reading_ask(struct member *m);                       /* memory does not have what follows: unwatched, marked */
size_t reading_cursor(const struct reading *r, char *out);/* of where it is; 0: longer than cursors may be */
enum err reading_too_long(struct request *rq);
void reading_page(struct request *rq);                    /* a job: what is asked for, from the database into r->body */
void reading_open_body(struct reading *r);
void reading_separator(struct reading *r);

/* read.c: the answer once a job was done, or memory may have it. */
enum err reading_answer(struct request *rq, struct reply *rp, struct reading *r);
enum err reading_one(struct request *rq, struct reading *r, struct stream *s);  /* its one stream is known: takes the reference */

/* read_many.c: finds the streams, at first and when one has come; on a worker. */
enum err many_resolve(struct request *rq, struct reading *r, struct arena *a);
bool many_came(const struct reading *r);                  /* many_resolve is due */
void many_changed(struct reading *r);                     /* a member was added or dropped */
size_t many_cursor(const struct reading *r, char *out);
void many_free(struct reading *r);                        /* what the arena does not hold */

/* subscribe.c: answers with the stream; the first page is in r. */
enum err subscribe_reply(struct request *rq, struct reply *rp, struct reading *r);
void subscribe_render(struct reading *r, struct member *const *of, const struct event *events, size_t n);
void subscribe_gap(struct reading *r, struct member *const *of, const struct read_member *to, size_t n);

#endif
