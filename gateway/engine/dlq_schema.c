#include "gateway/engine/dlq_schema.h"

#include "db/deliveries.h"
#include "gateway/base/clock.h"

/* Dead letters against the schemas that hold now. */

#define PAGE_LETTERS 32           /* each may have event.bytes */
#define PAGE_ARENA ((size_t)256 << 20)
#define CHECKED_US (10 * US_PER_S) /* after it no further page is looked at */

enum err dlq_conforms(struct schema_cache *c, struct db *db, struct arena *a, const struct stream_row *stream,
                      const struct letter_row *l, struct fault *f)
{
    const struct event ev = { .type = l->type, .data = l->data, .data_format = (enum data_format)l->data_format,
                              .dataschema = event_attribute(a, l->attributes, "dataschema") };
    struct finding *found = arena_alloc(a, VALIDATE_FINDINGS * sizeof *found);
    size_t n = 0;
    enum err e;

    if (stream->validation != VALIDATION_ENFORCE)
        return OK;
    e = found ? validate_recorded(c, db, stream, &ev, a, found, VALIDATE_FINDINGS, &n, f) : ERR_NO_MEMORY;
    return e || !n ? e : findings_fault(f, found, n, "");
}

/* The next letters after *after, which moves on. */
static enum err check_page(struct schema_cache *c, struct db *db, struct arena *a, const struct stream_row *stream,
                           const struct letter_filter *filter, uint8_t after[16], int64_t limit, int64_t *ret_checked,
                           int64_t *ret_failing, struct fault *f)
{
    struct rows rows = { 0 };
    uint8_t(*ids)[16];
    size_t count = 0;
    enum err e = db_letters_match(db, a, stream->stream_id, filter, after, NULL, limit, &ids, &count, f);

    *ret_checked = 0;
    if (e || !count)
        return e;
    if (!db_letters_at(db, a, stream->stream_id, (const uint8_t(*)[16])ids, sizeof *ids, count))
        return ERR_NO_MEMORY;
    e = db_flush(db, &rows, 1, f);
    for (int i = 0; !e && i < rows.n; i++) {
        struct finding one;
        struct page_row row;
        int32_t at;
        size_t n;

        db_group_event(&rows, i, &at, &row);
        const struct event ev = { .type = row.type, .data = row.data, .data_format = (enum data_format)row.data_format,
                                  .dataschema = event_attribute(a, row.attributes, "dataschema") };

        e = validate_recorded(c, db, stream, &ev, a, &one, 1, &n, f);
        *ret_failing += !e && n;
    }
    rows_free(&rows);
    memcpy(after, ids[count - 1], 16);
    *ret_checked = (int64_t)count;
    return e;
}

enum err dlq_failing(struct schema_cache *c, struct db *db, const struct stream_row *stream, const struct letter_filter *filter,
                     int64_t matched, int64_t *ret_checked, int64_t *ret_failing, struct fault *f)
{
    int64_t most = matched < DLQ_CHECKED_MAX ? matched : DLQ_CHECKED_MAX, n = 1;
    int64_t deadline = clock_mono_us() + CHECKED_US;
    uint8_t after[16] = { 0 };
    enum err e = OK;

    *ret_checked = *ret_failing = 0;
    if (stream->validation == VALIDATION_OFF) {
        *ret_checked = matched;
        return OK;
    }
    while (!e && n && *ret_checked < most && clock_mono_us() < deadline) {
        struct arena *a = arena_new(PAGE_ARENA);
        int64_t next = most - *ret_checked < PAGE_LETTERS ? most - *ret_checked : PAGE_LETTERS;

        e = a ? check_page(c, db, a, stream, filter, after, next, &n, ret_failing, f) : ERR_NO_MEMORY;
        *ret_checked += n;
        arena_free(a);
    }
    if (!n) /* letters went meanwhile */
        *ret_checked = matched;
    return e;
}
