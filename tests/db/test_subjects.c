#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/retention.h"
#include "gateway/base/clock.h"
#include "gateway/engine/subjects.h"
#include "tests/db/log_support.h"

static struct gateway gw;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_subjects");
    gateway_start(&gw);
    for (int month = 1; month <= 4; month++)
        side_do("select weir.make_room(now() - interval '%d months')", month);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    gateway_stop(&gw);
    log_close();
    return 0;
}

static long long id_of(const struct stream *s)
{
    return (long long)s->row.stream_id;
}

/* What one reading brought. */
struct got {
    enum err e;
    struct fault f;
    struct subject_page page;
    struct arena *arena;
};

static struct subject_spec spec_of(const char *subject, int64_t from)
{
    return (struct subject_spec){ .subject = slice_of(subject), .from = from, .unless = -1, .limit = 10000, .bytes = 8 << 20,
                                  .scan = 100000 };
}

static struct got read_as(const struct stream *s, const struct subject_spec *spec)
{
    struct got g = { .arena = arena_new(64 << 20) };

    g.e = subjects_read(gw.db, g.arena, s->row.stream_id, spec, &g.page, &g.f);
    return g;
}

static void assert_versions(const struct got *g, const char *subject, int64_t first, int64_t last)
{
    if (g->e)
        fail_msg("%s", g->f.detail);
    assert_int_equal(g->page.n, last - first + 1);
    assert_int_equal(g->page.next, last + 1);
    for (size_t i = 0; i < g->page.n; i++) {
        assert_int_equal(g->page.events[i].version, first + (int64_t)i);
        assert_true(slice_is(g->page.events[i].subject, subject));
    }
}

static void assert_read(const struct stream *s, const char *subject, int64_t from, int64_t last)
{
    struct subject_spec spec = spec_of(subject, from);
    struct got g = read_as(s, &spec);

    assert_versions(&g, subject, from, last);
    arena_free(g.arena);
}

/* The outcome, where no event comes. */
static enum err refused(const struct stream *s, const struct subject_spec *spec, int64_t *ret_earliest)
{
    struct got g = read_as(s, spec);

    assert_int_equal(g.page.n, 0);
    *ret_earliest = g.f.earliest_version;
    arena_free(g.arena);
    return g.e;
}

/* n events of a subject, and after each one that is nobody's. */
static void publish_n(struct stream *s, const char *subject, int n)
{
    for (int i = 0; i < n; i++)
        assert_ok(publish(&gw, s, "[{\"type\":\"T\",\"subject\":\"%s\",\"data\":%d},{\"type\":\"N\"}]", subject, i));
}

static void hide(const struct stream *s, const char *subject, int first, int last)
{
    side_do("update weir.events set subject_hash = null where stream_id = %lld and subject = '%s' and version between %d and %d",
            id_of(s), subject, first, last);
    side_do("update weir.streams set subjects_unindexed = true where stream_id = %lld", id_of(s));
}

static void a_hash_that_others_have_too_is_no_matter(void **state)
{
    struct stream *s = stream_here(&gw, "collide", 1, US_PER_S);

    (void)state;
    for (int i = 0; i < 3; i++) {
        publish_n(s, "a", 2);
        publish_n(s, "b", 1);
    }
    side_do("update weir.events set subject_hash = hashtextextended('a', 0) where stream_id = %lld and subject = 'b'", id_of(s));
    assert_read(s, "a", 1, 6);
    assert_read(s, "a", 4, 6);
    stream_unref(s);
}

static void months_are_read_as_one(void **state)
{
    struct stream *s = stream_here(&gw, "months", 2, US_PER_S);
    struct subject_spec spec = spec_of("long", 1);
    struct got g;

    (void)state;
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, subject, version, subject_hash,"
            "                         attributes, data_format, data)"
            " select %lld, 1, o, now() - (2000 - o) * interval '1 hour', o, 'T', 'long', o, hashtextextended('long', 0), '', 1,"
            "        repeat('1', 1000)::bytea from generate_series(1, 2000) o", id_of(s));
    side_do("insert into weir.subjects values (%lld, 'long', 1, 2000, 2000)", id_of(s));
    side_do("update weir.partitions set head = 2000, recorded = now(), bytes = 2000000 where stream_id = %lld and partition = 1",
            id_of(s));
    side_do("insert into weir.partition_months select stream_id, partition, date_trunc('month', recorded at time zone 'UTC'),"
            "       min(\"offset\") from weir.events where stream_id = %lld group by 1, 2, 3", id_of(s));
    assert_read(s, "long", 1, 2000);
    assert_read(s, "long", 777, 2000);
    for (spec.from = 1, spec.bytes = 400000; spec.from <= 2000; spec.from = g.page.next) {
        g = read_as(s, &spec);
        assert_int_equal(g.page.version, 2000);
        assert_in_range(g.page.n, 2000 - spec.from < 300 ? 1 : 300, 400);
        assert_versions(&g, "long", spec.from, g.page.next - 1);
        arena_free(g.arena);
    }
    spec = (struct subject_spec){ .subject = SLICE("long"), .from = 5, .unless = -1, .limit = 10, .bytes = 1, .scan = 1 };
    g = read_as(s, &spec);
    assert_versions(&g, "long", 5, 5); /* one comes, whatever its size */
    arena_free(g.arena);
    stream_unref(s);
}

