#include "gateway/engine/projection_letters.h"

#include "db/deliveries.h"
#include "db/outbox.h"
#include "gateway/base/clock.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/error_mask.h"
#include "gateway/engine/projection_step.h"

#define REASON "fold-failed"

static struct event event_of(const struct step *s, const struct fold_letter *l)
{
    return (struct event){
        .id = l->id, .source = l->source, .type = l->type, .subject = l->subject, .attributes = l->attributes,
        .data = l->data, .data_format = (enum data_format)l->data_format, .line_breaks = true, .partition = s->part->id.partition,
        .offset = l->offset, .recorded_us = l->recorded_us, .version = l->version, .expected_version = -1,
    };
}

/* What the step folds instead of an event of the log that has a letter. False: nothing. */
static bool replace(struct step *s, size_t i, struct event *to)
{
    struct step_letters *x = &s->letters;

    if (x->v[i].state != LETTER_RESOLVED && x->v[i].state != LETTER_REDRIVEN)
        return false;
    *to = event_of(s, &x->v[i]);
    if (x->v[i].state == LETTER_REDRIVEN)
        x->folded[i] = to;
    return true;
}

static enum err merge(struct step *s)
{
    struct step_letters *x = &s->letters;
    struct event *out = arena_alloc(s->arena, (s->page.n + x->n + 1) * sizeof *out);
    size_t n = 0, i = 0;

    if (!out)
        return ERR_NO_MEMORY;
    for (; i < x->n && x->v[i].offset <= s->from; i++, n++) {
        out[n] = event_of(s, &x->v[i]);
        x->folded[i] = &out[n];
    }
    x->redriven = n;
    for (size_t k = 0; k < s->page.n; k++) {
        bool kept = true;

        while (i < x->n && x->v[i].offset < s->page.events[k].offset)
            i++;
        if (i < x->n && x->v[i].offset == s->page.events[k].offset)
            kept = replace(s, i, &out[n]);
        else
            out[n] = s->page.events[k];
        n += kept;
    }
    s->page.events = out;
    s->page.n = n;
    return OK;
}

enum err step_letters_merge(struct step *s)
{
    const struct folder *folder = folder_of(s);
    struct step_letters *x = &s->letters;
    enum err e;

    if (!folder->group.p || (!folder->def.dlq && !folder->letters))
        return OK;
    if ((e = db_fold_letters(s->db, s->arena, &s->part->id, folder->group, s->from, s->to,
                             folder->state == BUILD_ACTIVE ? s->from : 0, REDRIVEN_MAX, &x->v, &x->n, &s->fault)))
        return e;
    x->folded = arena_zalloc(s->arena, (x->n + 1) * sizeof *x->folded);
    x->buried = arena_alloc(s->arena, (s->page.n + x->n + 1) * sizeof *x->buried);
    if (!x->folded || !x->buried)
        return ERR_NO_MEMORY;
    return x->n ? merge(s) : OK;
}

static const struct fold_letter *letter_of(const struct step_letters *x, const struct event *ev, bool *ret_known)
{
    *ret_known = false;
    for (size_t i = 0; i < x->n; i++) {
        if (x->folded[i] == ev)
            return &x->v[i];
        *ret_known |= x->v[i].offset == ev->offset;
    }
    return NULL;
}

bool step_bury(struct step *s, const struct event *ev, const struct fault *why)
{
    struct step_letters *x = &s->letters;
    const struct fold_letter *again;
    bool known; /* it was resolved, and this build cannot fold it: the one that is read has it */

    if (!x->buried)
        return false;
    again = letter_of(x, ev, &known);
    if (!again && (known || !folder_of(s)->def.dlq))
        return false;
    x->buried[x->buried_n++] = (struct burial){ ev, again, *why };
    return true;
}

/* --- what becomes of letters --- */

static struct slice kept(struct arena *a, struct buf *b)
{
    struct slice s = b->failed ? SLICE_NONE : arena_slice(a, (struct slice){ b->p, b->n });

    buf_free(b);
    return s;
}

