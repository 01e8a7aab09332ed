#include "gateway/engine/projection_compare.h"

#include "gateway/base/json_edit.h"

#define LIST_KEYS 100                      /* of each kind are told; all are counted */
#define LIST_BYTES ((size_t)512 << 10)     /* beyond it without their states */
#define WORK_BYTES ((size_t)256 << 20)     /* to compare two states */

/* Different spellings of equal values come from another order of events, as do members in another order. */
static enum err same_value(const struct check_pair *x, bool *ret)
{
    struct arena *a;
    bool failed = false;

    *ret = false;
    if (!x->is.p || !x->should.p || x->is_version != x->should_version)
        return OK;
    *ret = slice_eq(x->is, x->should);
    if (*ret || !(a = arena_new(WORK_BYTES)))
        return *ret ? OK : ERR_NO_MEMORY;
    *ret = json_values_equal(a, x->is, x->should, &failed);
    arena_free(a);
    return failed ? ERR_NO_MEMORY : OK;
}

/* A key that was deleted has forgotten who touched it. */
static bool touched_by_several(const struct comparison *c, const struct check_pair *x)
{
    bool one_home = c->def->stream_n == 1 && slice_is(c->def->key, "subject");

    if ((x->is.p && x->is_part < 0) || (x->should.p && x->should_part < 0))
        return true;
    if (!x->is.p || !x->should.p)
        return c->parts > 1 && !one_home;
    return x->is_part != x->should_part;
}

static void put_state(struct buf *b, const char *name, struct slice state, const char *version_name, int64_t version)
{
    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, state.p ? state : SLICE("null"));
    buf_printf(b, ",\"%s\":%lld", version_name, (long long)version);
}

static void put_pair(struct buf *b, const struct check_pair *x)
{
    buf_str(b, b->n ? ",{\"key\":" : "{\"key\":");
    buf_json_string(b, x->key);
    if (b->n + x->is.n + x->should.n < LIST_BYTES) {
        put_state(b, "state", x->is, "version", x->is_version);
        put_state(b, "expected", x->should, "expected_version", x->should_version);
    }
    buf_char(b, '}');
}

enum err comparison_add(struct comparison *c, const struct check_pair *pair)
{
    bool same, order;
    enum err e = OK;

    c->checked++;
    if (!pair->differs || (e = same_value(pair, &same)) || same)
        return e;
    order = touched_by_several(c, pair) && !fold_commutes(c->def->fold);
    if ((order ? c->order_dependent : c->drifted) < LIST_KEYS)
        put_pair(order ? &c->order : &c->drift, pair);
    *(order ? &c->order_dependent : &c->drifted) += 1;
    return c->drift.failed || c->order.failed ? ERR_NO_MEMORY : OK;
}

bool comparison_result(const struct comparison *c, struct arena *a, struct slice *ret)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{\"drift\":[");
    buf_put(&b, c->drift.p, c->drift.n);
    BUF_LIT(&b, "],\"order_dependent\":[");
    buf_put(&b, c->order.p, c->order.n);
    BUF_LIT(&b, "]}");
    *ret = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->p;
}

void comparison_free(struct comparison *c)
{
    buf_free(&c->drift);
    buf_free(&c->order);
}
