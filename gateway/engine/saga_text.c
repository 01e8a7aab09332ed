#include "gateway/base/clock.h"
#include "gateway/engine/saga_body_parts.h"

static void put_duration(struct buf *b, const char *name, int64_t us)
{
    char text[32];

    duration_format(us, text);
    buf_member_text(b, name, us ? slice_of(text) : SLICE_NONE);
}

static void put_node(struct buf *b, const char *name, const struct json_node *n)
{
    buf_printf(b, ",\"%s\":", name);
    if (n)
        json_tree_write(n, false, b);
    else
        BUF_LIT(b, "null");
}

static void put_after(struct buf *b, const struct saga_definition *d, uint64_t after)
{
    BUF_LIT(b, ",\"after\":[");
    for (uint64_t left = after; left; left &= left - 1) {
        if (left != after)
            buf_char(b, ',');
        buf_json_string(b, d->step[__builtin_ctzll(left)].name);
    }
    buf_char(b, ']');
}

/* As it is spelled in the definition. */
static void put_number(struct buf *b, const char *name, const struct json_node *retry, const char *absent)
{
    const struct json_node *n = json_tree_get(retry, name);

    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, n ? n->text : slice_of(absent));
}

static void put_retry(struct buf *b, const struct saga_step *s, const struct json_node *retry)
{
    char initial[32];

    duration_format(s->retry.initial_us, initial);
    buf_printf(b, ",\"retry\":{\"initial\":\"%s\"", initial);
    put_number(b, "factor", retry, "2");
    put_duration(b, "max", s->retry.max_us);
    buf_printf(b, ",\"max_attempts\":%d", s->retry.max_attempts);
    put_number(b, "jitter", retry, "0.2");
    buf_char(b, '}');
}

static void put_step(struct buf *b, const struct saga_definition *d, const struct saga_step *s, const struct json_node *n)
{
    static const char *const deeds[] = { "action", "approval", "signal" };
    const struct json_node *compensation = json_tree_get(n, "compensation");

    BUF_LIT(b, "{\"name\":");
    buf_json_string(b, s->name);
    put_after(b, d, s->after);
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        if (json_tree_get(n, deeds[i]))
            put_node(b, deeds[i], json_tree_get(n, deeds[i]));
    put_node(b, "compensation", compensation);
    put_retry(b, s, json_tree_get(n, "retry"));
    put_duration(b, "timeout", s->timeout_us);
    buf_str(b, s->pivot ? ",\"pivot\":true}" : ",\"pivot\":false}");
}

enum err saga_write_text(struct saga_reader *r, const struct json_node *root)
{
    struct saga_definition *d = r->d;
    const struct json_node *steps = json_tree_get(root, "steps");
    struct buf b = { 0 };

    for (size_t i = 0; i < d->step_n; i++) {
        buf_str(&b, i ? "," : "{\"steps\":[");
        put_step(&b, d, &d->step[i], steps->child[i]);
    }
    buf_char(&b, ']');
    put_node(&b, "start_on", json_tree_get(root, "start_on"));
    put_duration(&b, "timeout", d->timeout_us);
    buf_str(&b, d->pause ? ",\"on_exhausted\":\"pause\"" : ",\"on_exhausted\":\"compensate\"");
    buf_member_text(&b, "description", d->description);
    buf_char(&b, '}');
    d->text = b.failed ? SLICE_NONE : arena_slice(r->arena, (struct slice){ b.p, b.n });
    buf_free(&b);
    return d->text.p ? OK : ERR_NO_MEMORY;
}
