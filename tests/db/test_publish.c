#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

#define WEEK (7 * 24 * 3600 * US_PER_S)

static struct gateway gw, other;
static struct stream *stream;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_publish");
    gateway_start(&gw);
    gateway_start(&other);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    gateway_stop(&gw);
    gateway_stop(&other);
    log_close();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_log_whole();
    stream_unref(stream);
    stream = NULL;
    return 0;
}

static long long id_of(const struct stream *s)
{
    return (long long)s->row.stream_id;
}

static void plain_events_are_appended_one_after_the_other(void **state)
{
    (void)state;
    stream = stream_here(&gw, "plain", 1, WEEK);
    for (int i = 1; i <= 5; i++) {
        struct asked *a = ask(&gw, stream, -1, "[{\"type\":\"A\",\"data\":%d},{\"type\":\"B\",\"data\":\"x\"}]", i);

        assert_ok(answer(a));
        assert_int_equal(a->p.events.v[0].offset, 2 * i - 1);
        assert_int_equal(a->p.events.v[1].offset, 2 * i);
        assert_false(a->p.events.v[0].duplicate);
        assert_in_range(a->p.events.v[0].recorded_us, clock_unix_us() - 10 * US_PER_S, clock_unix_us() + US_PER_S);
        assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld and \"offset\" = %d and"
                                  " type = 'A' and"
                                  " convert_from(data, 'UTF8') = '%d' and id = '%.*s' and extract(epoch from"
                                  " recorded) * 1000000 = %lld",
                                  id_of(stream), 2 * i - 1, i, (int)a->p.events.v[0].id.n, a->p.events.v[0].id.p,
                                  (long long)a->p.events.v[0].recorded_us), 1);
        asked_free(a);
        assert_int_equal(stream->lane[0].head, 2 * i);
    }
    assert_int_equal(side_int("select count(*) from weir.dedup where stream_id = %lld", id_of(stream)), 0);
}

static void ids_and_subjects_are_decided_and_remembered(void **state)
{
    struct asked *a;

    (void)state;
    stream = stream_here(&gw, "decided", 4, WEEK);
    a = ask(&gw, stream, -1, "[{\"id\":\"1\",\"type\":\"A\",\"subject\":\"s\"},{\"id\":\"2\",\"type\":\"A\",\"subject\":\"s\","
                             "\"expectedversion\":1},{\"id\":\"1\",\"type\":\"A\",\"subject\":\"s\"}]");
    assert_ok(answer(a));
    assert_int_equal(a->p.events.v[0].version, 1);
    assert_int_equal(a->p.events.v[1].version, 2);
    assert_true(a->p.events.v[2].duplicate);
    asked_free(a);
    a = ask(&gw, stream, 2, "{\"id\":\"3\",\"type\":\"B\",\"subject\":\"s\"}");
    assert_ok(answer(a));
    assert_int_equal(a->p.events.v[0].version, 3);
    asked_free(a);
    a = ask(&gw, stream, 2, "{\"id\":\"4\",\"type\":\"B\",\"subject\":\"s\"}");
    assert_int_equal(answer(a), ERR_VERSION_CONFLICT);
    assert_int_equal(a->p.fault.current_version, 3);
    asked_free(a);
    a = ask(&other, stream, 2, "{\"id\":\"3\",\"type\":\"B\",\"subject\":\"s\"}"); /* the retry, through another gateway */
    assert_ok(answer(a));
    assert_true(a->p.events.v[0].duplicate);
    assert_int_equal(a->p.events.v[0].version, 3);
    assert_int_equal(a->p.events.v[0].offset, 3);
    asked_free(a);
    assert_int_equal(publish(&other, stream, "{\"id\":\"3\",\"type\":\"C\",\"subject\":\"s\"}"), ERR_ID_REUSED);
    assert_int_equal(side_int("select count(*) from weir.dedup where stream_id = %lld", id_of(stream)), 3);
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld and subject = 's' and"
                              " version = 3"
                              " and last_offset = 3", id_of(stream)), 1);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld and subject_hash ="
                              " hashtextextended('s', 0)", id_of(stream)), 3);
}

