#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "tests/db/projections_support.h"

/* Steps by hand: who may write, and what is written. */
static struct db_config proxied;
static struct proxy *proxy;

static int start(void **state)
{
    (void)state;
    if (projections_open("weir_projection_steps") || !(proxy = proxy_new()))
        return -1;
    proxied = gw.db_config;
    proxied.url = proxy_url(proxy);
    return 0;
}

static int stop(void **state)
{
    proxy_free(proxy);
    return projections_close(state);
}

/* The first part of all that are free, as a gateway of this number has claimed it. */
static struct fold_part *claimed(int64_t owner)
{
    struct claim_row *v;
    struct stream *s;
    struct folder *f = calloc(1, sizeof *f);
    struct build_row build;
    struct fold_part *part;
    int64_t others, parts;
    size_t n;
    bool found;

    assert_ok(db_member_beat(gw.db, owner, 60 * US_PER_S, &others, &parts, NULL));
    assert_ok(db_parts_claim(gw.db, scratch, owner, 1, &v, &n, NULL));
    assert_int_equal(n, 1);
    assert_ok(streams_load(gw.streams, gw.db, v->stream, &s, NULL));
    assert_true(f && (f->arena = arena_new(1 << 20)));
    atomic_init(&f->refs, 1);
    assert_ok(db_build_get(gw.db, f->arena, v->id.projection_id, v->id.build, &build, &found, &f->skips, NULL));
    assert_ok(projection_definition_parse(f->arena, build.definition, 1 << 18, &f->def, NULL));
    assert_true(parts_add(manager, v, s, f));
    part = parts_next(manager);
    assert_non_null(part);
    return part;
}

/* One step on this connection, and what it says. */
static enum step_end step(struct fold_part *part, struct db *db)
{
    int64_t position = -1;
    enum step_end end = projection_step(manager, part, db, &position);

    part->position = position;
    return end;
}

static void let_go(struct fold_part *part)
{
    parts_done(manager, part, STEP_LOST, 0);
    side_do("update weir.projection_parts set owner = 0; delete from weir.projection_members");
}

static void position_and_states_are_one_transaction(void **state)
{
    struct stream *s = stream_here(&gw, "one", 1, US_PER_S);
    struct db_config config = proxied;
    struct db *db = db_new(&config);
    struct fold_part *part;

    (void)state;
    define("one", COUNTING("one"));
    count(s, 3, 5);
    part = claimed(11);
    for (int answers = 1; part->position < 15 && answers < 40; answers++) { /* the connection is lost later each time */
        assert_ok(db_check(db, NULL)); /* answers are then those of the step alone */
        proxy_set_after(proxy, PROXY_SWALLOW, answers);
        step(part, db);
        assert_int_equal(folded("one"), side_int("select position from weir.projection_parts p join weir.projections n using"
                                                 " (projection_id) where n.name = 'one'"));
        proxy_set(proxy, PROXY_PASS);
        if (part->doubt)
            part->position = 0; /* whatever it thinks: the row knows */
    }
    proxy_set(proxy, PROXY_PASS);
    assert_true(step(part, db) == STEP_IDLE);
    assert_int_equal(part->position, 15);
    assert_int_equal(folded("one"), 15);
    let_go(part);
    db_free(db);
    forget("one");
    stream_unref(s);
}

static void who_has_lost_its_lease_writes_nothing(void **state)
{
    struct stream *s = stream_here(&gw, "lease", 1, US_PER_S);
    struct fold_part *first, *second;

    (void)state;
    define("lease", COUNTING("lease"));
    count(s, 4, 1);
    first = claimed(21);
    side_do("update weir.projection_members set until = now() - interval '1 s'");
    second = claimed(22);
    assert_int_equal(second->epoch, first->epoch + 1);
    assert_int_equal(step(first, gw.db), STEP_LOST);
    assert_int_equal(folded("lease"), 0);
    assert_int_equal(step(second, gw.db), STEP_IDLE);
    assert_int_equal(folded("lease"), 4);
    assert_int_equal(step(first, gw.db), STEP_LOST);
    assert_int_equal(folded("lease"), 4);
    parts_done(manager, first, STEP_LOST, 0);
    let_go(second);
    forget("lease");
    stream_unref(s);
}

