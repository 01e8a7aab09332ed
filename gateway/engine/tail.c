#include "gateway/engine/tail.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/arrivals.h"
#include "gateway/engine/read.h"
#include "gateway/engine/tail_ring.h"

#define POLL_CHUNK 512
#define POLL_ARENA ((size_t)8 << 20) /* a chunk of streams with 64 partitions takes two of them */

struct tail {
    const struct config *config;
    struct streams *streams;
    const struct db_config *listen_config;
    struct db *db;
    struct rings rings;
    struct arrivals arrivals;
    struct listen *listen;
    struct buf scratch;
    atomic_bool stop, listening;
    void (*_Atomic revoked)(void *arg); /* NULL: nobody wants to know; revoked_arg is set before */
    void *revoked_arg;
    void (*_Atomic moved)(void *arg, int64_t stream_id); /* likewise */
    void *moved_arg;
    struct tail_ear ear;
    atomic_bool heard;                  /* ear is set */
    int wake_fd;
    pthread_t thread;
};

struct watch *tail_watch(struct tail *t, struct stream *s, int only, void (*wake)(void *arg, bool more), void *arg)
{
    bool cold;
    struct watch *w = rings_watch(&t->rings, s, only, wake, arg, &cold);

    if (w && cold && eventfd_write(t->wake_fd, 1)) {
        tail_unwatch(w);
        return NULL;
    }
    return w;
}

void tail_unwatch(struct watch *w)
{
    if (w)
        rings_unwatch(w);
}

void tail_trust(struct watch *w)
{
    rings_trust(w);
}

enum tail_state tail_next(struct watch *w, const int64_t *pos, struct ring_event **ret, size_t max, size_t *ret_n,
                          bool *ret_shared)
{
    return rings_next(w, pos, ret, max, ret_n, ret_shared);
}

void tail_committed(struct tail *t, struct stream *s, struct event *const *events, size_t n)
{
    if (rings_committed(&t->rings, s->row.stream_id, events, n))
        eventfd_write(t->wake_fd, 1);
}

void tail_wake(struct tail *t, struct stream *s)
{
    rings_wake(&t->rings, s->row.stream_id);
}

void tail_forget(struct tail *t, int64_t stream_id)
{
    streams_forget(t->streams, stream_id);
    rings_gone(&t->rings, stream_id);
}

struct arrivals *tail_arrivals(struct tail *t)
{
    return &t->arrivals;
}

void tail_on_revocation(struct tail *t, void (*fn)(void *arg), void *arg)
{
    t->revoked_arg = arg;
    atomic_store(&t->revoked, fn);
}

void tail_on_heads(struct tail *t, void (*fn)(void *arg, int64_t stream_id), void *arg)
{
    t->moved_arg = arg;
    atomic_store(&t->moved, fn);
}

void tail_on_projections(struct tail *t, const struct tail_ear *ear)
{
    t->ear = *ear;
    atomic_store(&t->heard, true);
}

bool tail_listening(const struct tail *t)
{
    return atomic_load(&t->listening);
}

/* What concerns the definition of a stream. */
static void on_definition(struct tail *t, char what, const char *text)
{
    char *rest;
    int64_t id = strtoll(text, &rest, 10);

    if (what == 'n') {
        arrivals_came(&t->arrivals, id, slice_of(*rest ? rest + 1 : rest));
        return;
    }
    streams_forget(t->streams, id);
    if (what == 'd') {
        arrivals_went(&t->arrivals, id);
        rings_gone(&t->rings, id);
    }
}

static void tell_revoked(struct tail *t)
{
    void (*fn)(void *arg) = atomic_load(&t->revoked);

    if (fn)
        fn(t->revoked_arg);
}

static void tell_moved(struct tail *t, int64_t id)
{
    void (*fn)(void *arg, int64_t stream_id) = atomic_load(&t->moved);

    if (fn)
        fn(t->moved_arg, id);
}

static void tell_head(struct tail *t, int64_t id, long partition, int64_t head)
{
    rings_target(&t->rings, id, (int)partition, head);
    if (atomic_load(&t->heard) && partition >= 0 && partition < PARTITIONS_MAX)
        t->ear.head(t->ear.arg, id, (int32_t)partition, head);
}

static void tell_all(struct tail *t)
{
    rings_poll_all(&t->rings);
    if (atomic_load(&t->heard))
        t->ear.head(t->ear.arg, 0, 0, 0);
    tell_moved(t, 0);
}

/* "r": the list of revoked tokens has changed. "n<stream> <name>": a new stream. "d<stream>": deleted. "c<stream>": changed.
 * "h<stream>:<partition>:<head>,<partition>:<head>;…": heads. "": look at all. "p<projection>…": projections.h. */