static void what_the_index_lacks_is_looked_for_where_it_must_be(void **state)
{
    struct stream *s = stream_here(&gw, "holes", 1, US_PER_S);
    int64_t from, earliest;
    struct got g;
    struct subject_spec spec;
    int pages = 0;

    (void)state;
    publish_n(s, "other", 50);
    publish_n(s, "a", 20); /* at the offsets 101, 103 … 139 */
    hide(s, "a", 4, 6);
    hide(s, "a", 12, 12);
    hide(s, "a", 18, 20);
    for (from = 1; from <= 20; from = g.page.next, pages++) {
        spec = spec_of("a", from);
        g = read_as(s, &spec);
        assert_versions(&g, "a", from, g.page.next - 1);
        arena_free(g.arena);
    }
    assert_int_equal(pages, 6);
    spec.scan = 6; /* 4 to 6 are among the offsets 106 … 112 */
    spec.from = 4;
    assert_int_equal(refused(s, &spec, &earliest), ERR_SUBJECT_READS_OFF);
    spec.scan = 7;
    g = read_as(s, &spec);
    assert_versions(&g, "a", 4, 6);
    arena_free(g.arena);
    hide(s, "a", 1, 20);
    assert_read(s, "a", 1, 20);
    spec = spec_of("a", 19);
    spec.scan = 138;
    assert_int_equal(refused(s, &spec, &earliest), ERR_SUBJECT_READS_OFF);
    stream_unref(s);
}

static void what_was_removed_is_told_whether_the_index_is_whole_or_not(void **state)
{
    struct stream *s = stream_here(&gw, "removed", 1, US_PER_S);
    struct subject_spec spec = spec_of("a", 1);
    int64_t earliest;

    (void)state;
    publish_n(s, "a", 10); /* at the odd offsets */
    side_do("delete from weir.events where stream_id = %lld and \"offset\" <= 8", id_of(s));
    side_do("update weir.partitions set earliest = 9 where stream_id = %lld", id_of(s));
    for (int unindexed = 0; unindexed < 2; unindexed++) {
        for (spec.from = 1; spec.from <= 4; spec.from++) {
            assert_int_equal(refused(s, &spec, &earliest), ERR_VERSION_GONE);
            assert_int_equal(earliest, 5);
        }
        assert_read(s, "a", 5, unindexed ? 6 : 10);
        assert_read(s, "a", 7, 10);
        hide(s, "a", 5, 6);
    }
    assert_int_equal(side_int("select count(*) from weir.streams where stream_id = %lld and subjects_unindexed", id_of(s)), 1);
    side_do("update weir.partitions set earliest = 1 where stream_id = %lld", id_of(s)); /* the log is whole for the other tests */
    side_do("delete from weir.events where stream_id = %lld", id_of(s));
    side_do("update weir.partitions set earliest = head + 1, bytes = 0 where stream_id = %lld", id_of(s));
    spec.from = 1;
    assert_int_equal(refused(s, &spec, &earliest), ERR_VERSION_GONE);
    assert_int_equal(earliest, 11); /* nothing is left */
    stream_unref(s);
}

/* --- snapshots --- */

static enum err put_one(struct db *db, const struct stream *s, const char *subject, int64_t version, const char *text)
{
    struct snapshot_row row = { .subject = slice_of(subject), .version = version, .state = slice_of(text) };
    struct arena *a = arena_new(1 << 20);
    bool first;
    enum err e = subjects_snapshot_put(db, a, s->row.stream_id, &row, &first, NULL);

    arena_free(a);
    return e;
}

static int64_t stored(const struct stream *s, const char *subject)
{
    return side_int("select coalesce((select version from weir.snapshots where stream_id = %lld and subject = '%s'), 0)", id_of(s),
                    subject);
}