static void a_paused_projection_folds_nothing_from_its_answer_on(void **state)
{
    struct stream *s = stream_here(&gw, "pause", 1, US_PER_S);
    struct fold_part *part;

    (void)state;
    define("pause", COUNTING("pause"));
    count(s, 4, 1);
    part = claimed(31);
    act(projections_pause, "pause");
    assert_int_equal(step(part, gw.db), STEP_LOST);
    assert_int_equal(folded("pause"), 0);
    parts_done(manager, part, STEP_LOST, 0);
    assert_int_equal(side_int("select count(*) from weir.projection_parts t join weir.projections p using (projection_id)"
                              " where p.name = 'pause' and t.owner <> 0"), 0);
    act(resume, "pause");
    part = claimed(31);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_int_equal(folded("pause"), 4);
    let_go(part);
    forget("pause");
    stream_unref(s);
}

/* Two parts make the same key: the later one finds it there, and adds to it. */
struct racer {
    struct fold_part *part;
    struct db *db;
    enum step_end end;
};

static void *race(void *arg)
{
    struct racer *r = arg;

    r->end = step(r->part, r->db);
    return NULL;
}

static void parts_that_make_one_key_at_once_lose_nothing(void **state)
{
    struct stream *s = stream_here(&gw, "same", 2, US_PER_S);
    struct db *db[2] = { db_new(&gw.db_config), db_new(&gw.db_config) };
    struct racer racers[2];
    pthread_t threads[2];

    (void)state;
    for (int round = 0; round < 10; round++) {
        char all[200];

        snprintf(all, sizeof all, "{\"streams\":[\"same\"],\"key\":\"/data/key\",\"initial\":{\"round\":%d},"
                                  "\"on\":{\"Counted\":[{\"count\":\"/events\"}]}}", round);
        define("same", all);
        for (int i = 0; i < 10 && !round; i++)
            assert_ok(publish(&gw, s, "[{\"type\":\"Counted\",\"subject\":\"s-%d\",\"data\":{\"key\":\"all\"}}]", i));
        for (int i = 0; i < 2; i++)
            racers[i] = (struct racer){ claimed(41 + i), db[i], STEP_LATE };
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(racers[0].end, STEP_IDLE);
        assert_int_equal(racers[1].end, STEP_IDLE);
        assert_int_equal(folded("same"), 10);
        assert_int_equal(side_int("select part from weir.projection_states where key = 'all'"), -1);
        for (int i = 0; i < 2; i++)
            let_go(racers[i].part);
        forget("same");
        side_do("delete from weir.projection_states");
    }
    for (int i = 0; i < 2; i++)
        db_free(db[i]);
    stream_unref(s);
}

static void what_retention_took_away_is_told_and_not_passed_over(void **state)
{
    struct stream *s = stream_here(&gw, "short", 1, US_PER_S);
    struct fold_part *part;

    (void)state;
    count(s, 1, 6);
    define("short", COUNTING("short"));
    side_do("update weir.partitions set earliest = 3 where stream_id = %lld", (long long)s->row.stream_id);
    side_do("delete from weir.events where stream_id = %lld and \"offset\" < 3", (long long)s->row.stream_id);
    part = claimed(51);
    assert_int_equal(step(part, gw.db), STEP_MORE); /* it begins with what there is */
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_int_equal(folded("short"), 4);
    count(s, 1, 6);
    side_do("update weir.partitions set earliest = 9 where stream_id = %lld", (long long)s->row.stream_id);
    side_do("delete from weir.events where stream_id = %lld and \"offset\" < 9", (long long)s->row.stream_id);
    assert_int_equal(step(part, gw.db), STEP_LOST);
    assert_int_equal(status_of("short").condition, PROJECTION_FAILED);
    assert_int_equal(folded("short"), 4);
    let_go(part);
    forget("short");
    stream_unref(s);
}

static void a_build_that_is_behind_takes_no_place(void **state)
{
    struct stream *s = stream_here(&gw, "behind", 1, US_PER_S);
    struct fold_part *part;
    bool more = false;

    (void)state;
    define("behind", COUNTING("behind"));
    count(s, 1, 6);
    part = claimed(61);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    let_go(part);
    act(rebuild, "behind");
    gw.config.projections_batch_events = 2;
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    assert_int_equal(look("behind").build, 1);
    assert_int_equal(side_int("select count(*) from weir.projection_builds where held is not null"), 0);
    gw.config.projections_batch_events = 2000;
    assert_ok(projections_upkeep(manager, scratch, &more, NULL)); /* near enough: what is read is held */
    assert_int_equal(look("behind").build, 1);
    assert_int_equal(side_int("select count(*) from weir.projection_builds where held is not null"), 1);
    part = claimed(61); /* so only the other one can be folded */
    assert_int_equal(part->id.build, 2);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    assert_int_equal(look("behind").build, 2);
    count(s, 1, 1);
    assert_int_equal(step(part, gw.db), STEP_LOST);
    let_go(part);
    forget("behind");
    stream_unref(s);
}

