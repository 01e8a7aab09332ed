#include <stdlib.h>

#include "gateway/engine/saga_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input, each ended by a NUL: a definition, the input of an instance, a result, an event. */

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static struct slice next(const char **at, const char *end)
{
    const char *p = *at, *nul = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;

    *at = nul ? nul + 1 : end;
    return (struct slice){ p, (size_t)((nul ? nul : end) - p) };
}

/* Whole values only: what the engine hands over is JSON. */
static struct slice value_of(struct slice text)
{
    struct json j;
    struct slice raw;

    json_begin(&j, text, JSON_DEPTH);
    return text.n && json_value(&j, &raw) && json_end(&j) ? raw : SLICE_NONE;
}

static void is_json(struct slice text)
{
    demand(value_of(text).n == text.n && text.n > 0);
}

static bool give(void *arg, struct slice target, struct slice name, struct slice *ret)
{
    (void)arg;
    demand(target.n && name.n);
    *ret = SLICE("s\r\"3");
    return *name.p != 'x';
}

static void call(struct arena *a, const struct saga_http *h, const struct saga_scope *scope)
{
    struct saga_call c;
    struct fault f = { 0 };
    struct buf shown = { 0 };
    enum saga_rendering result = saga_render_call(h, scope, a, &c, &f);

    demand(result != SAGA_NO_MEMORY);
    demand(!result || (f.detail[0] && utf8_valid(slice_of(f.detail))));
    if (result)
        return;
    demand(c.url.n >= 8 && c.url.n <= SAGA_URL_RENDERED);
    for (size_t i = 0; i < c.url.n; i++)
        demand(c.url.p[i] > 0x20 && c.url.p[i] < 0x7F && c.url.p[i] != '#');
    for (size_t i = 0; i < c.header_n; i++)
        for (size_t k = 0; k < c.header[i].value.n; k++)
            demand(!strchr("\r\n", c.header[i].value.p[k]));
    saga_call_show(&shown, &c, 50);
    is_json((struct slice){ shown.p, shown.n });
    buf_free(&shown);
}

static void await(struct arena *a, const struct saga_await *w, const struct saga_scope *scope, struct slice event)
{
    struct slice wanted[SAGA_MATCHES_MAX], found[SAGA_MATCHES_MAX];
    int64_t x, y;
    bool failed;

    if (saga_await_wanted(w, scope, a, wanted, NULL) || !event.p || saga_await_found(w, event, a, found))
        return;
    demand(saga_await_hash(w, 1, 1, wanted, a, &x) && saga_await_hash(w, 1, 1, found, a, &y));
    demand(!saga_await_equal(w, wanted, found, a, &failed) || x == y);
}

static void deed(struct arena *a, const struct saga_deed *d, const struct saga_scope *scope, struct slice event)
{
    struct slice text;

    if (d->http)
        call(a, d->http, scope);
    for (int32_t round = 0; d->publish && round < 2; round++)
        if (!saga_render_event(d->publish, scope, SLICE("s/i/n/action"), round, a, &text, NULL))
            is_json(text);
    if (d->await)
        await(a, d->await, scope, event);
}

static void steps(struct arena *a, const struct saga_definition *d, struct saga_scope *scope, struct slice event)
{
    for (size_t i = 0; i < d->step_n; i++) {
        const struct saga_step *s = &d->step[i];

        demand(!(s->before >> i & 1) && !(s->after & ~s->before) && !(s->before & s->behind));
        for (int kind = 0; kind < SAGA_KINDS; kind++)
            deed(a, &s->deed[kind], scope, event);
        scope->secret = scope->secret ? NULL : give;
    }
}

static void start(struct arena *a, const struct saga_start_on *s, struct slice event)
{
    const struct saga_scope scope = { .event = event, .missing_is_null = true };
    struct slice text;

    if (s && s->input && !saga_render(s->input, &scope, a, &text, NULL))
        is_json(text);
    if (s && s->id)
        demand(saga_render(s->id, &scope, a, &text, NULL) != SAGA_NO_MEMORY);
}

/* What is kept is read as it was. */
static void kept(struct arena *a, const struct saga_definition *d)
{
    struct saga_definition again;

    demand(saga_definition_parse(a, d->text, &again, NULL) == OK && slice_eq(again.text, d->text));
    demand(again.step_n == d->step_n && again.roots == d->roots && again.stream_n == d->stream_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    struct arena *a = arena_new(SIZE_MAX);
    struct slice results[SAGA_STEPS_MAX];
    struct saga_definition d;
    struct fault f = { 0 };
    enum err e = saga_definition_parse(a, next(&p, end), &d, &f);

    demand(e == OK || (f.detail[0] && utf8_valid(slice_of(f.detail)) && utf8_valid(slice_of(f.pointer))));
    if (!e) {
        struct saga_scope scope = { .name = SLICE("orders"), .id = SLICE("o-1"), .result = results, .secret = give };
        struct slice result, event;

        scope.input = value_of(next(&p, end));
        result = value_of(next(&p, end));
        event = value_of(next(&p, end));
        for (size_t i = 0; i < SAGA_STEPS_MAX; i++)
            results[i] = result;
        kept(a, &d);
        steps(a, &d, &scope, event);
        start(a, d.start_on, event);
    }
    arena_free(a);
    return 0;
}
