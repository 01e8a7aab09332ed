#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/base/json_edit.h"
#include "gateway/engine/error_mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input: a value, a NUL, a patch. Besides, the input is an error message. */

enum { DEPTH = 64, BYTES = 1 << 16 };

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool is_json(struct slice text)
{
    struct json j;
    struct slice raw;

    json_begin(&j, text, DEPTH);
    return json_value(&j, &raw) && json_end(&j);
}

typedef enum edit_result edit_fn(struct arena *a, struct slice value, struct slice patch, const struct edit_limits *l,
                                 struct slice *ret, struct fault *f);

/* A result is JSON within its bounds; without one, there is a reason. */
static bool edit(edit_fn *fn, struct arena *a, struct slice value, struct slice patch, struct slice *ret)
{
    const struct edit_limits limits = { DEPTH, BYTES };
    struct fault f = { 0 };
    enum edit_result r = fn(a, value, patch, &limits, ret, &f);

    demand(r != EDIT_NO_MEMORY);
    demand(!r == !f.detail[0] && !r == !!ret->p);
    demand(utf8_valid(slice_of(f.detail)) && utf8_valid(slice_of(f.pointer)));
    demand(r || (is_json(*ret) && (ret->n <= BYTES || ret->p == value.p)));
    demand(r != EDIT_BAD_VALUE || !is_json(value));
    return !r;
}

static bool equal(struct arena *a, struct slice x, struct slice y)
{
    bool failed, same = json_values_equal(a, x, y, &failed);

    demand(!failed);
    return same;
}

static void edits(struct arena *a, struct slice value, struct slice patch)
{
    struct slice once = SLICE_NONE, twice = SLICE_NONE, patched = SLICE_NONE;

    if (edit(json_merge_patch, a, value, patch, &once)) {
        demand(edit(json_merge_patch, a, once, patch, &twice)); /* merging again changes nothing */
        demand(equal(a, once, twice) && equal(a, twice, once));
        demand(equal(a, once, value) == equal(a, value, once));
    }
    edit(json_patch, a, value, patch, &patched);
}

static void masks(struct slice message)
{
    struct buf out = { 0 };

    error_mask(&out, message);
    demand(!out.failed && out.n <= ERROR_MASKED_MAX);
    demand(!utf8_valid(message) || utf8_valid((struct slice){ out.p, out.n }));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *nul = size ? memchr(text, '\0', size) : NULL;
    struct arena *a = arena_new(SIZE_MAX);

    masks((struct slice){ text, size });
    if (nul)
        edits(a, (struct slice){ text, (size_t)(nul - text) }, (struct slice){ nul + 1, size - (size_t)(nul + 1 - text) });
    arena_free(a);
    return 0;
}