static void a_stream_that_is_made_again_has_parts_of_its_own(void **state)
{
    struct stream *s = stream_here(&gw, "anew", 1, US_PER_S);
    struct projection_change c;
    struct fold_part *part;
    bool more = false;

    (void)state;
    c = define("anew", COUNTING("anew"));
    count(s, 1, 3);
    part = claimed(71);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_int_equal(part->number, 0);
    let_go(part);
    assert_ok(streams_delete(gw.streams, gw.db, SLICE("anew"), NULL));
    streams_forget(gw.streams, s->row.stream_id);
    stream_unref(s);
    assert_ok(db_parts_forget(gw.db, NULL));
    s = stream_here(&gw, "anew", 1, US_PER_S);
    count(s, 1, 3);
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    part = claimed(71);
    assert_int_equal(part->number, 1);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_int_equal(folded("anew"), 6);
    assert_int_equal(side_int("select count(*) from weir.projection_changes where projection_id = %lld",
                              (long long)c.projection_id), 2);
    assert_int_equal(side_int("select part from weir.projection_states where projection_id = %lld", (long long)c.projection_id),
                     -1);
    let_go(part);
    forget("anew");
    stream_unref(s);
}

#define SNAPSHOTS(stream)                                                                                              \
    "{\"streams\":[\"" stream "\"],\"key\":\"subject\",\"snapshot_every\":2,\"on\":{\"Counted\":[{\"count\":\"/events\"}]}}"

static void a_snapshot_holds_all_events_of_its_subject(void **state)
{
    struct stream *s = stream_here(&gw, "whole", 1, US_PER_S);
    struct fold_part *part;

    (void)state;
    define("whole", SNAPSHOTS("whole"));
    count(s, 1, 5);
    part = claimed(81);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    let_go(part);
    assert_int_equal(side_int("select version from weir.snapshots where stream_id = %lld", (long long)s->row.stream_id), 5);
    forget("whole");
    side_do("update weir.snapshots set version = 4");
    side_do("update weir.partitions set earliest = 3 where stream_id = %lld", (long long)s->row.stream_id);
    side_do("delete from weir.events where stream_id = %lld and \"offset\" < 3", (long long)s->row.stream_id);
    define("whole", SNAPSHOTS("whole")); /* what it folds lacks the first two */
    count(s, 1, 5);
    part = claimed(81);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    let_go(part);
    assert_int_equal(folded("whole"), 8);
    assert_int_equal(side_int("select version from weir.snapshots where stream_id = %lld", (long long)s->row.stream_id), 4);
    forget("whole");
    stream_unref(s);
}

static void a_rebuild_is_not_read_before_it_has_folded_what_there_is(void **state)
{
    struct stream *s = stream_here(&gw, "empty", 1, US_PER_S);
    struct fold_part *part;
    bool more = false;

    (void)state;
    define("empty", COUNTING("empty"));
    count(s, 1, 8);
    side_do("update weir.partitions set earliest = 5 where stream_id = %lld", (long long)s->row.stream_id);
    side_do("delete from weir.events where stream_id = %lld and \"offset\" < 5", (long long)s->row.stream_id);
    act(rebuild, "empty"); /* it begins beyond what is read, which has folded nothing */
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    assert_int_equal(look("empty").build, 1);
    part = claimed(91);
    assert_int_equal(part->id.build, 2);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    assert_int_equal(look("empty").build, 2);
    assert_int_equal(folded("empty"), 4);
    let_go(part);
    forget("empty");
    stream_unref(s);
}

static void what_is_read_goes_on_when_its_successor_fails(void **state)
{
    struct stream *s = stream_here(&gw, "held", 1, US_PER_S);
    struct fold_part *part;
    bool more = false;

    (void)state;
    define("held", COUNTING("held"));
    count(s, 1, 4);
    part = claimed(101);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    let_go(part);
    define("held", "{\"streams\":[\"held\"],\"key\":\"/data/none\",\"on\":{\"Counted\":[{\"count\":\"/events\"}]}}");
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    assert_int_equal(side_int("select count(*) from weir.projection_builds where held is not null"), 1);
    part = claimed(101);
    assert_int_equal(part->id.build, 2);
    assert_int_equal(step(part, gw.db), STEP_LOST);
    assert_int_equal(side_int("select count(*) from weir.projection_builds where error is not null and build = 2"), 1);
    assert_int_equal(side_int("select count(*) from weir.projection_builds where held is not null"), 0);
    let_go(part);
    part = claimed(101);
    assert_int_equal(part->id.build, 1);
    let_go(part);
    forget("held");
    stream_unref(s);
}