static void on_notification(void *arg, struct slice payload)
{
    struct tail *t = arg;
    char text[8192], *p = text;

    metric_add(M_TAIL_NOTIFICATIONS, 1);
    if (payload.n >= sizeof text)
        return;
    memcpy(text, payload.p, payload.n);
    text[payload.n] = '\0';
    if (*p == 'n' || *p == 'd' || *p == 'c') {
        on_definition(t, *p, p + 1);
        return;
    }
    if (*p == 'r')
        tell_revoked(t);
    if (*p == 'p' && atomic_load(&t->heard))
        t->ear.projection(t->ear.arg, p + 1);
    if (*p == '\0')
        tell_all(t);
    while (*p == 'h') {
        int64_t id = strtoll(p + 1, &p, 10);

        tell_moved(t, id);
        while (*p == ':' || *p == ',') {
            long partition = strtol(p + 1, &p, 10);
            int64_t head = *p == ':' ? strtoll(p + 1, &p, 10) : 0;

            tell_head(t, id, partition, head);
        }
        if (*p == ';')
            p++;
    }
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Heads of the watched streams that are due. */
static enum err poll_some(struct tail *t, struct arena *a, int64_t *ids, size_t n)
{
    int64_t heads[PARTITIONS_MAX];
    struct head_row *rows;
    size_t count, i = 0;
    enum err e;

    qsort(ids, n, sizeof *ids, by_id);
    if ((e = db_stream_figures(t->db, a, ids, n, &rows, &count, NULL)))
        return e;
    metric_add(M_TAIL_POLLS, 1);
    for (size_t k = 0; k < n; k++) {
        int partitions = 0;

        for (; i < count && rows[i].stream_id == ids[k] && partitions < PARTITIONS_MAX; i++)
            heads[partitions++] = rows[i].head;
        rings_heads(&t->rings, ids[k], heads, partitions);
    }
    return OK;
}

static enum err poll_heads(struct tail *t)
{
    int64_t ids[POLL_CHUNK];
    size_t n;
    enum err e = OK;

    while (!e && (n = rings_due(&t->rings, ids, POLL_CHUNK))) {
        struct arena *a = arena_new(POLL_ARENA);

        e = a ? poll_some(t, a, ids, n) : ERR_NO_MEMORY;
        arena_free(a);
    }
    if (e)
        rings_poll_all(&t->rings);
    return e;
}

/* Streams that came without a notification that reached us. */
static enum err poll_streams(struct tail *t)
{
    struct stream_mark mark;
    enum err e = OK;

    if (arrivals_waiting(&t->arrivals) && !(e = db_stream_mark(t->db, &mark, NULL)))
        arrivals_mark(&t->arrivals, &mark);
    return e;
}

static enum err fetch_missing(struct tail *t)
{
    struct rings_gap gap;
    enum err e = OK;

    while (!e && rings_gap(&t->rings, &gap)) {
        struct arena *a = arena_new(64 << 20);
        struct read_spec spec = { .only = -1, .limit = t->config->tail_ring_events / 4 + 1,
                                  .bytes = t->config->tail_ring_bytes / 4 + 1, .scan = INT64_MAX };
        struct read_page page = { 0 };

        spec.pos = gap.pos;
        e = a ? read_page(t->db, a, gap.stream, &spec, &page, NULL) : ERR_NO_MEMORY;
        if (e == ERR_CURSOR_EXPIRED || e == ERR_CURSOR_UNKNOWN || e == ERR_UNKNOWN_STREAM) {
            rings_lost(&t->rings, gap.stream->row.stream_id, e == ERR_UNKNOWN_STREAM);
            e = OK;
        } else if (!e) {
            metric_add(M_TAIL_FETCHED, (int64_t)page.n);
            rings_fetched(&t->rings, gap.stream->row.stream_id, page.events, page.n);
            if (page.n == 0)
                e = ERR_DATABASE_UNAVAILABLE; /* a server that lags: look again after a pause */
        }
        stream_unref(gap.stream);
        arena_free(a);
    }
    return e;
}

/* What was notified while LISTEN was down is not heard of any more. */
static void hear(struct tail *t, int64_t timeout_us)
{
    bool was_up = atomic_load(&t->listening), up = listen_wait(t->listen, timeout_us, t->wake_fd, on_notification, t);

    atomic_store(&t->listening, up);
    if (up && !was_up)
        tell_all(t);
}

static void *tail_main(void *arg)
{
    struct tail *t = arg;
    int64_t next_poll = 0, pause = 0;

    pthread_setname_np(pthread_self(), "weir-tail");
    while (!atomic_load(&t->stop)) {
        int64_t now = clock_mono_us();
        bool all = now >= next_poll;
        enum err e = db_connect(t->db, NULL);

        if (all) /* whatever was notified: LISTEN may be dead, a notification lost */
            rings_poll_all(&t->rings);
        if (!e)
            e = poll_heads(t);
        if (!e && all)
            e = poll_streams(t);
        if (!e)
            e = fetch_missing(t);
        if (all) {
            rings_expire(&t->rings, t->config->tail_idle_us);
            next_poll = now + t->config->tail_poll_us;
        }
        pause = e ? (pause ? pause * 2 : 50000) : 0;
        if (pause > t->config->tail_poll_us)
            pause = t->config->tail_poll_us;
        if (!e)
            pause = next_poll - clock_mono_us();
        hear(t, pause > 0 ? pause : 0);
        eventfd_read(t->wake_fd, &(eventfd_t){ 0 });
        if (!e)
            pause = 0;
    }
    return NULL;
}

struct tail *tail_new(const struct config *c, const struct db_config *listen_db, const struct db_config *db,
                      struct streams *streams)
{
    struct tail *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->config = c;
    t->streams = streams;
    t->listen_config = listen_db;
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->db = db_new(db);
    t->listen = listen_new(listen_db, "weir");
    arrivals_init(&t->arrivals);
    rings_init(&t->rings, (size_t)c->tail_ring_events, (size_t)c->tail_ring_bytes);
    t->rings.memory.max = (size_t)c->tail_memory;
    if (t->wake_fd >= 0 && t->db && t->listen && !pthread_create(&t->thread, NULL, tail_main, t))
        return t;
    db_free(t->db);
    listen_free(t->listen);
    rings_free(&t->rings);
    free(t);
    return NULL;
}

void tail_stop(struct tail *t)
{
    if (!t)
        return;
    atomic_store(&t->stop, true);
    eventfd_write(t->wake_fd, 1);
    pthread_join(t->thread, NULL);
    listen_free(t->listen);
    db_free(t->db);
    rings_free(&t->rings);
    arrivals_free(&t->arrivals);
    buf_free(&t->scratch);
    close(t->wake_fd);
    free(t);
}
