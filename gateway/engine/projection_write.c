#include <stdio.h>

#include "db/subjects.h"
#include "gateway/base/clock.h"
#include "gateway/engine/projection_step.h"

struct hashes {
    int64_t v[FOLD_INDEXES_MAX];
    size_t n;
};

static bool has(const struct hashes *h, int64_t hash)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->v[i] == hash)
            return true;
    return false;
}

/* Those of `of` that are not in `but`. */
static void differ(struct slice key, const struct hashes *of, const struct hashes *but, struct step_lookups *out)
{
    for (size_t i = 0; i < of->n; i++)
        if (!has(but, of->v[i]))
            out->v[out->n++] = (struct step_lookup){ of->v[i], key };
}

/* By what a state is found after the step, and no longer. after.p == NULL: it was deleted. */
static bool look_up(struct step *s, const struct keyed *x, struct slice after, struct step_write *w)
{
    const struct fold *fold = folder_of(s)->def.fold;
    struct hashes old = { .n = 0 }, new = { .n = 0 };

    if ((x->before.p && !fold_lookup(fold, s->arena, x->before, old.v, &old.n)) ||
        (after.p && !fold_lookup(fold, s->arena, after, new.v, &new.n)))
        return false;
    differ(x->key, &new, &old, &w->found);
    differ(x->key, &old, &new, &w->lost);
    return true;
}

static bool make_room(struct step *s, struct step_write *w)
{
    size_t n = s->key_n + 1;

    w->insert.v = arena_alloc(s->arena, n * sizeof *w->insert.v);
    w->update.v = arena_alloc(s->arena, n * sizeof *w->update.v);
    w->found.v = arena_alloc(s->arena, n * FOLD_INDEXES_MAX * sizeof *w->found.v);
    w->lost.v = arena_alloc(s->arena, n * FOLD_INDEXES_MAX * sizeof *w->lost.v);
    w->deleted = arena_alloc(s->arena, n * sizeof *w->deleted);
    w->changed = arena_alloc(s->arena, n * sizeof *w->changed);
    return w->insert.v && w->update.v && w->found.v && w->lost.v && w->deleted && w->changed;
}

/* What has become of the states. */
static bool sort_out(struct step *s, struct step_write *w)
{
    if (!make_room(s, w))
        return false;
    for (size_t k = 0; k < s->key_n; k++) {
        struct keyed *x = &s->keys[k];
        struct step_state out = { .key = x->key, .version = x->state->version, .offset = x->offset };
        struct step_states *to = x->there ? &w->update : &w->insert;

        if (!x->offset || (!x->there && !x->state->exists))
            continue;
        if (s->build_state == BUILD_ACTIVE)
            w->changed[w->changed_n++] = x->key;
        if (x->state->exists && !fold_text(x->state, &out.state))
            return false;
        if (!look_up(s, x, out.state, w))
            return false;
        if (x->state->exists)
            to->v[to->n++] = out;
        else
            w->deleted[w->deleted_n++] = x->key;
    }
    return true;
}

/* Of subjects that have come past a multiple of `snapshot_every` events, their states as snapshots. How many statements. */
/* Does the state hold all of its subject's events? Not where some were removed, passed over, or died before. */
static bool is_whole(const struct step *s, const struct keyed *x)
{
    if (s->part->first != 0 || folder_of(s)->skips)
        return false;
    return !folder_of(s)->def.dlq || x->state->version == x->subject_version;
}

static bool queue_snapshots(struct step *s, const struct step_write *w, size_t *ret_n)
{
    int64_t every = s->build_state == BUILD_ACTIVE ? folder_of(s)->def.snapshot_every : 0;
    struct snapshot_row *v = every ? arena_alloc(s->arena, (s->key_n + 1) * sizeof *v) : NULL;
    size_t n = 0;

    *ret_n = 0;
    if (!every)
        return true;
    for (size_t k = 0; v && k < s->key_n; k++) {
        struct keyed *x = &s->keys[k];
        struct slice text;

        if (!x->offset || !x->state->exists || !x->subject_version || x->version / every == x->state->version / every)
            continue;
        if (!is_whole(s, x))
            continue;
        if (!fold_text(x->state, &text))
            return false;
        v[n++] = (struct snapshot_row){ .subject = x->key, .version = x->subject_version, .state = text };
    }
    if (n)
        *ret_n = SNAPSHOTS_PUT_STATEMENTS;
    return v && (!n || db_snapshots_put(s->db, s->arena, w->id.stream_id, w->id.partition, v, n, false, clock_unix_us()));
}

enum err step_write_states(struct step *s)
{
    struct step_write w = { .id = s->part->id, .part = s->part->number, .position = s->to,
                            .stays = s->to == s->from };
    char notice[128];
    size_t n, snapshots, letters;
    int len = snprintf(notice, sizeof notice, "p%lld:%lld:%d:%lld", (long long)s->part->id.projection_id,
                       (long long)s->part->id.stream_id, s->part->id.partition, (long long)s->to);

    if (s->build_state == BUILD_ACTIVE)
        w.notice = (struct slice){ notice, (size_t)len };
    if (step_letters_mixed(s, &w.mixed, &w.mixed_n))
        return ERR_NO_MEMORY;
    if (!sort_out(s, &w) || !queue_snapshots(s, &w, &snapshots) || step_letters_queue(s, &letters) ||
        !(n = db_step_queue(s->db, s->arena, &w)))
        return ERR_NO_MEMORY;
    return db_flush(s->db, NULL, snapshots + letters + n, &s->fault);
}
