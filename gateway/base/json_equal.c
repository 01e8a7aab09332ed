#include "gateway/base/json_edit.h"
#include "gateway/base/json_splice.h"

#include "gateway/base/decimal.h"
#include "gateway/base/json.h"

struct equal {
    struct arena *arena;
    bool failed;                 /* out of memory */
};

static bool strings_equal(struct equal *w, struct slice x, struct slice y)
{
    struct json j;
    struct slice a, b;
    bool a_escaped, b_escaped;

    json_begin(&j, x, 0);
    json_scan_string(&j, &a, &a_escaped);
    json_begin(&j, y, 0);
    json_scan_string(&j, &b, &b_escaped);
    if (!json_unescape(w->arena, a, a_escaped, &a) || !json_unescape(w->arena, b, b_escaped, &b)) {
        w->failed = true;
        return false;
    }
    return slice_eq(a, b);
}

static bool equal(struct equal *w, struct slice x, struct slice y);

static bool arrays_equal(struct equal *w, struct slice x, struct slice y)
{
    struct json j, k;
    struct slice a, b;
    bool more;

    json_begin(&j, x, JSON_DEPTH);
    json_begin(&k, y, JSON_DEPTH);
    json_array_begin(&j);
    json_array_begin(&k);
    while ((more = json_array_next(&j)) == json_array_next(&k)) {
        if (!more)
            return true;
        if (!json_value(&j, &a) || !json_value(&k, &b) || !equal(w, a, b))
            return false;
    }
    return false;
}

/* Walks x once against the sorted members of y: it ends at the first name that y lacks, so it takes no longer than y is large. */
static bool objects_equal(struct equal *w, struct slice x, struct slice y)
{
    struct members m;
    struct member *e;
    struct json j;
    struct slice name, value;
    bool escaped;
    size_t found = 0;

    if ((w->failed = !members_of(w->arena, y, &m)))
        return false;
    json_begin(&j, x, JSON_DEPTH);
    json_object_begin(&j);
    while (json_object_next(&j, &name, &escaped)) {
        if ((w->failed = !json_unescape(w->arena, name, escaped, &name)))
            return false;
        if (!(e = members_find(&m, name)) || !json_value(&j, &value))
            return false;
        found += !e->found.p;
        e->found = value;
    }
    if (found != m.names)
        return false;
    for (size_t i = 0; i < m.names; i++)
        if (!equal(w, m.by_name[i]->found, m.by_name[i]->value))
            return false;
    return true;
}

static bool begins_number(struct slice raw)
{
    return *raw.p == '-' || (*raw.p >= '0' && *raw.p <= '9');
}

static bool equal(struct equal *w, struct slice x, struct slice y)
{
    bool number = begins_number(x);

    if (number)
        return begins_number(y) && decimal_equal(x, y);
    if (*x.p != *y.p)
        return false;
    switch (*x.p) {
    case '{':
        return objects_equal(w, x, y);
    case '[':
        return arrays_equal(w, x, y);
    case '"':
        return strings_equal(w, x, y);
    default:
        return true; /* null, true, false begin differently */
    }
}

bool json_values_equal(struct arena *a, struct slice x, struct slice y, bool *ret_failed)
{
    struct equal w = { .arena = a };
    struct json j;
    bool same;

    json_begin(&j, x, JSON_DEPTH);
    json_value(&j, &x);
    json_begin(&j, y, JSON_DEPTH);
    json_value(&j, &y);
    same = equal(&w, x, y);
    *ret_failed = w.failed;
    return same;
}
