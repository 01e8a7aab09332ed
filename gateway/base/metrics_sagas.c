#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

#include "gateway/base/metrics_table.h"

/* Sagas: counted as they go on, by name; and how many there are now, as it was collected last. */

enum family { STARTED, ENDED, BACK, PAUSED, SECONDS, STEPS, STEP_SECONDS, INSTANCES, DROPPED, COLLECTED, FAMILIES };

static const struct metric_bounds bounds = { 14, { 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400, 259200, 604800 } };
static const struct metric_row rows[FAMILIES] = {
    [STARTED] = { "weir_saga_started_total", COUNTER, "Instances of a saga that were started.", NULL },
    [ENDED] = { "weir_saga_ended_total", COUNTER, "Instances of a saga that ended, by their state.", NULL },
    [BACK] = { "weir_saga_compensating_total", COUNTER, "Instances of a saga that turned back.", NULL },
    [PAUSED] = { "weir_saga_paused_total", COUNTER, "How often instances of a saga paused for an operator.", NULL },
    [SECONDS] = { "weir_saga_seconds", HISTOGRAM, "Time from the start of an instance to its end.", &bounds },
    [STEPS] = { "weir_saga_steps_total", COUNTER, "What became of steps, and of attempts that are made again.", NULL },
    [STEP_SECONDS] = { "weir_saga_step_seconds_total", COUNTER,
                       "Time from the beginning of steps to their success or failure.", NULL },
    [INSTANCES] = { "weir_saga_instances", GAUGE, "Instances of a saga that have not ended, by their state.", NULL },
    [DROPPED] = { "weir_saga_series_dropped", GAUGE, "Sagas without figures, beyond metrics.groups_max.", NULL },
    [COLLECTED] = { "weir_saga_figures_timestamp_seconds", GAUGE,
                    "When instances that have not ended were counted, in unix time; 0: never.", NULL },
};

static const char *const ended_names[] = { "completed", "compensated", "failed" };
static const char *const outcomes[METRIC_STEP_END] = { "succeeded", "failed", "skipped", "again" };

