#include "gateway/engine/streams.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/glob.h"
#include "gateway/base/random.h"

#define DEFINITION_AGE_US (30 * US_PER_S)
#define BUCKETS 4096
#define NAME_LONGEST 120
#define LIST_PAGE 1000
#define WEEK_US (7 * 24 * 3600 * US_PER_S)

struct entry {
    struct entry *next;
    struct stream *stream;
};

struct streams {
    const struct config *config;
    pthread_mutex_t lock; /* guards buckets and count */
    struct entry *buckets[BUCKETS];
    size_t count;
};

struct stream *stream_ref(struct stream *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void stream_unref(struct stream *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        arena_free(s->arena); /* holds the stream itself */
}

static size_t bucket_of(struct slice name)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    return h % BUCKETS;
}

struct streams *streams_new(const struct config *c)
{
    struct streams *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->config = c;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void drop_locked(struct streams *s, struct entry **at)
{
    struct entry *e = *at;

    *at = e->next;
    atomic_store(&e->stream->stale, true);
    stream_unref(e->stream);
    free(e);
    s->count--;
}

void streams_free(struct streams *s)
{
    if (!s)
        return;
    for (size_t b = 0; b < BUCKETS; b++)
        while (s->buckets[b])
            drop_locked(s, &s->buckets[b]);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct entry **find_locked(struct streams *s, struct slice name)
{
    struct entry **at = &s->buckets[bucket_of(name)];

    while (*at && !slice_eq((*at)->stream->row.name, name))
        at = &(*at)->next;
    return at;
}

struct stream *streams_cached(struct streams *s, struct slice name)
{
    struct stream *found = NULL;
    struct entry **at;

    pthread_mutex_lock(&s->lock);
    at = find_locked(s, name);
    if (*at && clock_mono_us() - (*at)->stream->loaded_us > DEFINITION_AGE_US)
        drop_locked(s, at);
    else if (*at)
        found = stream_ref((*at)->stream);
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* A full cache drops a whole bucket at random: simple, and the next request brings back what is in use. */
static void make_room_locked(struct streams *s)
{
    for (size_t b = (size_t)clock_mono_us() % BUCKETS; s->count >= (size_t)s->config->streams_cache; b = (b + 1) % BUCKETS)
        while (s->buckets[b])
            drop_locked(s, &s->buckets[b]);
}

static struct stream *stream_new(void)
{
    struct arena *a = arena_new(1 << 20);
    struct stream *st = a ? arena_zalloc(a, sizeof *st) : NULL;

    if (!st) {
        arena_free(a);
        return NULL;
    }
    st->arena = a;
    atomic_init(&st->refs, 1);
    st->loaded_us = clock_mono_us();
    for (int i = 0; i < PARTITIONS_MAX; i++)
        st->lane[i] = (struct lane_partition){ -1, -1 };
    return st;
}

/* Takes st over, in place of what the cache has by its name. */
static enum err keep(struct streams *s, struct stream *st, struct stream **ret)
{
    struct entry *e = malloc(sizeof *e), **at;
    size_t b = bucket_of(st->row.name);

    if (!e) {
        stream_unref(st);
        return ERR_NO_MEMORY;
    }
    pthread_mutex_lock(&s->lock);
    at = find_locked(s, st->row.name);
    if (*at)
        drop_locked(s, at);
    make_room_locked(s);
    *e = (struct entry){ s->buckets[b], st };
    s->buckets[b] = e;
    s->count++;
    *ret = stream_ref(st);
    pthread_mutex_unlock(&s->lock);
    return OK;
}

enum err streams_load(struct streams *s, struct db *db, struct slice name, struct stream **ret, struct fault *f)
{
    struct stream *st = stream_new();
    enum err e = st ? db_stream_get(db, st->arena, name, &st->row, f) : ERR_NO_MEMORY;

    if (!e)
        return keep(s, st, ret);
    stream_unref(st);
    return e;
}

/* As streams_load, from a row that was read just now. */
static enum err adopt(struct streams *s, const struct stream_row *row, struct stream **ret)
{
    struct stream *st = streams_cached(s, row->name);

    if (st && st->row.stream_id == row->stream_id) {
        *ret = st;
        return OK;
    }
    stream_unref(st);
    if (!(st = stream_new()))
        return ERR_NO_MEMORY;
    st->row = *row;
    st->row.name = arena_slice(st->arena, row->name);
    st->row.subject_template = arena_slice(st->arena, row->subject_template);
    st->row.description = arena_slice(st->arena, row->description);
    st->row.labels = arena_slice(st->arena, row->labels);
    if (st->row.name.p && st->row.subject_template.p && st->row.description.p && st->row.labels.p)
        return keep(s, st, ret);
    stream_unref(st);
    return ERR_NO_MEMORY;
}

enum err streams_match(struct streams *s, struct db *db, struct arena *a, const struct slice *patterns, size_t n,
                       bool (*wanted)(void *arg, const struct stream_row *row), void *arg, struct stream **ret, size_t *ret_n,
                       struct fault *f)
{
    struct slice *like = arena_alloc(a, n * sizeof *like), after = SLICE("");
    struct stream_row *page;
    size_t got;
    enum err e = like ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < n; i++)
        if (!(like[i] = glob_like(a, patterns[i])).p)
            e = ERR_NO_MEMORY;
    *ret_n = 0;
    do {
        if (e || (e = db_stream_match(db, a, like, n, after, LIST_PAGE, &page, &got, f)))
            return e;
        for (size_t i = 0; !e && i < got; i++) {
            after = page[i].name;
            if (wanted(arg, &page[i]) && !(e = adopt(s, &page[i], &ret[*ret_n])))
                ++*ret_n;
        }
    } while (!e && got == LIST_PAGE);
    return e;
}

/* false in *ret_made: the name is taken. */
static enum err make(struct db *db, struct stream_row *row, bool *ret_made, struct fault *f)
{
    row->created_us = row->updated_us = clock_unix_us();
    if (!random_id(&row->stream_id))
        return ERR_INTERNAL;
    return db_stream_create(db, row, ret_made, f);
}

void streams_forget(struct streams *s, int64_t stream_id)
{
    pthread_mutex_lock(&s->lock);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct entry **at = &s->buckets[b]; *at;)
            if ((*at)->stream->row.stream_id == stream_id)
                drop_locked(s, at);
            else
                at = &(*at)->next;
    pthread_mutex_unlock(&s->lock);
}

static bool has_letters(struct slice name)
{
    return name.n >= 4 && memcmp(name.p + name.n - 4, ".dlq", 4) == 0;
}

bool name_valid(struct slice name)
{
    while (name.n > NAME_LONGEST && has_letters(name)) /* a stream of the longest name has dead letters too */
        name.n -= 4;
    if (name.n < 1 || name.n > NAME_LONGEST)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';

        if (!word && (i == 0 || (c != '.' && c != '-')))
            return false;
    }
    return true;
}

