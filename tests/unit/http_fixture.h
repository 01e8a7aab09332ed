#ifndef WEIR_TESTS_HTTP_FIXTURE_H
#define WEIR_TESTS_HTTP_FIXTURE_H

#include <pthread.h>

#include "gateway/http/server.h"

/* A server with a few routes of its own on a free port, and a client that speaks raw bytes. */
struct waiter {
    struct request *rq;
    struct app *app;
    struct waiter *next, *prev;
    bool listed, woken, expected;
    int64_t until_us;
};

struct app {                       /* what the test routes share; the lock guards it all */
    pthread_mutex_t lock;
    struct waiter *waiters;
    int gone;                      /* parked requests whose client left */
    int produced;                  /* chunks that streams may send */
    int freed;                     /* calls of state_free */
    int lanes;                     /* threads that fulfil requests */
    int early;                     /* the same while somebody still worked on the request */
};

struct fixture {
    struct config config;
    struct app app;
    struct auth *auth;
    struct pool *pool;
    struct server *server;
};

#define FIXTURE_SECRET "a secret of at least thirty-two bytes"
#define WORKERS 2
#define WORKER_QUEUE 4

void fixture_config(struct fixture *f);   /* the defaults, to change before fixture_start */
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);
int waiting(struct fixture *f);
void wait_for_waiters(struct fixture *f, int n);
void wake_all(struct fixture *f);
void produce(struct fixture *f, int chunks);
int app_int(struct fixture *f, const int *p);

struct conn {
    int fd;
    char in[1 << 16];              /* received and not yet taken */
    size_t n;
};
struct answer {
    int status;                    /* 0: the connection was closed or nothing came in time */
    char head[4096];
    char *body;                    /* whole, chunks joined; the caller frees; terminated */
    size_t body_n;
    bool closes;
};

void conn_open(struct conn *c, struct fixture *f);
void conn_close(struct conn *c);
void conn_send(struct conn *c, const char *bytes, size_t n);
void conn_say(struct conn *c, const char *text);
bool conn_until(struct conn *c, const char *text);    /* receives until text is in `in`; false: closed or 5 s */
bool conn_closed(struct conn *c, int within_ms);      /* the server closes it, sending nothing more */
struct answer conn_answer(struct conn *c);
struct answer ask(struct fixture *f, const char *text); /* a connection of its own */
const char *answer_header(const struct answer *a, const char *name, char out[512]); /* NULL: absent */
int status_of(struct fixture *f, const char *text);

#endif