static void one_batch_holds_many_streams_and_one_that_is_gone_hurts_no_other(void **state)
{
    struct stream *s[3];

    (void)state;
    stream = stream_here(&gw, "hold", 1, WEEK);
    for (int kind = 0; kind < 2; kind++) { /* plain, decided */
        const char *body = kind ? "{\"id\":\"x\",\"type\":\"A\",\"subject\":\"q\"}" : "{\"type\":\"A\"}";
        struct asked *first, *a[3][2];
        char name[40];

        for (int i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "many-%d-%d", kind, i);
            s[i] = stream_here(&gw, name, 2, WEEK);
            for (int k = 0; k < 8; k++)
                assert_ok(publish(&gw, s[i], "{\"type\":\"A\"}")); /* heads are known: the plain way is open */
        }
        side_do("delete from weir.partitions where stream_id = %lld", id_of(s[1]));
        side_do("delete from weir.events where stream_id = %lld", id_of(s[1]));
        heads_hold(stream);
        first = ask(&gw, stream, -1, "{\"type\":\"A\"}");
        heads_awaited();
        for (int k = 0; k < 2; k++)
            for (int i = 0; i < 3; i++)
                a[i][k] = ask(&gw, s[i], -1, "%s", body);
        heads_release();
        assert_ok(answer(first));
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 2; k++) {
                assert_int_equal(answer(a[i][k]), i == 1 ? ERR_UNKNOWN_STREAM : OK);
                assert_int_equal(a[i][k]->p.events.v[0].duplicate, i != 1 && kind && k);
                asked_free(a[i][k]);
            }
        assert_int_equal(side_int("select count(distinct xmin::text::bigint) from weir.events where stream_id in"
                                  " (%lld, %lld) and"
                                  " type = 'A' and recorded = (select max(recorded) from"
                                  " weir.events)", id_of(s[0]), id_of(s[2])), 1);
        asked_free(first);
        for (int i = 0; i < 3; i++)
            stream_unref(s[i]);
    }
}

static void a_deleted_stream_is_unknown_and_forgotten(void **state)
{
    struct stream *cached;

    (void)state;
    stream = stream_here(&gw, "gone", 2, WEEK);
    assert_ok(publish(&gw, stream, "{\"id\":\"1\",\"type\":\"A\"}"));
    assert_ok(streams_delete(other.streams, other.db, SLICE("gone"), NULL));
    assert_int_equal(publish(&gw, stream, "{\"type\":\"A\"}"), ERR_UNKNOWN_STREAM);
    assert_int_equal(publish(&gw, stream, "{\"id\":\"1\",\"type\":\"A\"}"), ERR_UNKNOWN_STREAM);
    assert_null(streams_cached(gw.streams, SLICE("gone")));
    assert_int_equal(streams_load(gw.streams, gw.db, SLICE("gone"), &cached, NULL), ERR_UNKNOWN_STREAM);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld", id_of(stream)), 1);
}

static void an_id_is_free_again_after_its_window(void **state)
{
    static const char *const body = "{\"id\":\"1\",\"type\":\"A\",\"data\":1}";
    struct asked *a;

    (void)state;
    stream = stream_here(&gw, "window", 1, US_PER_S);
    for (int proved = 0, last = 0; proved < 2; usleep(1100000)) {
        int64_t began = clock_mono_us();
        bool duplicate, late;

        a = ask(&gw, stream, -1, "%s", body);
        assert_ok(answer(a));
        assert_false(a->p.events.v[0].duplicate);
        assert_int_equal(a->p.events.v[0].offset, ++last);
        asked_free(a);
        a = ask(&gw, stream, -1, "%s", body);
        assert_ok(answer(a));
        duplicate = a->p.events.v[0].duplicate;
        late = clock_mono_us() - began > US_PER_S; /* the machine stood still */
        assert_true(duplicate || late);
        last += !duplicate;
        assert_int_equal(a->p.events.v[0].offset, last);
        asked_free(a);
        proved += !late;
    }
    assert_ok(publish(&gw, stream, "{\"id\":\"1\",\"type\":\"A\",\"data\":2}")); /* other content is no reuse now */
    assert_int_equal(side_int("select count(*) from weir.dedup where stream_id = %lld", id_of(stream)), 1);
}

