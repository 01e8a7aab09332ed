#include <openssl/evp.h>
#include <stdlib.h>

#include "gateway/base/json_tree.h"
#include "gateway/base/random.h"
#include "gateway/engine/saga_parts.h"
#include "gateway/engine/saga_waits.h"

#define DEF_ARENA ((size_t)64 << 20)

/* --- compiled ones in memory --- */

void saga_def_unref(struct saga_def *d)
{
    if (d && atomic_fetch_sub(&d->refs, 1) == 1) {
        arena_free(d->arena);
        free(d);
    }
}

static struct saga_def **bucket(struct sagas *s, int64_t saga_id, int32_t version)
{
    return &s->defs[((uint64_t)saga_id * 0x9e3779b97f4a7c15u + (uint64_t)version) >> 56];
}

/* Under the lock; a reference, or NULL. */
static struct saga_def *find(struct sagas *s, int64_t saga_id, int32_t version)
{
    struct saga_def *d = *bucket(s, saga_id, version);

    while (d && (d->saga_id != saga_id || d->version != version))
        d = d->next;
    if (d) {
        d->used_us = clock_mono_us();
        atomic_fetch_add(&d->refs, 1);
    }
    return d;
}

/* The one that was used longest ago goes; whoever has it keeps it. */
static void evict(struct sagas *s)
{
    struct saga_def **oldest = NULL, *d;

    for (size_t i = 0; i < SAGA_BUCKETS; i++)
        for (struct saga_def **at = &s->defs[i]; *at; at = &(*at)->next)
            if (!oldest || (*at)->used_us < (*oldest)->used_us)
                oldest = at;
    if (!oldest)
        return;
    d = *oldest;
    *oldest = d->next;
    s->def_n--;
    saga_def_unref(d);
}

static enum err load(struct db *db, int64_t saga_id, int32_t version, struct saga_def **ret, struct fault *f)
{
    struct saga_def *d = calloc(1, sizeof *d);
    struct saga_row row;
    enum err e;

    if (!d || !(d->arena = arena_new(DEF_ARENA))) {
        free(d);
        return ERR_NO_MEMORY;
    }
    atomic_init(&d->refs, 1);
    d->saga_id = saga_id;
    d->version = version;
    if (!(e = db_saga_definition(db, d->arena, saga_id, version, &row, f))) {
        d->name = row.name;
        e = saga_definition_parse(d->arena, row.definition, &d->def, f);
    }
    if (e)
        saga_def_unref(d);
    else
        *ret = d;
    return e == ERR_BAD_JSON || e == ERR_BAD_BODY ? ERR_BAD_DEFINITION : e;
}

enum err saga_def_get(struct sagas *s, struct db *db, int64_t saga_id, int32_t version, struct saga_def **ret, struct fault *f)
{
    struct saga_def *d, *other;
    enum err e;

    pthread_mutex_lock(&s->def_lock);
    *ret = find(s, saga_id, version);
    pthread_mutex_unlock(&s->def_lock);
    if (*ret)
        return OK;
    if ((e = load(db, saga_id, version, &d, f)))
        return e;
    pthread_mutex_lock(&s->def_lock);
    if ((other = find(s, saga_id, version))) {
        saga_def_unref(d);
        d = other;
    } else {
        struct saga_def **at = bucket(s, saga_id, version);

        if (s->def_n >= (size_t)s->config->sagas_cache)
            evict(s);
        d->next = *at;
        d->used_us = clock_mono_us();
        *at = d;
        s->def_n++;
        atomic_fetch_add(&d->refs, 1);
    }
    pthread_mutex_unlock(&s->def_lock);
    *ret = d;
    return OK;
}

void saga_defs_free(struct sagas *s)
{
    while (s->def_n)
        evict(s);
}

/* --- changes --- */

/* Those that are published to and not there are made, where publishing would make them. */
static enum err check_streams(struct sagas *s, struct db *db, struct arena *a, const struct saga_definition *def, struct fault *f)
{
    enum err e = OK;