/* As a projection does, within its transaction; how many were stored. */
static int64_t put_many(const struct stream *s, int32_t partition, const struct snapshot_row *v, size_t n, bool same)
{
    struct arena *a = arena_new(1 << 20);
    struct rows r[2 + SNAPSHOTS_PUT_STATEMENTS] = { 0 };
    int64_t count;

    db_queue(gw.db, &DB_BEGIN, NULL);
    assert_true(db_snapshots_put(gw.db, a, s->row.stream_id, partition, v, n, same, clock_unix_us()));
    db_queue(gw.db, &DB_COMMIT, NULL);
    assert_ok(db_flush(gw.db, r, 2 + SNAPSHOTS_PUT_STATEMENTS, NULL));
    count = r[2].n;
    for (int i = 0; i < 2 + SNAPSHOTS_PUT_STATEMENTS; i++)
        rows_free(&r[i]);
    arena_free(a);
    return count;
}

static void snapshots_of_many_are_stored_where_they_are_newer(void **state)
{
    struct stream *s = stream_here(&gw, "many", 1, US_PER_S);
    struct snapshot_row v[] = {
        { SLICE("z"), 2, SLICE("{}"), 0 }, { SLICE("b"), 3, SLICE("{}"), 0 },      { SLICE("a"), 1, SLICE("{}"), 0 },
        { SLICE("c"), 4, SLICE("{}"), 0 }, { SLICE("nobody"), 1, SLICE("{}"), 0 },
    };

    (void)state;
    for (int i = 0; i < 4; i++)
        publish_n(s, (const char *[]){ "a", "b", "c", "z" }[i], 3);
    assert_int_equal(put_many(s, 1, v, 5, false), 0); /* another partition's */
    assert_int_equal(put_many(s, 0, v, 5, false), 3); /* c is not at 4 yet */
    assert_int_equal(stored(s, "a") + stored(s, "b") + stored(s, "c") + stored(s, "z"), 1 + 3 + 0 + 2);
    assert_int_equal(put_many(s, 0, v, 5, false), 0);
    v[2].version = 2;
    assert_int_equal(put_many(s, 0, v, 5, false), 1);
    assert_int_equal(put_many(s, 0, v, 5, true), 3);
    v[2].version = 1;
    assert_int_equal(put_many(s, 0, v, 5, true), 2);
    assert_int_equal(stored(s, "a"), 2);
    assert_int_equal(put_many(s, 0, v, 0, false), 0);
    stream_unref(s);
}

struct removing {
    pthread_t thread;
    struct due_row due;
    int64_t removed;
    enum err e;
};

static void *remove_all(void *arg)
{
    struct removing *r = arg;
    struct db *db = db_new(&gw.db_config);

    r->e = db_retention_remove(db, &r->due, 1000, clock_unix_us() + US_PER_S, &r->removed, NULL);
    db_free(db);
    return NULL;
}

static void retention_waits_for_a_snapshot_and_publishing_does_not(void **state)
{
    struct stream *s = stream_here(&gw, "waits", 1, US_PER_S);
    struct removing r = { .due = { s->row.stream_id, 0, 1, 1 } };
    const struct snapshot_row v = { SLICE("a"), 2, SLICE("{}"), 0 };
    struct rows rows[1 + SNAPSHOTS_PUT_STATEMENTS];
    struct arena *a = arena_new(1 << 20);

    (void)state;
    publish_n(s, "a", 2);
    publish_n(s, "b", 2);
    db_queue(gw.db, &DB_BEGIN, NULL);
    assert_true(db_snapshots_put(gw.db, a, s->row.stream_id, 0, &v, 1, false, clock_unix_us()));
    assert_ok(db_flush(gw.db, rows, 1 + SNAPSHOTS_PUT_STATEMENTS, NULL));
    for (int i = 0; i < 1 + SNAPSHOTS_PUT_STATEMENTS; i++)
        rows_free(&rows[i]);
    publish_n(s, "a", 1); /* while the transaction is open */
    pthread_create(&r.thread, NULL, remove_all, &r);
    side_until("select exists (select from pg_locks where not granted)");
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    pthread_join(r.thread, NULL);
    assert_ok(r.e);
    assert_int_equal(r.removed, 10);
    assert_int_equal(side_int("select version from weir.subjects where stream_id = %lld", id_of(s)), 3); /* of a; b is forgotten */
    assert_int_equal(put_one(gw.db, s, "b", 2, "{}"), ERR_UNKNOWN_SUBJECT);
    assert_ok(put_one(gw.db, s, "a", 3, "{}"));
    publish_n(s, "a", 1);
    assert_read(s, "a", 4, 4);
    arena_free(a);
    stream_unref(s);
}

static void *put_slowly(void *stream)
{
    struct db *db = db_new(&gw.db_config);
    enum err e = put_one(db, stream, "a", 2, "{}");

    db_free(db);
    return (void *)(uintptr_t)e;
}

