#include "gateway/base/json_splice.h"

#include <stdlib.h>

#include "gateway/base/json.h"

static struct splice *splices_at(const struct splices *s, size_t *ret_n)
{
    *ret_n = s->list.n / sizeof(struct splice);
    return (struct splice *)(void *)s->list.p;
}

void splice(struct splices *s, const char *at, size_t cut, struct slice put)
{
    size_t n, offset = (size_t)(at - s->text.p);
    struct splice *list = splices_at(s, &n), *last = n ? &list[n - 1] : NULL;

    buf_slice(&s->fresh, put);
    if (last && last->at + last->cut == offset) { /* goes on where the last one ended */
        last->cut += cut;
        last->put += put.n;
    } else {
        buf_put(&s->list, &(struct splice){ offset, cut, put.n }, sizeof(struct splice));
    }
}

bool splices_empty(const struct splices *s)
{
    return !s->list.n && !s->list.failed;
}

size_t splices_size(const struct splices *s)
{
    size_t n, size = s->text.n + s->fresh.n;
    const struct splice *list = splices_at(s, &n);

    for (size_t i = 0; i < n; i++)
        size -= list[i].cut;
    return size;
}

bool splices_apply(const struct splices *s, struct buf *out)
{
    size_t n, at = 0, fresh = 0;
    const struct splice *list = splices_at(s, &n);

    if (s->list.failed || s->fresh.failed || !buf_reserve(out, splices_size(s)))
        return false;
    for (size_t i = 0; i < n; i++) {
        buf_put(out, s->text.p + at, list[i].at - at);
        if (list[i].put)         /* else there may be no `fresh` at all */
            buf_put(out, s->fresh.p + fresh, list[i].put);
        at = list[i].at + list[i].cut;
        fresh += list[i].put;
    }
    buf_put(out, s->text.p + at, s->text.n - at);
    return !out->failed;
}

void splices_free(struct splices *s)
{
    buf_free(&s->list);
    buf_free(&s->fresh);
}

/* Behind an entry that stays, an entry goes with the comma before it; else with the comma behind it, if there is one. */
void trim_entry(struct trim *t, const char *begin, const char *end, bool drop)
{
    if (t->from && !drop) {
        splice(t->s, t->from, (size_t)(begin - t->from), SLICE_NONE);
        t->from = NULL;
    } else if (drop && t->kept) {
        splice(t->s, t->last_end, (size_t)(end - t->last_end), SLICE_NONE);
    } else if (drop && !t->from) {
        t->from = begin;
    }
    t->kept = t->kept || !drop;
    t->last_end = end;
}

void trim_end(struct trim *t)
{
    if (t->from)
        splice(t->s, t->from, (size_t)(t->last_end - t->from), SLICE_NONE);
    t->from = NULL;
}

static int compare_names(struct slice x, struct slice y)
{
    size_t n = x.n < y.n ? x.n : y.n;
    int order = n ? memcmp(x.p, y.p, n) : 0;

    return order ? order : (x.n > y.n) - (x.n < y.n);
}

/* By name, and of one name in order. */
static int compare_members(const void *x, const void *y)
{
    const struct member *a = *(struct member *const *)x, *b = *(struct member *const *)y;
    int order = compare_names(a->name, b->name);

    return order ? order : (a > b) - (a < b);
}

static size_t count_members(struct slice object)
{
    struct json j;
    struct slice s;
    bool escaped;
    size_t n = 0;

    json_begin(&j, object, JSON_DEPTH);
    for (json_object_begin(&j); json_object_next(&j, &s, &escaped); n++)
        json_value(&j, &s);
    return n;
}

bool members_of(struct arena *a, struct slice object, struct members *ret)
{
    struct json j;
    struct slice inside;
    bool escaped;
    size_t n = count_members(object), names = 0;
    struct member *v = arena_zalloc(a, (n + 1) * sizeof *v), **by_name = arena_alloc(a, (n + 1) * sizeof(struct member *));

    if (!v || !by_name)
        return false;
    json_begin(&j, object, JSON_DEPTH);
    json_object_begin(&j);
    for (size_t i = 0; i < n && json_object_next(&j, &inside, &escaped); i++) {
        by_name[i] = &v[i];
        v[i].raw = (struct slice){ inside.p - 1, inside.n + 2 };
        if (!json_unescape(a, inside, escaped, &v[i].name) || !json_value(&j, &v[i].value))
            return false;
    }
    qsort(by_name, n, sizeof *by_name, compare_members);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && slice_eq(by_name[i]->name, by_name[i + 1]->name))
            continue;
        by_name[i]->last = true;
        by_name[names++] = by_name[i];
    }
    *ret = (struct members){ v, by_name, n, names };
    return true;
}

struct member *members_find(const struct members *m, struct slice name)
{
    size_t low = 0, high = m->names;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = compare_names(name, m->by_name[mid]->name);

        if (!order)
            return m->by_name[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}