/* Of a saga, or (step.n > 0) of one of its steps and a kind. */
struct series {
    struct slice saga, step, kind;
    int64_t n[METRIC_SAGA_END + METRIC_STEP_END]; /* by enum metric_saga, or enum metric_step */
    int64_t in_bucket[METRIC_BUCKETS + 1];
    double seconds;
    char text[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *all;                /* under lock, as what follows: a tree, by names */
static size_t saga_n, step_n;
static struct metric_kept kept = METRIC_KEPT;

static int by_name(const void *x, const void *y)
{
    const struct series *a = x, *b = y;
    int c = slice_order(a->saga, b->saga);

    c = c ? c : slice_order(a->step, b->step);
    return c ? c : slice_order(a->kind, b->kind);
}

static struct slice copy(char **at, struct slice s)
{
    struct slice c = { *at, s.n };

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return c;
}

static struct series *make(const struct series *key)
{
    struct series *s = calloc(1, sizeof *s + key->saga.n + key->step.n + key->kind.n);
    char *at = s ? s->text : NULL;

    if (!s)
        return NULL;
    s->saga = copy(&at, key->saga);
    s->step = copy(&at, key->step);
    s->kind = copy(&at, key->kind);
    if (tsearch(s, &all, by_name))
        return s;
    free(s);
    return NULL;
}

/* Under the lock. Those that are too many are counted together. NULL: no memory, then it is not counted. */
static struct series *find(struct series key)
{
    size_t *n = key.step.n ? &step_n : &saga_n, max = key.step.n ? METRICS_SAGA_STEPS : METRICS_SAGAS;
    struct series *const *found = tfind(&key, &all, by_name);

    if (!found && *n >= max) {
        key.saga = SLICE("_other");
        key.step = key.step.n ? key.saga : SLICE_NONE;
        found = tfind(&key, &all, by_name);
    }
    if (found)
        return *found;
    (*n)++;
    return make(&key);
}

static void count(struct series key, int what, bool timed, double seconds)
{
    struct series *s;
    size_t i = 0;

    pthread_mutex_lock(&lock);
    if ((s = find(key))) {
        s->n[what]++;
        while (i < bounds.n && seconds > bounds.at[i])
            i++;
        s->in_bucket[i] += timed;
        s->seconds += timed ? seconds : 0;
    }
    pthread_mutex_unlock(&lock);
}

void metric_saga(struct slice saga, enum metric_saga what, double seconds)
{
    count((struct series){ .saga = saga }, what, what >= METRIC_SAGA_COMPLETED, seconds);
}

void metric_saga_step(struct slice saga, struct slice step, const char *kind, enum metric_step what, double seconds)
{
    count((struct series){ .saga = saga, .step = step, .kind = slice_of(kind) }, what, what <= METRIC_STEP_FAILED, seconds);
}

/* --- as text --- */

struct printing {
    struct buf *b;
    enum family family;
};

static void put_histogram(struct buf *b, const char *name, const struct series *s)
{
    int64_t n = 0;

    for (size_t i = 0; i <= bounds.n; i++) {
        n += s->in_bucket[i];
        buf_printf(b, "%s_bucket{saga=\"%.*s\",le=\"", name, (int)s->saga.n, s->saga.p);
        if (i < bounds.n)
            buf_printf(b, "%g", bounds.at[i]);
        else
            BUF_LIT(b, "+Inf");
        buf_printf(b, "\"} %" PRId64 "\n", n);
    }
    buf_printf(b, "%s_sum{saga=\"%.*s\"} %.6f\n", name, (int)s->saga.n, s->saga.p, s->seconds);
    buf_printf(b, "%s_count{saga=\"%.*s\"} %" PRId64 "\n", name, (int)s->saga.n, s->saga.p, n);
}

static void put_saga(struct buf *b, enum family f, const struct series *s)
{
    static const enum metric_saga of[] = { [STARTED] = METRIC_SAGA_STARTED, [BACK] = METRIC_SAGA_BACK,
                                           [PAUSED] = METRIC_SAGA_PAUSED };

    if (f == SECONDS)
        put_histogram(b, rows[f].name, s);
    else if (f == ENDED)
        for (int i = 0; i < METRIC_SAGA_END - METRIC_SAGA_COMPLETED; i++)
            buf_printf(b, "%s{saga=\"%.*s\",state=\"%s\"} %" PRId64 "\n", rows[f].name, (int)s->saga.n, s->saga.p, ended_names[i],
                       s->n[METRIC_SAGA_COMPLETED + i]);
    else
        buf_printf(b, "%s{saga=\"%.*s\"} %" PRId64 "\n", rows[f].name, (int)s->saga.n, s->saga.p, s->n[of[f]]);
}

static void put_step(struct buf *b, enum family f, const struct series *s)
{
    struct buf of = { 0 };

    buf_printf(&of, "%s{saga=\"%.*s\",step=\"%.*s\",kind=\"%.*s\"", rows[f].name, (int)s->saga.n, s->saga.p, (int)s->step.n,
               s->step.p, (int)s->kind.n, s->kind.p);
    if (f == STEP_SECONDS) {
        buf_put(b, of.p, of.n);
        buf_printf(b, "} %.6f\n", s->seconds);
    }
    for (int i = 0; f == STEPS && i < METRIC_STEP_END; i++) {
        buf_put(b, of.p, of.n);
        buf_printf(b, ",outcome=\"%s\"} %" PRId64 "\n", outcomes[i], s->n[i]);
    }
    b->failed |= of.failed;
    buf_free(&of);
}

static void put(const void *node, VISIT when, void *printing)
{
    const struct series *s = *(struct series *const *)node;
    const struct printing *p = printing;

    if (when != postorder && when != leaf) /* in their order */
        return;
    if (!s->step.n && p->family < STEPS)
        put_saga(p->b, p->family, s);
    else if (s->step.n && p->family >= STEPS)
        put_step(p->b, p->family, s);
}

static void put_now(struct buf *b, const struct metric_saga_now *v, size_t n, int64_t dropped, int64_t unix_us)
{
    static const char *const states[METRIC_SAGA_STATES] = { "running", "waiting", "paused", "compensating" };

    metric_head(b, &rows[INSTANCES]);
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < METRIC_SAGA_STATES; s++)
            buf_printf(b, "%s{saga=\"%.*s\",state=\"%s\"} %" PRId64 "\n", rows[INSTANCES].name, (int)v[i].name.n, v[i].name.p,
                       states[s], v[i].in_state[s]);
    metric_collected(b, &rows[DROPPED], dropped, &rows[COLLECTED], unix_us);
}

bool metrics_sagas_set(const struct metric_saga_now *v, size_t n, int64_t dropped, int64_t unix_us)
{
    struct buf b = { 0 };

    put_now(&b, v, n, dropped, unix_us);
    return metric_keep(&kept, &b);
}

void metrics_sagas(struct buf *out)
{
    pthread_mutex_lock(&lock);
    for (enum family f = STARTED; f < INSTANCES; f++) {
        metric_head(out, &rows[f]);
        twalk_r(all, put, &(struct printing){ out, f });
    }
    pthread_mutex_unlock(&lock);
    if (!metric_kept(&kept, out))
        put_now(out, NULL, 0, 0, 0);
}
