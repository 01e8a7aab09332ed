#include <stdlib.h>

#include "gateway/engine/fold_parts.h"
#include "gateway/engine/projection_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input, each ended by a NUL: a definition, a state (or nothing), a `where`, then events. */

enum { STATE_BYTES = 4096, EVENTS = 32 };

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool is_object(struct slice text)
{
    struct json j;
    struct slice raw;

    json_begin(&j, text, JSON_DEPTH);
    return json_value(&j, &raw) && json_end(&j) && *raw.p == '{' && raw.n == text.n;
}

static bool compact(struct slice text)
{
    return !memchr(text.p, ' ', text.n) && !memchr(text.p, '\n', text.n) && !memchr(text.p, '\t', text.n) &&
           !memchr(text.p, '\r', text.n);
}

static struct slice text_of(struct fold_state *s)
{
    struct slice text = SLICE_NONE;

    demand(!s->exists || (fold_text(s, &text) && is_object(text)));
    return text;
}

/* What is kept is read as it was. */
static void kept(struct arena *a, const struct projection_definition *d)
{
    struct projection_definition again;
    struct fault f = { 0 };

    demand(projection_definition_parse(a, d->text, STATE_BYTES, &again, &f) == OK);
    demand(slice_eq(again.text, d->text) && slice_eq(again.folded, d->folded));
    demand(fold_commutes(again.fold) == fold_commutes(d->fold));
}

/* A state that matches is among those of its hash. */
static void look_up(struct arena *a, const struct fold *fold, struct slice text, struct slice where)
{
    int64_t have[FOLD_INDEXES_MAX];
    struct fold_where w;
    struct fault f = { 0 };
    bool failed, hit = false;
    size_t n;

    demand(fold_lookup(fold, a, text, have, &n) && n <= FOLD_INDEXES_MAX);
    if (fold_where_parse(fold, a, where, &w, &f)) {
        demand(f.detail[0]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < w.hash_n; k++)
            hit = hit || have[i] == w.hash[k];
    demand(!fold_where_match(&w, a, text, &failed) || hit || !w.indexed);
    demand(!failed);
}

static void fold_one(struct arena *a, const struct fold *fold, struct fold_state *s, const struct event *ev)
{
    struct slice before = text_of(s), after;
    struct fold_event e;
    struct fault f = { 0 };
    int64_t version = s->version;
    enum fold_result r = fold_read(fold, SLICE("orders"), ev, a, &e, &f);

    demand(r == FOLD_PASSED || fold_wants(fold, ev->type));
    if (!r) {
        demand(e.key.n && e.key.n <= FOLD_KEY_MAX && !memchr(e.key.p, '\0', e.key.n));
        struct fold_state *again = fold_open(fold, a, before, version, STATE_BYTES);

        r = fold_apply(s, &e, &f);
        demand(fold_apply(again, &e, NULL) == r && again->exists == s->exists && again->version == s->version);
        demand(slice_eq(text_of(again), text_of(s)));
    }
    after = text_of(s);
    demand(r != FOLD_NO_MEMORY);
    demand(r != FOLD_REFUSED || (f.detail[0] && utf8_valid(slice_of(f.detail))));
    demand(r != FOLD_REFUSED || (slice_eq(before, after) && s->version == version));
    demand(r || !s->exists || (after.n <= STATE_BYTES && s->tree->bytes == after.n && s->version > 0));
}

static struct slice next(const char **at, const char *end)
{
    const char *p = *at, *nul = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;

    *at = nul ? nul + 1 : end;
    return (struct slice){ p, (size_t)((nul ? nul : end) - p) };
}

static void fold_all(struct arena *a, const struct projection_definition *d, const char *p, const char *end)
{
    const struct event_limits most = { .event_bytes = 1 << 16, .request_events = 1, .json_depth = 64 };
    struct slice begin = next(&p, end), where = next(&p, end);
    bool usable = begin.n && begin.n <= STATE_BYTES && is_object(begin) && compact(begin);
    struct fold_state *s = fold_open(d->fold, a, usable ? begin : SLICE_NONE, 1, STATE_BYTES);
    struct events events;

    for (int i = 0; i < EVENTS && p < end; i++)
        if (!event_parse(a, SLICE("orders"), EVENT_JSON, next(&p, end), SLICE_NONE, &most, 1, &events, NULL) && events.n)
            fold_one(a, d->fold, s, events.v);
    if (s->exists)
        look_up(a, d->fold, text_of(s), where);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    struct arena *a = arena_new(SIZE_MAX);
    struct projection_definition d;
    struct fault f = { 0 };
    enum err e = projection_definition_parse(a, next(&p, end), STATE_BYTES, &d, &f);

    demand(e == OK || (f.detail[0] && utf8_valid(slice_of(f.detail)) && utf8_valid(slice_of(f.pointer))));
    if (!e) {
        kept(a, &d);
        fold_all(a, &d, p, end);
    }
    arena_free(a);
    return 0;
}
