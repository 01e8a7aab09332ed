#include "gateway/base/json_hash.h"

#include "gateway/base/decimal.h"
#include "gateway/base/json.h"
#include "gateway/base/json_splice.h"

#define WORK_SPARE ((size_t)64 << 10)

uint64_t json_hash_bytes(uint64_t h, struct slice s)
{
    const unsigned char *b = (const unsigned char *)s.p;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ b[i]) * UINT64_C(0x100000001B3);
    return h;
}

static uint64_t add_char(uint64_t h, char c)
{
    return json_hash_bytes(h, (struct slice){ &c, 1 });
}

uint64_t json_hash_string(uint64_t h, struct slice characters)
{
    return json_hash_bytes(add_char(h, '"'), characters);
}

static uint64_t add_number(uint64_t h, struct slice text)
{
    struct decimal d = decimal_of(text);
    uint64_t point = (uint64_t)d.point;

    if (d.vast)
        return json_hash_bytes(h, text); /* as decimal_equal has it */
    h = add_char(h, d.negative && d.digits < d.end ? '-' : '+'); /* -0 is 0 */
    for (const char *p = d.digits; p < d.end; p++)
        if (*p != '.')
            h = add_char(h, *p);
    for (int i = 0; i < 8; i++, point >>= 8)
        h = add_char(h, (char)(unsigned char)point);
    return h;
}

static bool add(struct arena *a, uint64_t *h, struct slice json);

static bool add_items(struct arena *a, uint64_t *h, struct slice array)
{
    struct slice item;
    struct json j;

    json_begin(&j, array, JSON_DEPTH);
    json_array_begin(&j);
    *h = add_char(*h, '[');
    while (json_array_next(&j)) {
        if (!json_value(&j, &item) || !add(a, h, item))
            return false;
        *h = add_char(*h, ',');
    }
    *h = add_char(*h, ']');
    return true;
}

/* By name; of those of one name the last. */
static bool add_members(struct arena *a, uint64_t *h, struct slice object)
{
    struct members m;

    if (!members_of(a, object, &m))
        return false;
    *h = add_char(*h, '{');
    for (size_t i = 0; i < m.names; i++) {
        *h = add_char(json_hash_string(*h, m.by_name[i]->name), ':');
        if (!add(a, h, m.by_name[i]->value))
            return false;
        *h = add_char(*h, ',');
    }
    *h = add_char(*h, '}');
    return true;
}

static bool add(struct arena *a, uint64_t *h, struct slice json)
{
    struct slice s;

    switch (*json.p) {
    case '{':
        return add_members(a, h, json);
    case '[':
        return add_items(a, h, json);
    case '"':
        if (!json_text(a, json, &s))
            return false;
        *h = json_hash_string(*h, s);
        return true;
    case 't':
    case 'f':
    case 'n':
        *h = json_hash_bytes(add_char(*h, 'w'), json);
        return true;
    default:
        *h = add_number(add_char(*h, '0'), json);
        return true;
    }
}

bool json_hash_value(struct arena *a, uint64_t *h, struct slice json)
{
    struct arena *work;
    bool there;

    if (*json.p != '{' && *json.p != '[')
        return add(a, h, json);
    if (!(work = arena_new(64 * json.n + WORK_SPARE))) /* members take some 20 times their text */
        return false;
    there = add(work, h, json);
    arena_free(work);
    return there;
}

int64_t json_hash_end(uint64_t h)
{
    h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
    return (int64_t)(h ^ h >> 31);
}