static bool describe(struct step *s, const struct burial *x, struct death_row *r)
{
    struct buf error = { 0 }, masked = { 0 }, entry = { 0 };
    char id[UUID_TEXT];

    error_mask(&masked, slice_of(x->why.detail));
    BUF_LIT(&error, "{\"type\":\"" REASON "\",\"message\":");
    buf_json_string(&error, slice_of(x->why.detail));
    BUF_LIT(&error, ",\"context\":{\"pointer\":");
    buf_json_string(&error, slice_of(x->why.pointer));
    BUF_LIT(&error, "}}");
    BUF_LIT(&entry, "{\"attempt\":1");
    buf_member_time(&entry, "at", clock_unix_us());
    BUF_LIT(&entry, ",\"error\":");
    buf_put(&entry, error.p, error.n);
    buf_char(&entry, '}');
    *r = (struct death_row){ .at = { .partition = s->part->id.partition, .offset = x->event->offset, .round = x->again ? 1 : 0 },
                             .reason = SLICE(REASON), .error_type = SLICE(REASON), .error = kept(s->arena, &error),
                             .masked = kept(s->arena, &masked), .entry = kept(s->arena, &entry) };
    if (!r->masked.p)
        r->masked = SLICE("");
    if (x->again) {
        memcpy(r->letter, x->again->letter_id, sizeof r->letter);
    } else {
        uuid7(clock_unix_us(), id);
        uuid_parse(slice_of(id), r->letter);
    }
    return r->error.p && r->entry.p;
}

static bool is_buried(const struct step_letters *x, const struct event *ev)
{
    for (size_t i = 0; i < x->buried_n; i++)
        if (x->buried[i].event == ev)
            return true;
    return false;
}

/* Two statements for letters that are new, and for those that are parked again. */
static bool queue_deaths(struct step *s, const struct death_row *v, size_t n, bool again, size_t *count)
{
    const struct stream_row *stream = &s->part->stream->row;
    struct slice group = folder_of(s)->group;
    int64_t now = clock_unix_us();

    if (!n)
        return true;
    *count += 2;
    return (again ? db_letters_park : db_letters_bury)(s->db, s->arena, stream->stream_id, 0, group, now, v, n) &&
           db_outbox_letters(s->db, s->arena, stream->stream_id, stream->name, &v->letter, sizeof *v, n);
}

enum err step_letters_queue(struct step *s, size_t *ret_n)
{
    struct step_letters *x = &s->letters;
    struct death_row *fresh = arena_alloc(s->arena, (x->buried_n + 1) * sizeof *fresh);
    struct death_row *again = arena_alloc(s->arena, (x->buried_n + 1) * sizeof *again);
    uint8_t(*done)[16] = arena_alloc(s->arena, (x->n + 1) * sizeof *done);
    size_t fresh_n = 0, again_n = 0, done_n = 0;

    *ret_n = 0;
    if (!fresh || !again || !done)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < x->buried_n; i++) {
        const struct burial *b = &x->buried[i];

        if (b->event->offset <= s->to && !describe(s, b, b->again ? &again[again_n++] : &fresh[fresh_n++]))
            return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < x->n; i++)
        if (x->folded[i] && x->v[i].offset <= s->to && !is_buried(x, x->folded[i]))
            memcpy(done[done_n++], x->v[i].letter_id, sizeof *done);
    if (!queue_deaths(s, fresh, fresh_n, false, ret_n) || !queue_deaths(s, again, again_n, true, ret_n))
        return ERR_NO_MEMORY;
    if (!done_n)
        return OK;
    *ret_n += 1;
    return db_letters_resolve(s->db, s->arena, s->part->id.stream_id, clock_unix_us(), (const uint8_t(*)[16])done, done_n) ?
               OK :
               ERR_NO_MEMORY;
}

enum err step_letters_mixed(struct step *s, struct slice **ret, size_t *ret_n)
{
    *ret_n = 0;
    if (!(*ret = arena_alloc(s->arena, (s->letters.redriven + 1) * sizeof **ret)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->item_n && s->items[i].at < s->letters.redriven; i++)
        (*ret)[(*ret_n)++] = s->items[i].event.key;
    return OK;
}

/* --- redrives --- */

enum err projection_letters_claim(struct db *db, struct arena *a, struct slice group, struct fault *f)
{
    const size_t skip = sizeof PROJECTION_GROUP - 1;
    struct projection_row row;
    enum err e = db_projection_lock(db, a, (struct slice){ group.p + skip, group.n - skip }, &row, f);

    return e ? e : projection_tell(db, row.projection_id, f);
}
