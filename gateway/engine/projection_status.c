#include "gateway/base/clock.h"
#include "gateway/engine/projection_parts.h"
#include "gateway/engine/projection_view.h"

#define LIST_BATCH 100

/* How far a build has come. */
static enum err build_status(struct db *db, struct arena *a, const struct build_row *b, struct projection_build_status *ret,
                             struct part_row **ret_parts, size_t *ret_n, struct fault *f)
{
    enum err e = db_parts_of(db, a, b->projection_id, b->build, ret_parts, ret_n, f);

    *ret = (struct projection_build_status){ .build = b->build, .definition = b->definition, .error = b->error,
                                             .created_us = b->created_us };
    for (size_t i = 0; !e && i < *ret_n; i++) {
        const struct part_row *p = &(*ret_parts)[i];

        ret->folded += p->folded;
        ret->done += p->at.offset - p->first;
        ret->total += (p->head > p->at.offset ? p->head : p->at.offset) - p->first;
    }
    return e;
}

/* The oldest event that is not folded. */
static enum err lag_of(struct db *db, struct arena *a, const struct part_row *parts, size_t n, struct projection_status *s,
                       struct fault *f)
{
    struct place *next = arena_alloc(a, (n + 1) * sizeof *next);
    int64_t *at = arena_alloc(a, (n + 1) * sizeof *at), now = clock_unix_us();
    size_t behind = 0;
    enum err e;

    if (!next || !at)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].head <= parts[i].at.offset)
            continue;
        s->lag_events += parts[i].head - parts[i].at.offset;
        next[behind] = parts[i].at;
        next[behind].offset = (parts[i].at.offset + 1 > parts[i].earliest ? parts[i].at.offset + 1 : parts[i].earliest);
        behind++;
    }
    if (!behind)
        return OK;
    if ((e = db_recorded_at(db, a, next, behind, at, f)))
        return e;
    for (size_t i = 0; i < behind; i++)
        if (at[i] != INT64_MIN && now - at[i] > s->lag_us)
            s->lag_us = now - at[i];
    return OK;
}

static enum err position_of(struct arena *a, const struct projection_row *row, struct part_row *parts, size_t n, struct slice *ret)
{
    const struct projection_view_row found = { .projection = *row, .parts = parts, .n = n };
    struct projection_view v;
    char text[CURSOR_TEXT];
    size_t len;
    enum err e = projection_view_make(a, &found, &v);

    if (e || !(len = projection_position(&v, v.pos, text)))
        return e;
    *ret = arena_slice(a, (struct slice){ text, len });
    return ret->p ? OK : ERR_NO_MEMORY;
}

static enum err show_parts(struct arena *a, const struct part_row *parts, size_t n, struct projection_status *s)
{
    if (!(s->parts = arena_alloc(a, (n + 1) * sizeof *s->parts)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        s->parts[i] = (struct projection_part_status){ parts[i].stream, parts[i].at.partition, parts[i].at.offset, parts[i].head };
    s->part_n = n;
    return OK;
}

/* Not of one moment: what is read later may be further. */
static enum err status_of(struct db *db, struct arena *a, const struct projection_row *row, struct projection_status *s,
                          struct fault *f)
{
    struct build_row *builds;
    struct part_row *parts;
    size_t n, part_n;
    enum err e = db_builds_of(db, a, row->projection_id, &builds, &n, f);

    *s = (struct projection_status){ .name = row->name, .definition = row->definition, .projection_id = row->projection_id,
                                     .paused = row->paused, .created_us = row->created_us, .updated_us = row->updated_us };
    for (size_t i = 0; !e && i < n; i++) {
        if (builds[i].state == BUILD_BUILDING) {
            e = build_status(db, a, &builds[i], &s->building, &parts, &part_n, f);
        } else if (builds[i].build == row->build) {
            if ((e = build_status(db, a, &builds[i], &s->active, &parts, &part_n, f)) || (e = lag_of(db, a, parts, part_n, s, f)) ||
                (e = position_of(a, row, parts, part_n, &s->position)) || (e = show_parts(a, parts, part_n, s)))
                return e;
        }
    }
    if (!e)
        e = db_check_last(db, a, row->projection_id, &s->last_check, &s->verified, f);
    s->condition = s->active.error.p ? PROJECTION_FAILED :
                   s->paused ? PROJECTION_PAUSED :
                   s->building.build ? PROJECTION_REBUILDING : PROJECTION_RUNNING;
    return e;
}

/* A swap between two statements is seen as it is afterwards. */
#define ATTEMPTS 3
enum err projections_get(struct db *db, struct arena *a, struct slice name, struct projection_status *ret, struct fault *f)
{
    struct projection_row row;
    enum err e = OK;

    for (int i = 0; i < ATTEMPTS; i++)
        if ((e = db_projection_get(db, a, name, &row, f)) || (e = status_of(db, a, &row, ret, f)) || ret->active.build)
            break;
    return e;
}

enum err projections_list(struct db *db, struct arena *a, struct slice after, size_t limit,
                          bool (*visible)(const void *arg, struct slice name), const void *arg, struct projection_status **ret,
                          size_t *ret_n, bool *ret_more, struct fault *f)
{
    struct projection_status *v = arena_alloc(a, (limit + 1) * sizeof *v);
    struct projection_row *page;
    size_t n = 0, found = LIST_BATCH;
    enum err e = v ? OK : ERR_NO_MEMORY;

    *ret_more = false;
    while (!e && !*ret_more && found == LIST_BATCH) {
        if ((e = db_projection_list(db, a, after, LIST_BATCH, &page, &found, f)))
            break;
        for (size_t i = 0; !e && i < found && !*ret_more; i++) {
            if (!visible(arg, page[i].name))
                continue;
            if (n == limit)
                *ret_more = true;
            else
                e = status_of(db, a, &page[i], &v[n++], f);
        }
        after = found ? page[found - 1].name : after;
    }
    *ret = v;
    *ret_n = n;
    return e;
}