static void a_request_that_the_database_refuses_fails_alone(void **state)
{
    struct asked *first, *a[9];

    (void)state;
    stream = stream_here(&gw, "refused", 3, WEEK);
    side_do("alter table weir.events add constraint no_bad check (type <> 'Bad')");
    for (int kind = 0; kind < 2; kind++) { /* decided, then plain */
        for (int k = 0; kind && k < 20; k++)
            assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
        heads_hold(stream);
        first = ask(&gw, stream, -1, "{\"type\":\"A\"}");
        heads_awaited();
        for (int i = 0; i < 9; i++)
            a[i] = kind ? ask(&gw, stream, -1, "{\"type\":\"%s\"}", i % 3 == 1 ? "Bad" : "Good")
                        : ask(&gw, stream, -1, "{\"id\":\"%d\",\"type\":\"%s\",\"subject\":\"%d\"}", i,
                              i % 3 == 1 ? "Bad" : "Good", i);
        heads_release();
        assert_ok(answer(first));
        for (int i = 0; i < 9; i++) {
            assert_int_equal(answer(a[i]), i % 3 == 1 ? ERR_INTERNAL : OK);
            asked_free(a[i]);
        }
        asked_free(first);
    }
    side_do("alter table weir.events drop constraint no_bad");
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld", id_of(stream)), 6);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld and type ="
                              " 'Good'", id_of(stream)), 12);
}

/* --- months --- */

static void the_first_event_of_a_month_opens_it(void **state)
{
    (void)state;
    stream = stream_here(&gw, "months", 1, WEEK);
    for (int i = 0; i < 3; i++)
        assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
    /* a month passes */
    side_do("select weir.make_room(now() - interval '1 month')");
    side_do("update weir.events set recorded = recorded - interval '1 month' where stream_id = %lld", id_of(stream));
    side_do("update weir.partition_months set month = month - interval '1 month' where stream_id ="
            " %lld", id_of(stream));
    side_do("update weir.partitions set recorded = recorded - interval '1 month' where stream_id ="
            " %lld", id_of(stream));
    stream->lane[0].month--;
    for (int i = 0; i < 3; i++)
        assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
    assert_int_equal(side_int("select count(*) from weir.partition_months where stream_id = %lld", id_of(stream)), 2);
    assert_int_equal(side_int("select first_offset from weir.partition_months where stream_id = %lld and month ="
                              " date_trunc('month', now() at time zone 'UTC')", id_of(stream)), 4);
    /* a gateway that knows nothing changes nothing */
    struct stream *anew = stream_here(&other, "months", 1, WEEK);

    assert_ok(publish(&other, anew, "{\"type\":\"A\"}"));
    assert_int_equal(side_int("select sum(first_offset) from weir.partition_months where stream_id ="
                              " %lld", id_of(stream)), 5);
    stream_unref(anew);
}

/* --- two gateways --- */

enum { RACES = 300, RACERS = 4 };

struct racer {
    pthread_t thread;
    struct gateway *g;
    struct stream *s;
    int index;
    int won, lost, same, moved;
};

