#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/json_tree.h"
#include "gateway/base/random.h"
#include "gateway/engine/projection_parts.h"
#include "gateway/engine/read.h"

/* A projection as it is changed: locked, with the builds that are not retired. */
struct managed {
    struct projection_row row;
    struct build_row *builds;
    size_t build_n;
    struct build_row *active, *building; /* of these; building: NULL: none */
};

enum err projection_tell(struct db *db, int64_t projection_id, struct fault *f)
{
    char text[32];

    snprintf(text, sizeof text, "p%lld", (long long)projection_id);
    return db_notify(db, text, f);
}

static enum err lock(struct db *db, struct arena *a, struct slice name, struct managed *m, struct fault *f)
{
    enum err e;

    *m = (struct managed){ 0 };
    if ((e = db_projection_lock(db, a, name, &m->row, f)) ||
        (e = db_builds_of(db, a, m->row.projection_id, &m->builds, &m->build_n, f)))
        return e;
    for (size_t i = 0; i < m->build_n; i++) {
        if (m->builds[i].build == m->row.build)
            m->active = &m->builds[i];
        if (m->builds[i].state == BUILD_BUILDING)
            m->building = &m->builds[i];
    }
    return m->active ? OK : fault(f, ERR_INTERNAL, "The projection has lost its build.");
}

/* Nothing is folded any more by what was. */
static enum err fence(struct db *db, struct arena *a, const struct managed *m, struct fault *f)
{
    int32_t *numbers = arena_alloc(a, (m->build_n + 1) * sizeof *numbers);

    for (size_t i = 0; numbers && i < m->build_n; i++)
        numbers[i] = m->builds[i].build;
    return numbers ? db_parts_fence(db, a, m->row.projection_id, numbers, m->build_n, f) : ERR_NO_MEMORY;
}

/* --- where a build begins --- */

static enum err begin_at_time(struct projections *p, struct db *db, struct arena *a, const struct stream_row *row, int64_t time_us,
                              struct part_row *v, struct fault *f)
{
    int64_t pos[PARTITIONS_MAX] = { 0 };
    const struct read_spec spec = { .from = READ_TIME, .time_us = time_us, .pos = pos, .only = -1, .limit = 1, .bytes = 1,
                                    .scan = 1 };
    struct read_page page = { 0 };
    struct stream *s;
    enum err e = streams_load(p->streams, db, row->name, &s, f);

    if (e)
        return e;
    e = read_page(db, a, s, &spec, &page, f);
    stream_unref(s);
    for (int64_t i = 0; !e && i < row->partitions; i++)
        v[i].first = page.start[i];
    return e;
}

/* Where a build begins that follows the head: where an earlier one did. */
static void begin_like(const struct part_row *like, size_t like_n, struct part_row *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < like_n; k++)
            if (like[k].at.stream_id == v[i].at.stream_id && like[k].at.partition == v[i].at.partition)
                v[i].first = like[k].first;
}

struct beginning {
    enum read_from from;
    int64_t time_us;
    const struct part_row *like; /* parts of the build before */
    size_t like_n;
};

static enum err parts_of_stream(struct projections *p, struct db *db, struct arena *a, struct slice name,
                                const struct beginning *at, struct part_row *v, size_t *ret_n, struct fault *f)
{
    struct head_row heads[PARTITIONS_MAX];
    struct stream_row row;
    size_t n;
    enum err e;

    if ((e = streams_get(db, a, name, &row, f)) || (e = streams_heads(db, row.stream_id, heads, &n, f)))
        return e;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct part_row){ .at = { row.stream_id, 0, heads[i].partition }, .target = heads[i].head,
                                  .first = at->from == READ_LATEST ? heads[i].head : heads[i].earliest - 1 };
    if (at->from == READ_TIME)
        e = begin_at_time(p, db, a, &row, at->time_us, v, f);
    begin_like(at->like, at->like_n, v, n);
    *ret_n = n;
    return e;
}

