#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/engine/group_cell.h"

#define CALL_ARENA ((size_t)64 << 20)
#define IDLE_US (1 * US_PER_S)
#define SWEEP_US (5 * US_PER_S)      /* deadlines of groups that nobody has in memory */
#define PAUSE_US 100000

/* --- calls: any thread --- */

struct group_call *group_call_new(struct stream *s, struct slice group, enum call_kind kind)
{
    struct arena *a = arena_new(CALL_ARENA);
    struct group_call *c = a ? arena_zalloc(a, sizeof *c) : NULL;

    if (c) {
        c->arena = a;
        c->group = arena_slice(a, group);
        c->kind = kind;
    }
    if (!c || !c->group.p) {
        arena_free(a);
        return NULL;
    }
    c->stream = stream_ref(s);
    return c;
}

void group_call_free(struct group_call *c)
{
    if (!c)
        return;
    stream_unref(c->stream);
    buf_free(&c->body);
    arena_free(c->arena);
}

static struct lane *lane_of(const struct groups *g, const struct stream *s)
{
    return &g->lanes[(uint64_t)s->row.stream_id % (uint64_t)g->lane_n];
}

static void signal_locked(struct lane *l)
{
    if (!l->signalled)
        pthread_cond_signal(&l->changed);
    l->signalled = true;
}

enum err groups_submit(struct groups *g, struct group_call *c, struct fault *f)
{
    struct lane *l = lane_of(g, c->stream);
    bool full;

    c->queued_us = clock_mono_us();
    pthread_mutex_lock(&l->lock);
    full = l->stop || l->queued >= (size_t)g->config->groups_queue;
    if (!full) {
        c->at = CALL_QUEUED;
        c->next = NULL;
        *l->last = c;
        l->last = &c->next;
        l->queued++;
        signal_locked(l);
    }
    pthread_mutex_unlock(&l->lock);
    if (!full)
        return OK;
    f->retry_after = 1;
    return fault(f, ERR_OVERLOADED, "Too many calls of consumers wait; nothing was done.");
}

/* Under the lock: what it was given goes back. Lack of memory leaves that to the deadline. */
static void release_locked(struct lane *l, struct group_call *c)
{
    struct release *r = c->lease ? calloc(1, sizeof *r) : NULL;

    if (!r)
        return;
    r->stream = stream_ref(c->stream);
    r->lease = c->lease;
    memcpy(r->group, c->group.p, c->group.n);
    r->next = l->releases;
    l->releases = r;
    signal_locked(l);
}

void groups_leave(struct groups *g, struct group_call *c, bool answered)
{
    struct lane *l = lane_of(g, c->stream);
    bool mine;

    pthread_mutex_lock(&l->lock);
    mine = c->at != CALL_QUEUED;
    if (!mine)
        c->at = CALL_LEFT;
    else if (c->at == CALL_DONE && !c->err && !answered)
        release_locked(l, c);
    pthread_mutex_unlock(&l->lock);
    if (mine)
        group_call_free(c);
}

void group_call_done(struct lane *l, struct group_call *call)
{
    bool left;

    pthread_mutex_lock(&l->lock);
    l->queued--;
    left = call->at == CALL_LEFT;
    if (left) {
        if (!call->err)
            release_locked(l, call);
    } else {
        call->at = CALL_DONE;
        call->done(call, false); /* under the lock: its owner may leave at any time */
    }
    pthread_mutex_unlock(&l->lock);
    if (left)
        group_call_free(call);
}

void lane_signal(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    signal_locked(l);
    pthread_mutex_unlock(&l->lock);
}

void lane_pause(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = PAUSE_US * 1000 }, NULL);
}

void groups_poke(struct groups *g, int64_t stream_id, int64_t group_id)
{
    struct lane *l = &g->lanes[(uint64_t)stream_id % (uint64_t)g->lane_n];

    (void)group_id;              /* all of the lane look: they are few, and a look is cheap */
    pthread_mutex_lock(&l->lock);
    l->poked = true;
    signal_locked(l);
    pthread_mutex_unlock(&l->lock);
}

/* --- cells: the lane's thread --- */

