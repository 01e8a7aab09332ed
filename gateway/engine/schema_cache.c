#include "gateway/engine/schema_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "gateway/base/metrics.h"

#define BUCKETS 1024
#define LOADERS 16                /* schemas that are read at the same time */
#define ROW_ARENA ((size_t)64 << 20)
#define ENTRY_BYTES 256           /* what an entry takes besides its subject and checker */

struct entry {
    struct entry *next;           /* of its bucket */
    struct entry *newer, *older;  /* in the order of use */
    size_t bucket;
    int64_t changes;              /* of the registry, before it was read */
    int id;                       /* asked for; 0: the latest */
    struct checker *checker;
    size_t subject_n;
    char subject[];
};

struct schema_cache {
    const struct config *config;
    const struct schemas *schemas;
    pthread_mutex_t loading[LOADERS]; /* by bucket: one thread reads a schema, the others find it */
    pthread_mutex_t lock;         /* guards what follows */
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    size_t n, bytes;
};

struct schema_cache *schema_cache_new(const struct config *config, const struct schemas *s)
{
    struct schema_cache *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->config = config;
    c->schemas = s;
    pthread_mutex_init(&c->lock, NULL);
    for (int i = 0; i < LOADERS; i++)
        pthread_mutex_init(&c->loading[i], NULL);
    return c;
}

static size_t bucket_of(struct slice subject, int id)
{
    uint32_t h = 2166136261u ^ (uint32_t)id;

    for (size_t i = 0; i < subject.n; i++)
        h = (h ^ (unsigned char)subject.p[i]) * 16777619u;
    return h % BUCKETS;
}

/* --- the order of use --- */

