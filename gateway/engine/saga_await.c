#include "gateway/base/glob.h"
#include "gateway/base/json_edit.h"
#include "gateway/base/json_hash.h"
#include "gateway/base/json_pointer.h"
#include "gateway/engine/saga_body.h"

static bool matches(const struct slice *pattern, size_t n, struct slice type)
{
    for (size_t i = 0; i < n; i++)
        if (glob_match(pattern[i], type))
            return true;
    return false;
}

enum saga_match_result saga_await_type(const struct saga_await *w, struct slice type)
{
    if (matches(w->failure, w->failure_n, type))
        return SAGA_MATCHES_FAILURE;
    return matches(w->type, w->type_n, type) ? SAGA_MATCHES : SAGA_MATCHES_NOT;
}

bool saga_start_type(const struct saga_start_on *s, struct slice type)
{
    return matches(s->type, s->type_n, type);
}

enum saga_rendering saga_await_wanted(const struct saga_await *w, const struct saga_scope *scope, struct arena *a,
                                      struct slice *ret, struct fault *f)
{
    enum saga_rendering result = SAGA_RENDERED;

    for (size_t i = 0; i < w->match_n && !result; i++)
        result = saga_render(w->match[i].value, scope, a, &ret[i], f);
    return result;
}

enum saga_rendering saga_await_found(const struct saga_await *w, struct slice event, struct arena *a, struct slice *ret)
{
    struct json_spot spot;

    for (size_t i = 0; i < w->match_n; i++) {
        if (!json_pointer_find(a, event, w->match[i].pointer, &spot))
            return SAGA_NO_MEMORY;
        if (!spot.value.p)
            return SAGA_REFUSED;
        ret[i] = spot.value;
    }
    return SAGA_RENDERED;
}

bool saga_await_hash(const struct saga_await *w, int64_t saga_id, int32_t version, const struct slice *values, struct arena *a,
                     int64_t *ret)
{
    const uint64_t who[] = { (uint64_t)saga_id, (uint64_t)version, w->number };
    uint64_t h = JSON_HASH_BEGIN;

    for (size_t i = 0; i < sizeof who / sizeof *who; i++)
        for (unsigned shift = 0; shift < 64; shift += 8)
            h = json_hash_bytes(h, (struct slice){ &(char){ (char)(unsigned char)(who[i] >> shift) }, 1 });
    for (size_t i = 0; i < w->match_n; i++) {
        if (!json_hash_value(a, &h, values[i]))
            return false;
        h = json_hash_bytes(h, SLICE("\0")); /* between values */
    }
    *ret = json_hash_end(h);
    return true;
}

bool saga_await_equal(const struct saga_await *w, const struct slice *wanted, const struct slice *found, struct arena *a,
                      bool *ret_failed)
{
    *ret_failed = false;
    for (size_t i = 0; i < w->match_n; i++)
        if (!json_values_equal(a, wanted[i], found[i], ret_failed))
            return false;
    return true;
}
