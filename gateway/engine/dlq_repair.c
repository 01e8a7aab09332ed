#include "gateway/base/json.h"
#include "gateway/engine/dlq.h"
#include "gateway/engine/event.h"

static enum err check(const struct letter_row *l, struct fault *f)
{
    if (l->state != LETTER_PARKED)
        return fault(f, ERR_CONFLICT, "The letter is %s: only a parked one can be repaired.", letter_state_word(l->state));
    if (l->data_format != DATA_JSON)
        return fault(f, ERR_PATCH_FAILED, "The event's data are not JSON: there is nothing to patch.");
    return OK;
}

static enum err outcome(enum edit_result r, struct fault *f)
{
    switch (r) {
    case EDIT_OK:
        return OK;
    case EDIT_BAD_PATCH:
        return ERR_BAD_BODY;
    case EDIT_BAD_VALUE:
    case EDIT_NO_TARGET:
        return ERR_PATCH_FAILED;
    case EDIT_TEST_FAILED:
        return ERR_PATCH_TEST_FAILED;
    case EDIT_TOO_LARGE:
        return ERR_EVENT_TOO_LARGE;
    case EDIT_NO_MEMORY:
        return ERR_NO_MEMORY;
    }
    return fault(f, ERR_INTERNAL, "The patch ended in an unknown way.");
}

/* The body is judged before the letter is locked for it. */
static enum err check_patch(struct slice patch, unsigned depth, struct fault *f)
{
    struct slice raw;
    struct json j;

    json_begin(&j, patch, depth + 2); /* a JSON Patch wraps its values twice */
    if (json_value(&j, &raw) && json_end(&j))
        return OK;
    return fault(f, ERR_BAD_JSON, "The body is not valid JSON at byte %zu: %s", (size_t)(j.p - j.start),
                 j.error ? j.error : "something follows the value");
}

/* What json_edit.h says that it takes, with some to spare. */
static size_t work_bytes(struct slice data, struct slice patch, const struct edit_limits *l)
{
    return ((size_t)1 << 20) + l->bytes + 4 * data.n + 32 * patch.n;
}

static enum err edit(struct db *db, struct arena *work, int64_t stream_id, const struct letter_row *l, enum letter_patch kind,
                     struct slice patch, const struct edit_limits *limits, struct fault *f)
{
    struct slice data;
    enum err e = outcome(kind == PATCH_MERGE ? json_merge_patch(work, l->data, patch, limits, &data, f) :
                                               json_patch(work, l->data, patch, limits, &data, f), f);

    return e || slice_eq(data, l->data) ? e : db_letter_repair(db, stream_id, l->letter_id, data, f);
}

enum err dlq_repair(struct db *db, struct arena *a, int64_t stream_id, const uint8_t id[16], enum letter_patch kind,
                    struct slice patch, const struct edit_limits *limits, struct letter_row *ret_before,
                    struct letter_row *ret_after, struct fault *f)
{
    struct arena *work;
    enum err e;

    if ((e = check_patch(patch, limits->depth, f)) || (e = dlq_get(db, a, stream_id, id, true, ret_before, f)) ||
        (e = check(ret_before, f)))
        return e;
    work = arena_new(work_bytes(ret_before->data, patch, limits));
    e = work ? edit(db, work, stream_id, ret_before, kind, patch, limits, f) : ERR_NO_MEMORY;
    arena_free(work);
    return e ? e : dlq_get(db, a, stream_id, id, false, ret_after, f);
}