static void unlink_use(struct schema_cache *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct schema_cache *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void link_oldest(struct schema_cache *c, struct entry *e)
{
    e->older = NULL;
    e->newer = c->oldest;
    *(c->oldest ? &c->oldest->older : &c->newest) = e;
    c->oldest = e;
}

/* Types that have no schema may be any number: they go first. */
static bool is_nothing(const struct entry *e)
{
    return e->checker->kind == CHECKER_NONE;
}

static size_t bytes_of(const struct entry *e)
{
    return ENTRY_BYTES + e->subject_n + e->checker->bytes;
}

static void count(struct schema_cache *c, size_t n, size_t bytes)
{
    c->n += n;
    c->bytes += bytes;
    metric_set(M_SCHEMA_CACHED, (int64_t)c->bytes);
}

static void drop(struct schema_cache *c, struct entry *e)
{
    struct entry **at = &c->buckets[e->bucket];

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlink_use(c, e);
    count(c, -(size_t)1, -bytes_of(e));
    checker_unref(e->checker);
    free(e);
}

void schema_cache_free(struct schema_cache *c)
{
    if (!c)
        return;
    while (c->newest)
        drop(c, c->newest);
    for (int i = 0; i < LOADERS; i++)
        pthread_mutex_destroy(&c->loading[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct entry *find(struct schema_cache *c, struct slice subject, int id)
{
    struct entry *e = c->buckets[bucket_of(subject, id)];

    while (e && (e->id != id || !slice_eq((struct slice){ e->subject, e->subject_n }, subject)))
        e = e->next;
    return e;
}

struct checker *schema_cache_get(struct schema_cache *c, struct slice subject, int id)
{
    struct checker *found = NULL;
    struct entry *e;

    pthread_mutex_lock(&c->lock);
    e = find(c, subject, id);
    if (e && e->changes == schemas_changes(c->schemas)) {
        if (e != c->newest && !is_nothing(e)) {
            unlink_use(c, e);
            link_newest(c, e);
        }
        found = checker_ref(e->checker);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

/* --- loading --- */

/* Is it the schema of a version of the subject that is not deleted? */
static enum err is_of(const struct schema_cache *c, struct db *db, struct arena *a, const struct schema_subject *s,
                      const struct schema_row *row, bool *ret, struct fault *f)
{
    const struct schema_version before = { .subject = *s };
    struct schema_version *uses;
    size_t n = 0;
    enum err e = OK;

    *ret = false;
    if (slice_eq(row->subject.context, s->context)) /* otherwise it is another context's */
        e = schemas_uses(db, a, row, &before, c->config->registry_versions, &uses, &n, f);
    for (size_t i = 0; !e && i < n && slice_eq(uses[i].subject.name, s->name); i++)
        *ret |= !uses[i].deleted;
    return e;
}

/* What the subject has of this: *ret_row NULL: nothing. */
static enum err read_row(const struct schema_cache *c, struct db *db, struct arena *a, struct slice text, int id,
                         struct schema_row *row, struct schema_row **ret_row, struct fault *f)
{
    struct schema_subject s;
    bool there = true;
    enum err e = schema_subject_parse(text, &s, f);

    *ret_row = NULL;
    if (!e)
        e = id ? schemas_content(db, a, s.context, id, row, f) : schemas_get(db, a, &s, 0, false, row, f);
    if (e == ERR_REGISTRY)        /* there is none, or no subject can be called so */
        return OK;
    if (!e && id)
        e = is_of(c, db, a, &s, row, &there, f);
    if (!e && there)
        *ret_row = row;
    return e;
}

static struct checker *known(struct schema_cache *c, struct slice subject, int id, const struct schema_row *row)
{
    struct checker *same = NULL;
    struct entry *e;

    pthread_mutex_lock(&c->lock);
    e = find(c, subject, id);
    if (e && checker_is_of(e->checker, row))
        same = checker_ref(e->checker);
    pthread_mutex_unlock(&c->lock);
    return same;
}

static bool is_full(const struct schema_cache *c)
{
    return c->n > (size_t)c->config->registry_cache_schemas || c->bytes > (size_t)c->config->registry_cache_bytes;
}

static bool keep(struct schema_cache *c, struct slice subject, int id, int64_t changes, struct checker *checker)
{
    struct entry *e = malloc(sizeof *e + subject.n), *before;

    if (!e)
        return false;
    *e = (struct entry){ .bucket = bucket_of(subject, id), .changes = changes, .id = id, .checker = checker_ref(checker),
                         .subject_n = subject.n };
    memcpy(e->subject, subject.p, subject.n);
    pthread_mutex_lock(&c->lock);
    if ((before = find(c, subject, id)))
        drop(c, before);
    e->next = c->buckets[e->bucket];
    c->buckets[e->bucket] = e;
    count(c, 1, bytes_of(e));
    while (c->oldest && is_full(c))
        drop(c, c->oldest);
    if (is_nothing(e))
        link_oldest(c, e);
    else
        link_newest(c, e);
    pthread_mutex_unlock(&c->lock);
    return true;
}

static enum err load(struct schema_cache *c, struct db *db, struct slice subject, int id, struct checker **ret,
                     struct fault *f)
{
    int64_t changes = schemas_changes(c->schemas);
    struct arena *a = arena_new(ROW_ARENA);
    struct schema_row own, *row = NULL;
    struct checker *checker = NULL;
    enum err e = a ? read_row(c, db, a, subject, id, &own, &row, f) : ERR_NO_MEMORY;

    if (!e && !(checker = known(c, subject, id, row))) {
        metric_add(M_SCHEMA_LOADS, 1);
        e = checker_new(c->config, db, row, &checker, f);
    }
    arena_free(a);
    if (!e && !keep(c, subject, id, changes, checker))
        e = ERR_NO_MEMORY;
    if (e)
        checker_unref(checker);
    else
        *ret = checker;
    return e;
}

enum err schema_cache_load(struct schema_cache *c, struct db *db, struct slice subject, int id, struct checker **ret,
                           struct fault *f)
{
    pthread_mutex_t *loading = &c->loading[bucket_of(subject, id) % LOADERS];
    enum err e = OK;

    pthread_mutex_lock(loading);
    if (!(*ret = schema_cache_get(c, subject, id)))
        e = load(c, db, subject, id, ret, f);
    pthread_mutex_unlock(loading);
    return e;
}