static uint64_t cell_hash(const struct stream *s, struct slice group)
{
    return group_key_hash(group) ^ (uint64_t)s->row.stream_id * 0x9e3779b97f4a7c15u;
}

static struct cell *cell_of(struct lane *l, struct stream *s, struct slice group)
{
    uint64_t hash = cell_hash(s, group);
    struct cell *c;

    for (struct node *n = bag_first(&l->cells, hash); n; n = n->next) {
        c = (struct cell *)n;
        if (n->hash == hash && c->stream->row.stream_id == s->row.stream_id && slice_is(group, c->name))
            return c;
    }
    if (group.n >= sizeof c->name || !(c = calloc(1, sizeof *c)))
        return NULL;
    if (!bag_add(&l->cells, &c->node, hash)) {
        free(c);
        return NULL;
    }
    c->lane = l;
    c->stream = stream_ref(s);
    memcpy(c->name, group.p, group.n);
    c->calls_last = &c->calls;
    c->waiting_last = &c->waiting;
    for (int p = 0; p < PARTITIONS_MAX; p++)
        c->windows[p].last = &c->windows[p].first;
    c->next = l->all;
    l->all = c;
    l->cell_n++;
    return c;
}

static void cell_free(struct cell *c)
{
    tail_unwatch(c->watch);
    cell_forget(c);
    arena_free(c->definition);
    stream_unref(c->stream);
    free(c);
}

static void give_to_cell(struct lane *l, struct group_call *call)
{
    struct cell *c = cell_of(l, call->stream, call->group);

    call->next = NULL;
    if (!c) {
        call->err = ERR_NO_MEMORY;
        group_call_done(l, call);
        return;
    }
    c->used_us = clock_mono_us();
    c->due_us = 0;
    if (call->kind == CALL_RECEIVE) {
        *c->waiting_last = call;
        c->waiting_last = &call->next;
    } else {
        *c->calls_last = call;
        c->calls_last = &call->next;
    }
}

/* Those who gave up waiting. */
static void drop_left(struct cell *c)
{
    struct group_call **at = &c->waiting, *left = NULL, *call;

    pthread_mutex_lock(&c->lane->lock);
    while ((call = *at)) {
        if (call->at != CALL_LEFT) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        call->next = left;
        left = call;
        c->lane->queued--;
    }
    c->waiting_last = at;
    pthread_mutex_unlock(&c->lane->lock);
    while ((call = left)) {
        left = call->next;
        group_call_free(call);
    }
}

static void run_due(struct lane *l, const struct release *releases, bool poked)
{
    struct cell **at = &l->all, *c;

    while ((c = *at)) {
        drop_left(c);
        if (!c->waiting && c->watch) {
            tail_unwatch(c->watch);
            c->watch = NULL;
        }
        if (c->calls || (c->waiting && (poked || atomic_load(&c->woken))) || clock_mono_us() >= c->due_us ||
            (releases && c->state)) {
            c->check |= poked;
            if (c->calls || c->waiting || c->state || c->overdue)
                cell_run(c, releases);
            else
                c->due_us = INT64_MAX;
            c->overdue = false;
        }
        if (!c->waiting && clock_mono_us() - c->used_us > l->groups->config->groups_idle_us &&
            (!c->state || group_state_alarm(c->state, false) == INT64_MAX)) {
            *at = c->next;
            bag_remove(&l->cells, &c->node);
            l->cell_n--;
            cell_free(c);
            continue;
        }
        at = &c->next;
    }
}

/* Deadlines of groups that no gateway may have in memory. */
static void sweep(struct lane *l)
{
    struct arena *a = arena_new((size_t)1 << 20);
    struct overdue_row *rows;
    size_t n = 0;

    if (a && !db_connect(l->db, NULL) && !db_groups_overdue(l->db, a, clock_unix_us() + l->skew_us, &rows, &n, NULL))
        for (size_t i = 0; i < n; i++) {
            struct stream *s = streams_cached(l->groups->streams, rows[i].stream);
            struct cell *c = NULL;

            if (!s && streams_load(l->groups->streams, l->db, rows[i].stream, &s, NULL))
                continue;
            if (lane_of(l->groups, s) == l && (c = cell_of(l, s, rows[i].group))) {
                c->overdue = true;
                c->due_us = 0;
            }
            stream_unref(s);
        }
    arena_free(a);
}