static void a_retired_build_stays_until_nothing_of_it_is_left(void **state)
{
    struct stream *s = stream_here(&gw, "rest", 1, US_PER_S);
    struct projection_change c;
    struct fold_part *part;
    struct arg args[3];
    bool more = true;

    (void)state;
    define("rest", COUNTING("rest"));
    count(s, 10, 1);
    part = claimed(111);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    let_go(part);
    c = act(projections_delete, "rest");
    args[0] = arg_int8(c.projection_id);
    args[1] = arg_int4(1);
    assert_ok(db_exec(gw.db, &BUILD_REMOVE, args, NULL, NULL)); /* as a gateway that found its batch already removed */
    assert_int_equal(side_int("select count(*) from weir.projection_builds where projection_id = %lld",
                              (long long)c.projection_id), 1);
    while (more)
        assert_ok(db_retired_remove(gw.db, 3, &more, NULL));
    assert_int_equal(side_int("select (select count(*) from weir.projection_builds) + (select count(*) from weir.projection_states)"
                              " + (select count(*) from weir.projection_changes)"
                              " + (select count(*) from weir.projection_parts)"), 0);
    stream_unref(s);
}

static void a_step_holds_no_more_of_states_than_it_may(void **state)
{
    struct stream *s = stream_here(&gw, "large", 1, US_PER_S);
    int64_t most = gw.config.projections_batch_bytes;
    struct fold_part *part;
    int steps = 0;

    (void)state;
    define("large", COUNTING("large"));
    count(s, 100, 1);
    part = claimed(121);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    count(s, 100, 1);
    gw.config.projections_batch_bytes = 400; /* of about 2,000 */
    while (step(part, gw.db) == STEP_MORE)
        steps++;
    gw.config.projections_batch_bytes = most;
    assert_in_range(steps, 5, 200);
    assert_int_equal(folded("large"), 200);
    let_go(part);
    forget("large");
    stream_unref(s);
}

static void a_projection_that_somebody_changes_does_not_hold_up_the_others(void **state)
{
    struct stream *s = stream_here(&gw, "busy", 1, US_PER_S);
    struct db *other = db_new(&gw.db_config);
    const int32_t build = 1;
    struct projection_change c;
    int64_t began;
    bool more = false;

    (void)state;
    c = define("busy", COUNTING("busy"));
    act(rebuild, "busy");
    assert_ok(db_exec(other, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(db_parts_fence(other, scratch, c.projection_id, &build, 1, NULL));
    began = clock_mono_us();
    assert_int_equal(projections_upkeep(manager, scratch, &more, NULL), ERR_DB_RETRY);
    assert_in_range(clock_mono_us() - began, 0, 20 * US_PER_S);
    db_rollback(other);
    assert_ok(projections_upkeep(manager, scratch, &more, NULL));
    assert_int_equal(look("busy").build, 2);
    db_free(other);
    forget("busy");
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_and_states_are_one_transaction),
        cmocka_unit_test(who_has_lost_its_lease_writes_nothing),
        cmocka_unit_test(a_paused_projection_folds_nothing_from_its_answer_on),
        cmocka_unit_test(parts_that_make_one_key_at_once_lose_nothing),
        cmocka_unit_test(what_retention_took_away_is_told_and_not_passed_over),
        cmocka_unit_test(a_build_that_is_behind_takes_no_place),
        cmocka_unit_test(a_stream_that_is_made_again_has_parts_of_its_own),
        cmocka_unit_test(a_snapshot_holds_all_events_of_its_subject),
        cmocka_unit_test(a_rebuild_is_not_read_before_it_has_folded_what_there_is),
        cmocka_unit_test(what_is_read_goes_on_when_its_successor_fails),
        cmocka_unit_test(a_step_holds_no_more_of_states_than_it_may),
        cmocka_unit_test(a_projection_that_somebody_changes_does_not_hold_up_the_others),
        cmocka_unit_test(a_retired_build_stays_until_nothing_of_it_is_left),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