    for (size_t i = 0; !e && i < def->stream_n; i++) {
        const struct slice name = def->stream[i].name;
        bool makes = def->stream[i].publish && s->config->streams_auto_create && !name_reserved(name);
        struct stream_row row;
        bool created;

        e = streams_get(db, a, name, &row, f);
        if (e == ERR_UNKNOWN_STREAM && makes)
            e = streams_auto_create(s->streams, db, name, &row, &created, f);
        if (e == ERR_UNKNOWN_STREAM)
            fault(f, e, "There is no stream %.*s.", (int)name.n, name.p);
    }
    return e;
}

static struct saga_steps steps_of(const struct saga_definition *def)
{
    return (struct saga_steps){ &def->step->name, sizeof *def->step, def->step_n };
}

static enum err create(struct sagas *s, struct db *db, struct arena *a, struct slice name, const struct saga_definition *def,
                       struct saga_change *ret, struct fault *f)
{
    const struct saga_steps steps = steps_of(def);
    struct saga_row row = { .name = name, .version = 1, .definition = def->text };
    bool made;
    enum err e;

    if (!random_id(&row.saga_id))
        return ERR_INTERNAL;
    if ((e = db_saga_create(db, a, &row, &steps, s->config->sagas_max, &made, f)))
        return e;
    if (!made)
        return ERR_DB_RETRY;
    *ret = (struct saga_change){ .saga_id = row.saga_id, .version = 1, .created = true, .changed = true };
    return OK;
}

static enum err put(struct sagas *s, struct db *db, struct arena *a, struct slice name, const struct saga_definition *def,
                    struct saga_change *ret, struct fault *f)
{
    const struct saga_steps steps = steps_of(def);
    struct saga_row row;
    int64_t n;
    enum err e = db_saga_lock(db, a, name, &row, f);

    if (e == ERR_UNKNOWN_SAGA) {
        if (!(e = db_sagas_count(db, &n, f)) && n >= s->config->sagas_max)
            return fault(f, ERR_CONFLICT, "There are %lld sagas; the setting sagas.max allows no more.", (long long)n);
        return e ? e : create(s, db, a, name, def, ret, f);
    }
    if (e)
        return e;
    *ret = (struct saga_change){ .saga_id = row.saga_id, .version = row.version, .before = row.definition };
    if (slice_eq(row.definition, def->text))
        return OK;
    row.definition = def->text;
    ret->version = ++row.version;
    ret->changed = true;
    return db_saga_version_add(db, a, &row, &steps, f);
}

enum err sagas_put(struct sagas *s, struct db *db, struct arena *a, struct slice name, const struct saga_definition *def,
                   struct saga_change *ret, struct fault *f)
{
    enum err e = check_streams(s, db, a, def, f);

    *ret = (struct saga_change){ 0 };
    if (e || (e = put(s, db, a, name, def, ret, f)) || !ret->changed)
        return e;
    return saga_starts_put(db, ret->saga_id, def->start_on ? def->start_on->stream : SLICE_NONE, f);
}

enum err sagas_delete(struct sagas *s, struct db *db, struct arena *a, struct slice name, struct saga_change *ret, struct fault *f)
{
    struct saga_row row;
    bool unfinished;
    enum err e;

    (void)s;
    *ret = (struct saga_change){ 0 };
    if ((e = db_saga_lock(db, a, name, &row, f)) || (e = db_saga_unfinished(db, row.saga_id, &unfinished, f)))
        return e;
    if (unfinished)
        return fault(f, ERR_CONFLICT, "The saga has instances that have not ended.");
    *ret = (struct saga_change){ .saga_id = row.saga_id, .version = row.version, .changed = true, .before = row.definition };
    return db_saga_delete(db, row.saga_id, f);
}

/* --- what the same input is --- */

bool saga_input_hash(struct slice input, uint8_t ret[16])
{
    struct arena *a = arena_new(64 * input.n + 65536);
    struct json_node *n;
    struct buf b = { 0 };
    uint8_t whole[EVP_MAX_MD_SIZE];
    struct fault f = { 0 };
    bool ok = a && !json_tree_parse(input, JSON_DEPTH, a, &n, &f);

    if (ok) {
        json_tree_write(n, true, &b);
        ok = !b.failed && EVP_Digest(b.p, b.n, whole, NULL, EVP_sha256(), NULL) == 1;
    }
    if (ok)
        memcpy(ret, whole, 16);
    buf_free(&b);
    arena_free(a);
    return ok;
}