static void free_releases(struct release *r)
{
    for (struct release *next; r; r = next) {
        next = r->next;
        stream_unref(r->stream);
        free(r);
    }
}

/* What came in, or nothing by the time that something is due. */
static struct group_call *wait_for_calls(struct lane *l, struct release **ret_releases, bool *ret_poked, bool *ret_stop)
{
    int64_t until = clock_mono_us() + IDLE_US;
    struct group_call *first;

    for (const struct cell *c = l->all; c; c = c->next)
        if (c->due_us < until)
            until = c->due_us;
    pthread_mutex_lock(&l->lock);
    while (!l->first && !l->signalled && !l->stop && cond_wait_until(&l->changed, &l->lock, until))
        ;
    first = l->first;
    *ret_releases = l->releases;
    *ret_poked = l->poked;
    *ret_stop = l->stop;
    l->first = NULL;
    l->last = &l->first;
    l->releases = NULL;
    l->signalled = l->poked = false;
    pthread_mutex_unlock(&l->lock);
    return first;
}

static void answer_shutdown(struct lane *l)
{
    for (struct cell *c = l->all; c; c = c->next)
        for (struct group_call *call; (call = c->waiting);) {
            c->waiting = call->next;
            call->err = fault(&call->fault, ERR_SHUTTING_DOWN, "The gateway stops.");
            group_call_done(l, call);
        }
}

static void *lane_main(void *arg)
{
    struct lane *l = arg;
    int64_t swept = clock_mono_us();
    bool stop = false, poked;

    while (!stop) {
        struct release *releases;
        struct group_call *call = wait_for_calls(l, &releases, &poked, &stop), *next;

        for (; call; call = next) {
            next = call->next;
            give_to_cell(l, call);
        }
        run_due(l, releases, poked);
        free_releases(releases);
        if (clock_mono_us() - swept > SWEEP_US) {
            sweep(l);
            swept = clock_mono_us();
        }
    }
    answer_shutdown(l);
    return NULL;
}

/* --- start and stop --- */

static bool lane_start(struct groups *g, int i, const struct db_config *db)
{
    struct lane *l = &g->lanes[i];
    char name[24];
    unsigned tag;

    l->groups = g;
    l->index = i;
    l->last = &l->first;
    l->db_config = *db;
    if (RAND_bytes((unsigned char *)&tag, sizeof tag) != 1) /* so that a lost backend is known for certain */
        return false;
    snprintf(l->application_name, sizeof l->application_name, "weir-group-%d-%08x", i, tag);
    l->db_config.application_name = l->application_name;
    l->db_config.one_plan = true;
    pthread_mutex_init(&l->lock, NULL);
    cond_init(&l->changed);
    snprintf(name, sizeof name, "weir-group-%d", i);
    if ((l->db = db_new(&l->db_config)) && thread_start(&l->thread, name, lane_main, l))
        return true;
    db_free(l->db);
    return false;
}

struct groups *groups_new(const struct config *c, const struct db_config *db, struct tail *tail, struct streams *streams,
                          struct outbox *outbox)
{
    struct groups *g = calloc(1, sizeof *g);

    if (!g || !(g->lanes = calloc((size_t)c->groups_lanes, sizeof *g->lanes))) {
        free(g);
        return NULL;
    }
    g->config = c;
    g->tail = tail;
    g->streams = streams;
    g->outbox = outbox;
    if (!aheads_start(g, db)) {
        groups_stop(g);
        return NULL;
    }
    for (; g->lane_n < c->groups_lanes; g->lane_n++)
        if (!lane_start(g, g->lane_n, db)) {
            groups_stop(g);
            return NULL;
        }
    return g;
}

static void lane_stop(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    signal_locked(l);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    for (struct cell *c; (c = l->all);) {
        l->all = c->next;
        cell_free(c);
    }
    bag_free(&l->cells, NULL);
    free_releases(l->releases);
    db_free(l->db);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
}

void groups_stop(struct groups *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->lane_n; i++)
        lane_stop(&g->lanes[i]);
    aheads_stop(g);
    free(g->lanes);
    free(g);
}
