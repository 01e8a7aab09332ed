#include "gateway/engine/projection_parts.h"

#include <stdlib.h>

#define FIRST_BATCH 200 /* events: a step grows from here while there is more */

struct folder *folder_ref(struct folder *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void folder_unref(struct folder *f)
{
    if (f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1) {
        arena_free(f->arena);
        free(f);
    }
}

static struct fold_part **bucket_of(struct projections *p, int64_t stream_id, int32_t partition)
{
    return &p->parts[((uint64_t)stream_id + (uint64_t)partition) % PART_BUCKETS];
}

static bool same_part(const struct part_id *x, const struct part_id *y)
{
    return x->projection_id == y->projection_id && x->build == y->build && x->stream_id == y->stream_id &&
           x->partition == y->partition;
}

/* Under the lock, as all that follows. */
static void queue_part(struct projections *p, struct fold_part *part)
{
    if (part->state == PART_RUNNING)
        part->again = true;
    if (part->state != PART_IDLE)
        return;
    part->state = PART_QUEUED;
    part->late = false;
    part->next = NULL;
    *p->queues[part->queue].last = part;
    p->queues[part->queue].last = &part->next;
    pthread_cond_signal(&p->changed);
}

static void unqueue(struct projections *p, struct fold_part *part)
{
    struct part_queue *q = &p->queues[part->queue];
    struct fold_part **at = &q->first;

    while (*at != part)
        at = &(*at)->next;
    *at = part->next;
    if (q->last == &part->next)
        q->last = at;
}

static void free_part(struct fold_part *part)
{
    stream_unref(part->stream);
    folder_unref(part->folder);
    free(part);
}

static void remove_part(struct projections *p, struct fold_part *part)
{
    struct fold_part **at = bucket_of(p, part->id.stream_id, part->id.partition);

    if (part->state == PART_QUEUED)
        unqueue(p, part);
    while (*at != part)
        at = &(*at)->chain;
    *at = part->chain;
    p->count--;
    free_part(part);
}

bool parts_add(struct projections *p, const struct claim_row *claim, struct stream *s, struct folder *f)
{
    struct fold_part *part = calloc(1, sizeof *part), **at;

    if (!part) {
        stream_unref(s);
        folder_unref(f);
        return false;
    }
    *part = (struct fold_part){ .id = claim->id, .number = claim->part, .epoch = claim->epoch, .upto = claim->upto, .stream = s,
                                .folder = f, .batch = FIRST_BATCH, .position = claim->position,
                                .first = claim->first,
                                .fresh = claim->position == claim->first && claim->first < claim->target,
                                .queue = claim->build_state != BUILD_ACTIVE };
    pthread_mutex_lock(&p->lock);
    at = bucket_of(p, part->id.stream_id, part->id.partition);
    part->chain = *at;
    *at = part;
    p->count++;
    queue_part(p, part);
    pthread_mutex_unlock(&p->lock);
    return true;
}

void parts_head(struct projections *p, int64_t stream_id, int32_t partition, int64_t head)
{
    pthread_mutex_lock(&p->lock);
    for (struct fold_part *x = *bucket_of(p, stream_id, partition); x; x = x->chain)
        if (x->id.stream_id == stream_id && x->id.partition == partition && x->position < head)
            queue_part(p, x);
    pthread_mutex_unlock(&p->lock);
}

void parts_wake(struct projections *p, const struct part_id *id)
{
    pthread_mutex_lock(&p->lock);
    for (struct fold_part *x = *bucket_of(p, id->stream_id, id->partition); x; x = x->chain)
        if (same_part(&x->id, id) && x->state == PART_IDLE)
            queue_part(p, x);
    pthread_mutex_unlock(&p->lock);
}

void parts_wake_late(struct projections *p)
{
    pthread_mutex_lock(&p->lock);
    for (size_t b = 0; b < PART_BUCKETS; b++)
        for (struct fold_part *x = p->parts[b]; x; x = x->chain)
            if (x->late)
                queue_part(p, x);
    pthread_mutex_unlock(&p->lock);
}

static int by_id(const void *a, const void *b)
{
    const struct part_id *x = &((const struct claim_row *)a)->id, *y = &((const struct claim_row *)b)->id;

    if (x->projection_id != y->projection_id)
        return x->projection_id < y->projection_id ? -1 : 1;
    if (x->build != y->build)
        return x->build < y->build ? -1 : 1;
    if (x->stream_id != y->stream_id)
        return x->stream_id < y->stream_id ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

void parts_keep(struct projections *p, struct claim_row *mine, size_t n, bool *ret_here)
{
    qsort(mine, n, sizeof *mine, by_id);
    pthread_mutex_lock(&p->lock);
    for (size_t b = 0; b < PART_BUCKETS; b++)
        for (struct fold_part *x = p->parts[b], *next; x; x = next) {
            const struct claim_row key = { .id = x->id },
                                   *at = bsearch(&key, mine, n, sizeof *mine, by_id);

            next = x->chain;
            if (at && at->epoch == x->epoch)
                ret_here[at - mine] = true;
            else if (x->state == PART_RUNNING)
                x->drop = true;
            else
                remove_part(p, x);
        }
    pthread_mutex_unlock(&p->lock);
}

size_t parts_take_out(struct projections *p, size_t n, struct claim_row *ret)
{
    size_t taken = 0;

    pthread_mutex_lock(&p->lock);
    for (size_t b = 0; b < PART_BUCKETS; b++)
        for (struct fold_part *x = p->parts[b], *next; x && taken < n; x = next) {
            next = x->chain;
            if (x->state == PART_RUNNING)
                continue;
            ret[taken++] = (struct claim_row){ .id = x->id, .epoch = x->epoch };
            remove_part(p, x);
        }
    pthread_mutex_unlock(&p->lock);
    return taken;
}

/* What is read never waits for a step of what is being built, unless there is but one thread. */
static struct fold_part *choose(struct projections *p)
{
    if (p->queues[0].first)
        return p->queues[0].first;
    return !p->building || p->building + 1 < (size_t)p->config->projections_threads ? p->queues[1].first : NULL;
}

struct fold_part *parts_next(struct projections *p)
{
    struct fold_part *part = NULL;

    pthread_mutex_lock(&p->lock);
    while (!p->stopping && !(part = choose(p)))
        pthread_cond_wait(&p->changed, &p->lock);
    if (p->stopping)
        part = NULL;
    if (part) {
        unqueue(p, part);
        p->building += (size_t)part->queue;
        part->state = PART_RUNNING;
        part->again = false;
    }
    pthread_mutex_unlock(&p->lock);
    return part;
}

void parts_done(struct projections *p, struct fold_part *part, enum step_end end, int64_t position)
{
    pthread_mutex_lock(&p->lock);
    part->position = position;
    part->state = PART_IDLE;
    p->building -= (size_t)part->queue;
    if (p->queues[1].first)
        pthread_cond_signal(&p->changed);
    part->late = end == STEP_LATE;
    if (part->drop || end == STEP_LOST)
        remove_part(p, part);
    else if (end == STEP_MORE || (part->again && end == STEP_IDLE))
        queue_part(p, part);
    pthread_mutex_unlock(&p->lock);
}

size_t parts_count(struct projections *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->count;
    pthread_mutex_unlock(&p->lock);
    return n;
}

size_t parts_list(struct projections *p, struct arena *a, struct claim_row **ret)
{
    size_t n = 0;

    pthread_mutex_lock(&p->lock);
    *ret = arena_zalloc(a, (p->count + 1) * sizeof **ret);
    for (size_t b = 0; *ret && b < PART_BUCKETS; b++)
        for (const struct fold_part *x = p->parts[b]; x; x = x->chain)
            (*ret)[n++] = (struct claim_row){ .id = x->id, .part = x->number };
    pthread_mutex_unlock(&p->lock);
    return n;
}

void parts_stop(struct projections *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void parts_free(struct projections *p)
{
    for (size_t b = 0; b < PART_BUCKETS; b++)
        while (p->parts[b])
            remove_part(p, p->parts[b]);
}