static void a_snapshot_that_comes_too_late_finds_no_subject(void **state)
{
    struct stream *s = stream_here(&gw, "late", 1, US_PER_S);
    pthread_t thread;
    void *e;

    (void)state;
    publish_n(s, "a", 2);
    heads_hold(s); /* as retention does */
    pthread_create(&thread, NULL, put_slowly, s);
    side_until("select exists (select from pg_locks where not granted)");
    side_do("delete from weir.subjects where stream_id = %lld", id_of(s));
    heads_release();
    pthread_join(thread, &e);
    assert_int_equal((uintptr_t)e, ERR_UNKNOWN_SUBJECT);
    assert_int_equal(stored(s, "a"), 0);
    stream_unref(s);
}

static void a_subject_without_events_goes_with_its_snapshot(void **state)
{
    struct stream *s = stream_here(&gw, "forgotten", 1, US_PER_S);
    struct removing r = { .due = { s->row.stream_id, 0, 1, 1 } };

    (void)state;
    publish_n(s, "a", 2);
    publish_n(s, "b", 2);
    assert_ok(put_one(gw.db, s, "a", 1, "1"));
    assert_ok(put_one(gw.db, s, "b", 2, "2"));
    assert_ok(subjects_snapshot_delete(gw.db, s->row.stream_id, SLICE("a"), NULL));
    assert_int_equal(subjects_snapshot_delete(gw.db, s->row.stream_id, SLICE("a"), NULL), ERR_UNKNOWN_SNAPSHOT);
    assert_read(s, "a", 1, 2);
    remove_all(&r);
    assert_ok(r.e);
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld", id_of(s)), 1);
    assert_ok(subjects_snapshot_delete(gw.db, s->row.stream_id, SLICE("b"), NULL));
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld", id_of(s)), 0);
    stream_unref(s);
}

static void a_deleted_stream_takes_its_snapshots_along(void **state)
{
    struct stream *s = stream_here(&gw, "deleted", 1, US_PER_S);
    struct retention r = { .config = &gw.config, .db = gw.db };
    struct subject_spec spec = spec_of("s1", 1);
    int64_t earliest;
    bool more = true;

    (void)state;
    gw.config.retention_batch = 4;
    for (int i = 0; i < 10; i++) {
        char name[16];

        snprintf(name, sizeof name, "s%d", i);
        publish_n(s, name, 1);
        assert_ok(put_one(gw.db, s, name, 1, "{}"));
    }
    assert_ok(streams_delete(gw.streams, gw.db, s->row.name, NULL));
    assert_int_equal(refused(s, &spec, &earliest), ERR_UNKNOWN_STREAM);
    assert_int_equal(put_one(gw.db, s, "s1", 1, "{}"), ERR_UNKNOWN_STREAM);
    for (int i = 0; more; i++) {
        more = false;
        assert_ok(retention_tick(&r, &more));
        assert_in_range(i, 0, 100);
    }
    assert_int_equal(side_int("select count(*) from weir.snapshots where stream_id = %lld", id_of(s)), 0);
    assert_int_equal(side_int("select count(*) from weir.streams where stream_id = %lld", id_of(s)), 0);
    stream_unref(s);
}

static void whether_the_index_is_whole_is_remembered(void **state)
{
    struct stream *s = stream_here(&gw, "remembered", 1, US_PER_S);
    struct stream_row row = s->row;

    (void)state;
    assert_int_equal(side_int("select subjects_unindexed::int from weir.streams where stream_id = %lld", id_of(s)), 0);
    row.subject_reads = false;
    assert_ok(streams_update(gw.streams, gw.db, &row, NULL));
    row.subject_reads = true;
    assert_ok(streams_update(gw.streams, gw.db, &row, NULL));
    assert_int_equal(side_int("select subjects_unindexed::int from weir.streams where stream_id = %lld", id_of(s)), 1);
    side_do("insert into weir.streams (stream_id, name, partitions, dedup_window, created, updated)"
            " values (1, 'before', 1, 1, now(), now())"); /* as the release before does */
    assert_int_equal(side_int("select subjects_unindexed::int from weir.streams where stream_id = 1"), 1);
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_that_others_have_too_is_no_matter),
        cmocka_unit_test(months_are_read_as_one),
        cmocka_unit_test(what_the_index_lacks_is_looked_for_where_it_must_be),
        cmocka_unit_test(what_was_removed_is_told_whether_the_index_is_whole_or_not),
        cmocka_unit_test(snapshots_of_many_are_stored_where_they_are_newer),
        cmocka_unit_test(retention_waits_for_a_snapshot_and_publishing_does_not),
        cmocka_unit_test(a_snapshot_that_comes_too_late_finds_no_subject),
        cmocka_unit_test(a_subject_without_events_goes_with_its_snapshot),
        cmocka_unit_test(a_deleted_stream_takes_its_snapshots_along),
        cmocka_unit_test(whether_the_index_is_whole_is_remembered),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