enum err build_begin(struct projections *p, struct db *db, struct arena *a, struct build_row *b,
                     const struct projection_definition *def, const struct projection_start *from,
                     const struct build_row *like, struct fault *f)
{
    struct part_row *v = arena_alloc(a, (PROJECTION_PARTS_MAX + PARTITIONS_MAX) * sizeof *v), *before;
    struct beginning at = { .from = from ? from->from : def->from, .time_us = from ? from->time_us : def->time_us };
    size_t n = 0, more;
    enum err e = v ? OK : ERR_NO_MEMORY;

    if (!e && at.from == READ_TIME && at.time_us > clock_unix_us()) { /* what comes until then would be folded */
        if (f)
            strcpy(f->pointer, from ? "/from/time" : "/start/time");
        return fault(f, ERR_BAD_BODY, "It must not be in the future.");
    }
    if (!e && like && !from && at.from == READ_LATEST) {
        e = db_parts_of(db, a, like->projection_id, like->build, &before, &at.like_n, f);
        at.like = before;
    }
    for (size_t i = 0; !e && i < def->stream_n; i++, n += more) {
        e = parts_of_stream(p, db, a, def->streams[i], &at, v + n, &more, f);
        if (e == ERR_UNKNOWN_STREAM && f)
            snprintf(f->pointer, sizeof f->pointer, "/streams/%zu", i);
        if (!e && n + more > PROJECTION_PARTS_MAX)
            e = fault(f, ERR_TOO_MANY_PARTITIONS, "The streams have more than %d partitions together.", PROJECTION_PARTS_MAX);
        if (e)
            return e;
    }
    b->definition = def->text;
    if (e || (e = db_build_add(db, a, b, def->streams, def->stream_n, f)))
        return e;
    return db_parts_add(db, a, b->projection_id, b->build, v, n, f);
}

enum err build_retire(struct db *db, struct arena *a, struct build_row *b, struct fault *f)
{
    enum err e = db_parts_fence(db, a, b->projection_id, &b->build, 1, f);

    b->state = BUILD_RETIRED;
    b->held = false;
    if (e || (e = db_build_set(db, b, f)))
        return e;
    return db_builds_release(db, b->projection_id, f);
}

/* --- put --- */

static enum err create(struct projections *p, struct db *db, struct arena *a, struct slice name,
                       const struct projection_definition *def, struct projection_change *ret, struct fault *f)
{
    struct projection_row row = { .name = name, .paused = def->paused, .definition = def->text };
    struct build_row build = { .state = BUILD_ACTIVE };
    bool made;
    enum err e;

    if (!random_id(&row.projection_id))
        return ERR_INTERNAL;
    if ((e = db_projection_create(db, &row, p->config->projections_max, &made, f)))
        return e;
    if (!made) {
        e = db_projection_lock(db, a, name, &row, NULL);
        if (e == ERR_UNKNOWN_PROJECTION)
            return fault(f, ERR_CONFLICT, "There are %lld projections; the setting projections.max allows no more.",
                         (long long)p->config->projections_max);
        return e ? e : ERR_DB_RETRY;
    }
    build.projection_id = ret->projection_id = row.projection_id;
    ret->created = true;
    ret->after = def->text;
    if ((e = build_begin(p, db, a, &build, def, NULL, NULL, f)))
        return e;
    ret->build = build.build;
    return projection_tell(db, row.projection_id, f);
}

static enum err folded_of(struct projections *p, struct arena *a, const struct build_row *b, struct slice *ret, struct fault *f)
{
    struct projection_definition def;
    enum err e = projection_definition_parse(a, b->definition, (size_t)p->config->projections_state_bytes, &def, f);

    *ret = e ? SLICE("") : def.folded;
    return e == ERR_NO_MEMORY ? e : OK; /* one that cannot be read any more is another one */
}

/* What is folded now stays when it is the same, even if something else was on its way to take its place. */
static enum err change_build(struct projections *p, struct db *db, struct arena *a, struct managed *m,
                             const struct projection_definition *def, struct projection_change *ret, struct fault *f)
{
    struct build_row fresh = { .projection_id = m->row.projection_id, .state = BUILD_BUILDING };
    struct build_row *newest = m->building ? m->building : m->active, *same = NULL;
    struct slice folded;
    enum err e;

    if ((e = folded_of(p, a, newest, &folded, f)))
        return e;
    if (slice_eq(folded, def->folded)) {
        same = newest;
    } else if (m->building) {
        ret->instead_of = m->building->build;
        if ((e = build_retire(db, a, m->building, f)) || (e = folded_of(p, a, m->active, &folded, f)))
            return e;
        m->active->held = false;
        same = slice_eq(folded, def->folded) ? m->active : NULL;
    }
    if (same) {
        same->definition = def->text;
        return db_build_set(db, same, f);
    }
    e = build_begin(p, db, a, &fresh, def, NULL, m->active, f);
    ret->build = fresh.build;
    return e;
}

enum err projections_put(struct projections *p, struct db *db, struct arena *a, struct slice name,
                         const struct projection_definition *def, struct projection_change *ret, struct fault *f)
{
    struct managed m;
    struct fault unknown = { 0 };
    enum err e = lock(db, a, name, &m, &unknown);

    *ret = (struct projection_change){ 0 };
    if (e == ERR_UNKNOWN_PROJECTION)
        return create(p, db, a, name, def, ret, f);
    if (e) {
        *f = unknown;
        return e;
    }
    ret->projection_id = m.row.projection_id;
    ret->before = m.row.definition;
    ret->after = def->text;
    ret->paused_before = m.row.paused;
    if (slice_eq(m.row.definition, def->text) && m.row.paused == def->paused)
        return OK;
    if ((e = fence(db, a, &m, f)) || (e = change_build(p, db, a, &m, def, ret, f)))
        return e;
    m.row.definition = def->text;
    m.row.paused = def->paused;
    if ((e = db_projection_update(db, &m.row, f)))
        return e;
    return projection_tell(db, m.row.projection_id, f);
}