/* All racers publish the same: one is first, the others are told so. */
static void *race(void *arg)
{
    struct racer *r = arg;

    for (int i = 0; i < RACES; i++) {
        struct asked *id = ask(r->g, r->s, -1, "{\"id\":\"%d\",\"type\":\"A\"}", i);
        struct asked *lock = ask(r->g, r->s, -1, "{\"type\":\"L\",\"subject\":\"lock\",\"expectedversion\":%d}", i);
        struct asked *part = ask(r->g, r->s, -1, "[{\"type\":\"M\",\"subject\":\"m%d\",\"partitionkey\":\"%d\"},{\"type\":\"P\"}]",
                                 i, r->index);

        r->same += answer(id) == OK && id->p.events.v[0].duplicate;
        r->won += answer(lock) == OK;
        r->lost += answer(lock) == ERR_VERSION_CONFLICT;
        r->moved += answer(part) == ERR_SUBJECT_MOVED;
        if (answer(id) || (answer(part) && answer(part) != ERR_SUBJECT_MOVED))
            fail_msg("%d: %s%s", i, id->p.fault.detail, part->p.fault.detail);
        if (answer(lock) == ERR_VERSION_CONFLICT && lock->p.fault.current_version <= i)
            i--; /* somebody is behind: not this one's turn yet */
        asked_free(id);
        asked_free(lock);
        asked_free(part);
    }
    return NULL;
}

static void gateways_race_without_gaps_and_without_doubles(void **state)
{
    struct racer r[RACERS] = { 0 };
    int won = 0;

    (void)state;
    stream = stream_here(&gw, "race", 5, WEEK);
    for (int i = 0; i < RACERS; i++) {
        struct gateway *g = i % 2 ? &gw : &other;

        r[i] = (struct racer){ .g = g, .s = stream_here(g, "race", 5, WEEK), .index = i };
        assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(r[i].thread, NULL);
        won += r[i].won;
        stream_unref(r[i].s);
    }
    assert_int_equal(won, RACES);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld and type ="
                              " 'A'", id_of(stream)), RACES);
    assert_int_equal(side_int("select count(distinct id) from weir.events where stream_id = %lld and type ="
                              " 'A'", id_of(stream)),
                     RACES);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld and type ="
                              " 'L'", id_of(stream)), RACES);
    assert_int_equal(side_int("select count(distinct version) from weir.events where stream_id = %lld and type = 'L'",
                              id_of(stream)), RACES);
    assert_int_equal(side_int("select count(distinct (subject, partition)) - count(distinct subject) from weir.events"
                              " where stream_id = %lld and type = 'M'", id_of(stream)), 0);
    assert_int_equal(side_int("select (select count(*) from weir.events where stream_id = %lld and type = 'M') -"
                              " (select count(*) from weir.events where stream_id = %lld and type = 'P')",
                              id_of(stream), id_of(stream)), 0);
}

static void note(struct publish *p, bool more)
{
    ((struct asked *)p->arg)->p.if_version = more; /* the lane reads it no more */
    sem_post(&((struct asked *)p->arg)->answered);
}

static void the_last_of_a_wave_is_one_that_wakes_the_others(void **state)
{
    struct asked *a[5];

    (void)state;
    stream = stream_here(&gw, "wave", 1, WEEK);
    assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
    side_do("begin; select from weir.partitions where stream_id = %lld for update", id_of(stream));
    for (size_t i = 0; i < 5; i++) { /* the first waits in the database; the others are the next batch */
        a[i] = draft(stream, -1, "{\"type\":\"A\"}");
        a[i]->p.done = note;
        a[i]->p.alone = i >= 3;
        assert_ok(commit_submit(gw.commit, &a[i]->p, NULL));
        if (!i)
            heads_awaited();
    }
    side_do("rollback");
    for (size_t i = 0; i < 5; i++)
        assert_ok(answer(a[i]));
    assert_true(a[1]->p.if_version);
    assert_false(a[2]->p.if_version);
    for (size_t i = 0; i < 5; i++)
        asked_free(a[i]);
}

#define T(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(plain_events_are_appended_one_after_the_other),
        T(ids_and_subjects_are_decided_and_remembered),
        T(one_batch_holds_many_streams_and_one_that_is_gone_hurts_no_other),
        T(a_deleted_stream_is_unknown_and_forgotten),
        T(an_id_is_free_again_after_its_window),
        T(a_request_that_the_database_refuses_fails_alone),
        T(the_first_event_of_a_month_opens_it),
        T(the_last_of_a_wave_is_one_that_wakes_the_others),
        T(gateways_race_without_gaps_and_without_doubles),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
