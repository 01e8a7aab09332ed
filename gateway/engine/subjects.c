#include "gateway/engine/subjects.h"

#include "gateway/base/clock.h"

#define ATTEMPTS 3 /* to store a snapshot: others publish, or forget the subject, at the same time */

/* What one call works on. */
struct reading {
    struct db *db;
    struct arena *arena;
    int64_t stream_id;
    const struct subject_spec *spec;
    struct subject_row subject;
    int64_t from;             /* the first version wanted */
    struct subject_page *ret;
    struct fault *fault;
};

static enum err unknown(struct fault *f)
{
    if (f)
        f->has_version = true, f->current_version = 0;
    return fault(f, ERR_UNKNOWN_SUBJECT, "The stream has no event of this subject, nor a snapshot.");
}

static enum err gone(const struct reading *r, int64_t earliest)
{
    struct fault *f = r->fault;
    int64_t version = r->subject.version;

    if (f)
        f->has_version = true, f->current_version = version, f->earliest_version = earliest;
    if (r->from > version + 1)
        return fault(f, ERR_VERSION_GONE, "The subject has version %lld; a reader of version %lld is ahead of it.",
                     (long long)version, (long long)r->from);
    if (earliest > version)
        return fault(f, ERR_VERSION_GONE, "The subject's events up to version %lld were removed.", (long long)version);
    return fault(f, ERR_VERSION_GONE, "The subject's events before version %lld were removed.", (long long)earliest);
}

static enum err too_many(const struct reading *r, int64_t events)
{
    return fault(r->fault, ERR_SUBJECT_READS_OFF,
                 "Version %lld was recorded while the stream's subject_reads was off, or was removed: %lld events would have to be "
                 "looked at, and the setting read.scan_events allows %lld.",
                 (long long)r->from, (long long)events, (long long)r->spec->scan);
}

static void free_rows(void *rows)
{
    rows_free(rows);
}

/* Rows that live as long as the arena; NULL: it is out of memory. */
static struct rows *kept_rows(struct arena *a)
{
    struct rows *r = arena_zalloc(a, sizeof *r);

    return r && arena_defer(a, free_rows, r) ? r : NULL;
}

/* The rows from version r->from on, as far as none is missing. */
static enum err take(struct reading *r, const struct rows *rows)
{
    struct subject_page *p = r->ret;

    if (!(p->events = arena_alloc(r->arena, ((size_t)rows->n + 1) * sizeof *p->events)))
        return ERR_NO_MEMORY;
    for (int i = 0; i < rows->n; i++) {
        struct page_row row;

        db_page_row(rows, i, &row);
        if (row.version != p->next)
            break;
        p->events[p->n++] = event_of_row(&row, r->subject.partition);
        p->next++;
    }
    return OK;
}

static int64_t first_version(const struct rows *rows)
{
    struct page_row row;

    if (!rows->n)
        return INT64_MAX;
    db_page_row(rows, 0, &row);
    return row.version;
}

/* The index has nothing of version r->from, and of a later one first at most: looks between the two. */
static enum err look_between(struct reading *r, const struct rows *later)
{
    int64_t below, after, end = r->subject.last_offset + 1, first = first_version(later);
    struct rows *rows = kept_rows(r->arena);
    enum err e;

    if (!rows)
        return ERR_NO_MEMORY;
    if (later->n)
        end = row_int8(later, 0, 0);
    if ((e = db_subject_before(r->db, r->stream_id, r->spec->subject, &r->subject, r->from, &below, r->fault)))
        return e;
    after = below >= r->subject.earliest ? below : r->subject.earliest - 1;
    if (end - after - 1 > r->spec->scan)
        return too_many(r, end - after - 1);
    if (end - after > 1 && (e = db_subject_scan(r->db, r->stream_id, r->spec->subject, &r->subject, after, end, r->from,
                                                r->spec->limit, r->spec->bytes, rows, r->fault)))
        return e;
    if (first_version(rows) < first)
        first = first_version(rows);
    if (first > r->from)
        return gone(r, first > r->subject.version ? r->subject.version + 1 : first);
    return take(r, rows);
}

static enum err read_events(struct reading *r)
{
    struct rows *page = kept_rows(r->arena), *snapshot = NULL;
    bool with = r->spec->snapshot && r->subject.snapshot_version, complete = !r->subject.unindexed;
    int64_t first;
    enum err e;

    if (!page || (with && !(snapshot = kept_rows(r->arena))))
        return ERR_NO_MEMORY;
    e = db_subject_page(r->db, r->stream_id, r->spec->subject, &r->subject, r->from, r->spec->limit, r->spec->bytes, complete,
                        snapshot, page, r->fault);
    if (e)
        return e;
    if (with)
        db_snapshot_row(snapshot, r->spec->subject, &r->ret->snapshot);
    first = first_version(page);
    if (first == r->from || r->from > r->subject.version)
        e = take(r, page);
    else if (complete)
        e = gone(r, first > r->subject.version ? r->subject.version + 1 : first);
    else
        e = look_between(r, page);
    return e || complete ? e : db_exec(r->db, &DB_COMMIT, NULL, NULL, r->fault);
}