unsigned name_forms(struct slice name)
{
    unsigned inner = name.n >= 1 && name.p[0] == '_', saga = name.n >= 5 && !memcmp(name.p, "saga.", 5),
             letters = has_letters(name);

    return inner | saga << 1 | letters << 2;
}

bool name_reserved(struct slice name)
{
    return name_forms(name) != 0;
}

void streams_defaults(struct stream_row *row)
{
    *row = (struct stream_row){
        .partitions = 1,
        .retention_us = -1,
        .dedup_window_us = WEEK_US,
        .validation = VALIDATION_OFF,
        .subject_template = SLICE("{stream}-{type}"),
        .subject_reads = true,
        .description = SLICE(""),
        .labels = SLICE("{}"),
    };
}

enum err streams_put(struct streams *s, struct db *db, struct arena *a, struct stream_row *row, bool partitions_given,
                     struct stream_row *ret_before, bool *ret_created, struct fault *f)
{
    struct stream_row *now = ret_before;
    enum err e;

    if ((e = make(db, row, ret_created, f)) || *ret_created)
        return e;
    if ((e = db_stream_lock(db, a, row->name, now, f)))
        return e;
    if (partitions_given && now->partitions != row->partitions)
        return fault(f, ERR_PARTITIONS_FIXED, "The stream has %d partitions, which cannot be changed.", (int)now->partitions);
    row->stream_id = now->stream_id;
    row->partitions = now->partitions;
    row->created_us = now->created_us;
    return streams_update(s, db, row, f);
}

enum err streams_auto_create(struct streams *s, struct db *db, struct slice name, struct stream_row *ret, bool *ret_created,
                             struct fault *f)
{
    streams_defaults(ret);
    ret->name = name;
    ret->partitions = s->config->streams_auto_partitions;
    return make(db, ret, ret_created, f);
}

/* The other gateways drop the definition too; should the word get lost, age does it. */
static void tell(struct streams *s, struct db *db, char what, int64_t stream_id)
{
    char payload[32];

    streams_forget(s, stream_id);
    snprintf(payload, sizeof payload, "%c%lld", what, (long long)stream_id);
    db_notify(db, payload, NULL);
}

enum err streams_update(struct streams *s, struct db *db, struct stream_row *row, struct fault *f)
{
    enum err e;

    row->updated_us = clock_unix_us();
    if (!(e = db_stream_update(db, row, f)))
        tell(s, db, 'c', row->stream_id);
    return e;
}

enum err streams_delete(struct streams *s, struct db *db, struct slice name, struct fault *f)
{
    int64_t ids[STREAMS_OF_ONE];
    size_t n = 0;
    enum err e = db_stream_delete(db, name, clock_unix_us(), ids, &n, f);

    for (size_t i = 0; !e && i < n; i++)
        tell(s, db, 'd', ids[i]);
    return e;
}

enum err streams_get(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f)
{
    return db_stream_get(db, a, name, ret, f);
}

enum err streams_lock(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f)
{
    return db_stream_lock(db, a, name, ret, f);
}

enum err streams_heads(struct db *db, int64_t stream_id, struct head_row ret[PARTITIONS_MAX], size_t *ret_n, struct fault *f)
{
    return db_stream_heads(db, stream_id, ret, PARTITIONS_MAX, ret_n, f);
}

enum err streams_list(struct db *db, struct arena *a, struct slice after, size_t limit,
                      bool (*visible)(const void *arg, struct slice name), const void *arg, struct stream_list *ret,
                      struct fault *f)
{
    int64_t *ids = arena_alloc(a, (limit + 1) * sizeof *ids);
    struct stream_row *page;
    size_t n;
    enum err e;

    *ret = (struct stream_list){ .rows = arena_alloc(a, (limit + 1) * sizeof *ret->rows) };
    if (!ids || !ret->rows)
        return ERR_NO_MEMORY;
    do {
        if ((e = db_stream_list(db, a, after, LIST_PAGE, &page, &n, f)))
            return e;
        for (size_t i = 0; i < n && !ret->more; i++) {
            after = page[i].name;
            if (!visible(arg, page[i].name))
                continue;
            if (ret->n == limit) {
                ret->more = true;
            } else {
                ids[ret->n] = page[i].stream_id;
                ret->rows[ret->n++] = page[i];
            }
        }
    } while (n == LIST_PAGE && !ret->more);
    return db_stream_figures(db, a, ids, ret->n, &ret->heads, &ret->head_n, f);
}
