#ifndef WEIR_DB_READ_H
#define WEIR_DB_READ_H

#include "db/db.h"
#include "gateway/base/clock.h"

extern const struct stmt PAGE, PAGE_FILTERED, PAGE_BACK, READ_BOUNDS, RECORDED_AT;

/* Bounds of months that are open: PostgreSQL's year 1 and 9999, comparable, and far from any event. */
#define MONTH_MIN (INT64_C(-62135596800) * US_PER_S)
#define MONTH_MAX (INT64_C(253370764800) * US_PER_S)

/* Where a partition stands, and the month to read in. */
struct bounds_row {
    int32_t partition;
    int64_t head, earliest;
    int64_t from_us, to_us; /* months' bounds */
    int64_t month_last;     /* the last offset before to_us; INT64_MAX: open */
};

/* An offset of a partition. In an array of places those of one stream stand together, by partition. */
struct place {
    int64_t stream_id, offset;
    int32_t partition;
};

/* A request for what follows a place; patterns are LIKE patterns, n == 0: any. */
struct page_query {
    struct place after;
    int64_t upto, limit, bytes;
    int64_t from_us, to_us;
    const struct slice *types, *subjects;
    size_t type_n, subject_n;
};

/* One event of a page; slices live as long as the rows. */
struct page_row {
    int64_t offset, recorded_us, version; /* version 0: none */
    struct slice id, source, type, subject, attributes, data;
    int32_t data_format;
};

/* Where the partitions of n places stand, in one round trip; a statement names one stream. The places are `stride` bytes apart.
 * *ret_gone: the first place whose stream was deleted, or n; then no bounds are set from there on. */
enum err db_read_bounds(struct db *db, struct arena *a, const struct place *at, size_t stride, size_t n, struct bounds_row *ret,
                        size_t *ret_gone, struct fault *f);
/* n queries and the bounds of the same partitions after them, in one round trip. rows: n of them, the caller frees each. */
#define PAGE_QUERIES_MAX 64 /* so that events of the largest size fit memory */
enum err db_read_pages(struct db *db, struct arena *a, const struct page_query *q, size_t n, struct rows *ret_rows,
                       struct bounds_row *ret_bounds, size_t *ret_gone, struct fault *f);
/* One query backwards: the newest events of those after its place and up to `upto`. Its months must hold all of these; of `types` the first
 * one, which is no pattern here, counts alone. The caller frees. */
enum err db_read_back(struct db *db, const struct page_query *q, struct rows *ret, struct fault *f);
void db_page_row(const struct rows *r, int i, struct page_row *ret);
int64_t db_page_found(const struct rows *r); /* filtered pages: matches before the cut by bytes */
/* recorded of n places, in one round trip; INT64_MIN where the event is gone. */
enum err db_recorded_at(struct db *db, struct arena *a, const struct place *at, size_t n, int64_t *ret_us, struct fault *f);

#endif