/* In a transaction, which is over after OK. */
static enum err read_subject(struct reading *r)
{
    enum err e = db_subject_begin(r->db, r->stream_id, r->spec->subject, &r->subject, r->fault);

    if (e)
        return e;
    if (!r->subject.version)
        return unknown(r->fault);
    r->from = r->spec->from;
    if (r->spec->snapshot && r->subject.snapshot_version)
        r->from = r->subject.snapshot_version + 1;
    if (r->from > r->subject.version + 1)
        return gone(r, 0);
    r->ret->version = r->subject.version;
    r->ret->next = r->from;
    r->ret->unchanged = r->spec->unless == r->subject.version;
    return r->ret->unchanged ? db_exec(r->db, &DB_COMMIT, NULL, NULL, r->fault) : read_events(r);
}

enum err subjects_read(struct db *db, struct arena *a, int64_t stream_id, const struct subject_spec *spec, struct subject_page *ret,
                       struct fault *f)
{
    struct reading r = { .db = db, .arena = a, .stream_id = stream_id, .spec = spec, .ret = ret, .fault = f };
    enum err e;

    *ret = (struct subject_page){ 0 };
    if ((e = read_subject(&r)))
        db_rollback(db);
    return e;
}

enum err subjects_version(struct db *db, int64_t stream_id, struct slice subject, int64_t *ret, struct fault *f)
{
    struct subject_row row;
    enum err e = db_subject_look(db, stream_id, subject, &row, f);

    if (!e && !row.version)
        e = unknown(f);
    if (!e)
        *ret = row.version;
    return e;
}

/* --- snapshots --- */

static enum err no_snapshot(struct fault *f)
{
    return fault(f, ERR_UNKNOWN_SNAPSHOT, "The subject has no snapshot.");
}

enum err subjects_snapshot_get(struct db *db, struct arena *a, int64_t stream_id, struct slice subject, struct snapshot_row *ret,
                               struct fault *f)
{
    struct subject_row row;
    enum err e;

    if ((e = db_snapshot_get(db, a, stream_id, subject, ret, f)) || ret->version)
        return e;
    if ((e = db_subject_look(db, stream_id, subject, &row, f)))
        return e;
    return row.version ? no_snapshot(f) : unknown(f);
}

/* The version is one that the subject has, and not before the stored one's. */
static enum err judge(const struct subject_row *s, const struct snapshot_row *snapshot, struct fault *f)
{
    if (!s->version)
        return unknown(f);
    if (f)
        f->has_version = true, f->current_version = s->version;
    if (snapshot->version > s->version)
        return fault(f, ERR_SNAPSHOT_VERSION, "The subject has version %lld: there is no state at version %lld yet.",
                     (long long)s->version, (long long)snapshot->version);
    if (snapshot->version < s->snapshot_version)
        return fault(f, ERR_SNAPSHOT_VERSION, "A snapshot at version %lld is stored, which is later than version %lld.",
                     (long long)s->snapshot_version, (long long)snapshot->version);
    if (f)
        f->has_version = false;
    return OK;
}

/* *ret_done false: what `s` says was not true any more. */
static enum err store(struct db *db, struct arena *a, int64_t stream_id, const struct subject_row *s,
                      const struct snapshot_row *snapshot, bool *ret_done, bool *ret_first, struct fault *f)
{
    struct rows r[2 + SNAPSHOTS_PUT_STATEMENTS] = { 0 };
    const struct rows *stored = &r[SNAPSHOTS_PUT_STATEMENTS];
    enum err e;

    db_queue(db, &DB_BEGIN, NULL);
    if (!db_snapshots_put(db, a, stream_id, s->partition, snapshot, 1, true, snapshot->updated_us)) {
        db_abandon(db);
        return ERR_NO_MEMORY;
    }
    db_queue(db, &DB_COMMIT, NULL);
    e = db_flush(db, r, sizeof r / sizeof *r, f);
    *ret_done = !e && stored->n;
    *ret_first = *ret_done && row_bool(stored, 0, 0);
    for (size_t i = 0; i < sizeof r / sizeof *r; i++)
        rows_free(&r[i]);
    return e;
}

enum err subjects_snapshot_put(struct db *db, struct arena *a, int64_t stream_id, struct snapshot_row *snapshot, bool *ret_first,
                               struct fault *f)
{
    struct subject_row s;
    bool done = false;
    enum err e = OK;

    snapshot->updated_us = clock_unix_us();
    for (int i = 0; !done && i < ATTEMPTS; i++)
        if ((e = db_subject_look(db, stream_id, snapshot->subject, &s, f)) || (e = judge(&s, snapshot, f)) ||
            (e = store(db, a, stream_id, &s, snapshot, &done, ret_first, f)))
            return e;
    return done ? OK : fault(f, ERR_CONFLICT, "The subject's snapshot changes too often at the same time.");
}

enum err subjects_snapshot_delete(struct db *db, int64_t stream_id, struct slice subject, struct fault *f)
{
    struct subject_row s;
    bool done;
    enum err e;

    if ((e = db_subject_look(db, stream_id, subject, &s, f)))
        return e;
    if (!s.version)
        return unknown(f);
    if ((e = db_snapshot_delete(db, stream_id, s.partition, subject, &done, f)))
        return e;
    return done ? OK : no_snapshot(f);
}
