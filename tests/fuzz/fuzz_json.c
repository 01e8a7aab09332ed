#include <stdlib.h>

#include "gateway/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 64 };

static bool pull(struct json *j, struct arena *a)
{
    enum json_type type;
    struct slice s, text;
    bool escaped;
    int64_t v;

    if (!json_peek(j, &type))
        return false;
    switch (type) {
    case JSON_STRING:
        if (!json_scan_string(j, &s, &escaped))
            return false;
        if (!json_unescape(a, s, escaped, &text) || !utf8_valid(text) || text.n > s.n)
            abort();
        return true;
    case JSON_ARRAY:
        if (!json_array_begin(j))
            return false;
        while (json_array_next(j))
            if (!pull(j, a))
                return false;
        return !j->error;
    case JSON_OBJECT:
        if (!json_object_begin(j))
            return false;
        while (json_object_next(j, &s, &escaped))
            if (!pull(j, a))
                return false;
        return !j->error;
    default:
        if (!json_value(j, &s))
            return false;
        json_int64(s, &v);
        return true;
    }
}

/* Skipping a text and pulling it apart agree; what was accepted is UTF-8 and is accepted again alone. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size }, raw, again;
    struct arena *a = arena_new(SIZE_MAX);
    struct json j, k;
    size_t line, column;
    bool skipped, pulled;

    json_begin(&j, text, DEPTH);
    skipped = json_value(&j, &raw) && json_end(&j);
    json_begin(&k, text, DEPTH);
    pulled = pull(&k, a) && json_end(&k);
    if (skipped != pulled || skipped == !!j.error || pulled == !!k.error)
        abort();
    if (skipped) {
        if (!utf8_valid(text))
            abort();
        json_begin(&j, raw, DEPTH);
        if (!json_value(&j, &again) || !json_end(&j) || !slice_eq(raw, again))
            abort();
    }
    json_where(&k, &line, &column);
    base64_decode(a, text, &raw);
    base64url_decode(a, text, &raw);
    arena_free(a);
    return 0;
}
