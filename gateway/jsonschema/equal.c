#include "gateway/jsonschema/tree.h"

#include "gateway/base/decimal.h"

static bool objects_equal(struct toil *t, struct node *a, const struct node *b)
{
    struct node *x = a + 1;
    const struct node *y = b + 1;

    for (uint32_t i = 0; i < a->n; i++, x += 1 + x[1].skip, y += 1 + y[1].skip) {
        const struct node *other = y + 1;

        if (!toil_spend(t, x->n / 16))
            return false;
        /* Mostly the order is the same. */
        if (x->hash != y->hash || !node_is(x, node_slice(y))) {
            if (!toil_spend(t, b->n) || !(other = node_member(b, node_slice(x))))
                return false;
        }
        if (!node_equal(t, x + 1, other))
            return false;
    }
    return true;
}

static bool arrays_equal(struct toil *t, struct node *a, const struct node *b)
{
    a++;
    b++;
    for (uint32_t n = a[-1].n; n; n--, a += a->skip, b += b->skip)
        if (!node_equal(t, a, b))
            return false;
    return true;
}

/* Long ones are dear, on either side. */
static bool numbers_equal(struct toil *t, const struct node *a, const struct node *b)
{
    return toil_spend(t, ((int64_t)a->n + b->n) / 16) &&
           (node_is(a, node_slice(b)) || decimal_equal(node_slice(a), node_slice(b)));
}

bool node_equal(struct toil *t, struct node *a, const struct node *b)
{
    if (!toil_spend(t, 1))
        return false;
    if (node_is_number(a))
        return node_is_number(b) && numbers_equal(t, a, b);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case T_STRING:
        /* b is of the schema, or was unescaped when it was hashed */
        return node_text(t, a) && a->n == b->n && toil_spend(t, a->n / 16) && node_is(a, node_slice(b));
    case T_ARRAY:
        return a->n == b->n && arrays_equal(t, a, b);
    case T_OBJECT:
        return a->n == b->n && objects_equal(t, a, b);
    default:
        return true;
    }
}

static uint32_t mix(uint32_t h, uint32_t v)
{
    uint64_t m = ((uint64_t)h << 32 | v) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint32_t)(m >> 32) ^ (uint32_t)m;
}

static uint32_t number_hash(const struct node *v)
{
    struct decimal d = decimal_of(node_slice(v));
    uint32_t h = (uint32_t)d.point * 2 + d.negative;

    if (d.vast)
        return name_hash(v->p, v->n);
    for (const char *p = d.digits; p < d.end; p++)
        if (*p != '.')
            h = mix(h, (unsigned char)*p);
    return h;
}

uint32_t node_hash(struct toil *t, struct node *v)
{
    uint32_t h = v->type;
    struct node *e = v + 1;

    if (!toil_spend(t, 1))
        return 0;
    switch (v->type) {
    case T_INT: case T_WHOLE: case T_REAL:
        return toil_spend(t, v->n / 16) ? number_hash(v) : 0;
    case T_STRING:
        return node_text(t, v) && toil_spend(t, v->n / 16) ? name_hash(v->p, v->n) : 0;
    case T_ARRAY:
        for (uint32_t i = 0; i < v->n; i++, e += e->skip)
            h = mix(h, node_hash(t, e));
        return h;
    case T_OBJECT:
        for (uint32_t i = 0; i < v->n; i++, e += 1 + e[1].skip)
            h += mix(e->hash, node_hash(t, e + 1));
        return h;
    default:
        return h;
    }
}