/* --- the others --- */

static void told_of(const struct managed *m, struct projection_change *ret)
{
    *ret = (struct projection_change){ .projection_id = m->row.projection_id, .before = m->row.definition,
                                       .after = m->row.definition, .paused_before = m->row.paused };
}

enum err projections_delete(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                            struct fault *f)
{
    struct managed m;
    enum err e = lock(db, a, name, &m, f);

    (void)p;
    if (e)
        return e;
    told_of(&m, ret);
    ret->after = SLICE_NONE;
    if ((e = fence(db, a, &m, f)) || (e = db_projection_delete(db, m.row.projection_id, f)))
        return e;
    return projection_tell(db, m.row.projection_id, f);
}

enum err projections_pause(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                           struct fault *f)
{
    struct managed m;
    enum err e = lock(db, a, name, &m, f);

    (void)p;
    if (e)
        return e;
    told_of(&m, ret);
    if (m.row.paused)
        return OK;
    m.row.paused = true;
    if ((e = fence(db, a, &m, f)) || (e = db_projection_update(db, &m.row, f)))
        return e;
    return projection_tell(db, m.row.projection_id, f);
}

/* Does the build stand at this event? */
static bool stands_at(struct arena *a, const struct build_row *b, const struct projection_skip *skip)
{
    struct json_node *error, *stream, *partition, *offset;
    int64_t where, number;

    if (!b->error.p || json_tree_parse(b->error, 8, a, &error, NULL))
        return false;
    stream = json_tree_get(error, "stream");
    partition = json_tree_get(error, "partition");
    offset = json_tree_get(error, "offset");
    return stream && partition && offset && slice_eq(stream->text, skip->stream) && json_int64(partition->text, &number) &&
           number == skip->partition && json_int64(offset->text, &where) && where == skip->offset;
}

static enum err skip_event(struct db *db, struct arena *a, const struct managed *m, const struct projection_skip *skip,
                           struct fault *f)
{
    struct stream_row stream;
    struct place at;
    enum err e;

    for (size_t i = 0; i < m->build_n; i++) {
        if (!stands_at(a, &m->builds[i], skip))
            continue;
        if ((e = streams_get(db, a, skip->stream, &stream, f)))
            return e;
        at = (struct place){ stream.stream_id, skip->offset, skip->partition };
        return db_skip_add(db, m->row.projection_id, &at, f);
    }
    return fault(f, ERR_CONFLICT, "The projection does not stand at this event.");
}

enum err projections_resume(struct projections *p, struct db *db, struct arena *a, struct slice name,
                            const struct projection_skip *skip, struct projection_change *ret, struct fault *f)
{
    struct managed m;
    bool stopped;
    enum err e = lock(db, a, name, &m, f);

    (void)p;
    if (e)
        return e;
    told_of(&m, ret);
    stopped = m.row.paused;
    if (skip && (e = skip_event(db, a, &m, skip, f)))
        return e;
    for (size_t i = 0; i < m.build_n; i++)
        stopped |= m.builds[i].error.p != NULL;
    if (!stopped)
        return OK;
    if ((e = fence(db, a, &m, f)))
        return e;
    for (size_t i = 0; !e && i < m.build_n; i++) {
        if (!m.builds[i].error.p)
            continue;
        m.builds[i].error = SLICE_NONE;
        e = db_build_set(db, &m.builds[i], f);
    }
    m.row.paused = false;
    ret->resumed = true;
    if (e || (e = db_projection_update(db, &m.row, f)))
        return e;
    return projection_tell(db, m.row.projection_id, f);
}

enum err projections_rebuild(struct projections *p, struct db *db, struct arena *a, struct slice name,
                             const struct projection_start *from, struct projection_change *ret, struct fault *f)
{
    struct build_row fresh = { .state = BUILD_BUILDING };
    struct projection_definition def;
    struct managed m;
    enum err e;

    if ((e = lock(db, a, name, &m, f)))
        return e;
    told_of(&m, ret);
    if ((e = projection_definition_parse(a, m.row.definition, (size_t)p->config->projections_state_bytes, &def, f)))
        return e;
    fresh.projection_id = m.row.projection_id;
    if ((e = fence(db, a, &m, f)))
        return e;
    if (m.building) {
        ret->instead_of = m.building->build;
        if ((e = build_retire(db, a, m.building, f)))
            return e;
    }
    if ((e = build_begin(p, db, a, &fresh, &def, from, m.active, f)))
        return e;
    ret->build = fresh.build;
    return projection_tell(db, m.row.projection_id, f);
}
