#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/engine/audit.h"
#include "gateway/engine/outbox.h"
#include "gateway/engine/projection_parts.h"
#include "tests/db/log_support.h"

static struct gateway gw;
static struct outbox *outbox;
static struct audit *audit;
static struct projections *manager; /* folds nothing by itself */
static struct db_config proxied;
static struct proxy *proxy;
static struct arena *arena;

static int start(void **state)
{
    (void)state;
    log_open("weir_projections");
    gateway_start(&gw);
    gw.config.projections_lease_us = US_PER_S;
    outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams);
    audit = audit_new(&gw.config, outbox);
    manager = calloc(1, sizeof *manager);
    proxy = proxy_new();
    arena = arena_new(256 << 20);
    gw.config.tail_poll_us = 20000;
    assert_true(outbox && audit && manager && arena && proxy);
    manager->config = &gw.config;
    manager->db_config = &gw.db_config;
    manager->streams = gw.streams;
    manager->last = &manager->first;
    manager->owner = 1;
    pthread_mutex_init(&manager->lock, NULL);
    pthread_mutex_init(&manager->watch_lock, NULL);
    cond_init(&manager->changed);
    proxied = gw.db_config;
    proxied.url = proxy_url(proxy);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    proxy_free(proxy);
    arena_free(arena);
    audit_free(audit);
    outbox_stop(outbox);
    gateway_stop(&gw);
    projections_free(manager);
    log_close();
    return 0;
}

/* --- what the tests say --- */

static enum err done(enum err e, const struct projection_change *c)
{
    e = audit_end(audit, gw.db, e, &(struct audit_record){ 0 }, NULL);
    if (!e)
        projections_poke(manager, c->projection_id);
    return e;
}

static struct projection_change define(const char *name, const char *body)
{
    struct projection_definition def;
    struct projection_change c;
    struct fault f = { 0 };

    if (projection_definition_parse(arena, slice_of(body), 1 << 18, &def, &f))
        fail_msg("%s: %s", body, f.detail);
    assert_ok(audit_begin(gw.db, NULL));
    if (done(projections_put(manager, gw.db, arena, slice_of(name), &def, &c, &f), &c))
        fail_msg("%s", f.detail);
    return c;
}

typedef enum err act_fn(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                        struct fault *f);

static struct projection_change act(act_fn *fn, const char *name)
{
    struct projection_change c;

    assert_ok(audit_begin(gw.db, NULL));
    assert_ok(done(fn(manager, gw.db, arena, slice_of(name), &c, NULL), &c));
    return c;
}

static enum err rebuild(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                        struct fault *f)
{
    return projections_rebuild(p, db, a, name, NULL, ret, f);
}

static enum err resume(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                       struct fault *f)
{
    return projections_resume(p, db, a, name, NULL, ret, f);
}

/* Events of type Counted, n of each of these many subjects, with n = 1. */
static void count(struct stream *s, int subjects, int n)
{
    for (int i = 0; i < n; i++) {
        struct buf b = { 0 };

        for (int k = 0; k < subjects; k++)
            buf_printf(&b, "%s{\"type\":\"Counted\",\"subject\":\"s-%d\",\"data\":{\"n\":0.1}}", k ? "," : "[", k);
        buf_str(&b, "]");
        buf_char(&b, '\0');
        assert_ok(publish(&gw, s, "%s", b.p));
        buf_free(&b);
    }
}

static struct projection_view look(const char *name)
{
    struct projection_view v;

    struct fault f = { 0 };

    if (projections_look(gw.db, arena, slice_of(name), &v, &f))
        fail_msg("%s", f.detail);
    return v;
}

/* A gateway that folds; it does not hear of events, it looks. */
static struct projections *gateway_folds(void)
{
    struct projections *p = projections_new(&gw.config, &gw.db_config, gw.streams);

    assert_non_null(p);
    return p;
}

static void gateway_ends(struct projections *p)
{
    projections_stop(p);
    projections_free(p);
}

/* Until the projection has folded everything. */
static struct projection_view settled(const char *name)
{
    int64_t until = clock_mono_us() + 10 * US_PER_S;
    struct projection_target heads;
    struct projection_view v = look(name);

    assert_ok(projections_target(gw.db, arena, &v, SLICE("latest"), &heads, NULL));
    while (!projection_reached(&v, &heads) && clock_mono_us() < until) {
        usleep(2000);
        v = look(name);
    }
    assert_true(projection_reached(&v, &heads));
    return v;
}

static struct projection_view until_build(const char *name, int32_t build)
{
    int64_t until = clock_mono_us() + 10 * US_PER_S;
    struct projection_view v = look(name);

    while (v.build != build && clock_mono_us() < until) {
        usleep(2000);
        v = look(name);
    }
    assert_int_equal(v.build, build);
    return v;
}

static const char *state_of(const char *name, const char *key)
{
    struct projection_view v;
    struct projection_state s;

    assert_ok(projections_state(gw.db, arena, slice_of(name), slice_of(key), &v, &s, NULL));
    return s.key.p ? arena_strndup(arena, s.state.p, s.state.n) : "none";
}

#define COUNTING(stream) "{\"streams\":[\"" stream "\"],\"key\":\"subject\",\"on\":{\"Counted\":[{\"count\":\"/events\"}," \
                         "{\"increment\":{\"/sum\":{\"from\":\"/data/n\"}}}]}}"

/* --- steps, by hand --- */

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
    assert_ok(db_parts_claim(gw.db, arena, owner, 1, &v, &n, NULL));
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

static int64_t folded(const char *name)
{
    return side_int("select coalesce(sum((s.state::json->>'events')::int), 0) from weir.projection_states s join weir.projections p"
                    " on p.projection_id = s.projection_id and p.build = s.build where p.name = '%s'", name);
}

static void forget(const char *name)
{
    act(projections_delete, name);
}

/* --- tests --- */

static void states_follow_the_events(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "follow", 3, US_PER_S);

    (void)state;
    count(s, 5, 4);
    define("follow", COUNTING("follow"));
    settled("follow");
    assert_string_equal(state_of("follow", "s-3"), "{\"events\":4,\"sum\":0.4}");
    count(s, 5, 6);
    settled("follow");
    assert_string_equal(state_of("follow", "s-4"), "{\"events\":10,\"sum\":1.0}");
    assert_string_equal(state_of("follow", "s-9"), "none");
    gateway_ends(p);
    forget("follow");
    stream_unref(s);
}

static void a_rebuild_takes_the_place_of_what_is_read(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "again", 2, US_PER_S);
    struct projection_change c;

    (void)state;
    define("again", COUNTING("again"));
    count(s, 10, 10);
    settled("again");
    c = act(rebuild, "again");
    assert_int_equal(c.build, 2);
    count(s, 10, 10);
    until_build("again", 2);
    settled("again");
    assert_string_equal(state_of("again", "s-7"), "{\"events\":20,\"sum\":2.0}");
    side_until("select count(*) = 0 from weir.projection_builds where projection_id = %lld and build = 1",
               (long long)c.projection_id);
    assert_int_equal(side_int("select count(*) from weir.projection_states where projection_id = %lld",
                              (long long)c.projection_id), 10);
    gateway_ends(p);
    forget("again");
    stream_unref(s);
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
    assert_ok(db_connect(db, NULL));
    for (int answers = 1; part->position < 15 && answers < 40; answers++) { /* the connection is lost later each time */
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

static struct projection_status status_of(const char *name)
{
    struct projection_status s;

    assert_ok(projections_get(gw.db, arena, slice_of(name), &s, NULL));
    return s;
}

static struct projection_status until_failed(const char *name)
{
    int64_t until = clock_mono_us() + 10 * US_PER_S;
    struct projection_status s = status_of(name);

    while (s.condition != PROJECTION_FAILED && clock_mono_us() < until) {
        usleep(2000);
        s = status_of(name);
    }
    assert_int_equal(s.condition, PROJECTION_FAILED);
    return s;
}

static enum err skip_at(const char *name, int64_t offset)
{
    const struct projection_skip skip = { SLICE("stops"), 0, offset };
    struct projection_change c;

    assert_ok(audit_begin(gw.db, NULL));
    return done(projections_resume(manager, gw.db, arena, slice_of(name), &skip, &c, NULL), &c);
}

static void an_event_that_cannot_be_folded_stops_until_it_is_passed_over(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "stops", 1, US_PER_S);
    struct projection_status now;

    (void)state;
    define("stops", COUNTING("stops"));
    count(s, 2, 2);
    assert_ok(publish(&gw, s, "[{\"type\":\"Counted\",\"subject\":\"s-0\",\"id\":\"bad\",\"data\":{\"n\":\"x\"}}]"));
    count(s, 2, 2);
    now = until_failed("stops");
    assert_true(memmem(now.active.error.p, now.active.error.n, "\"offset\":\"5\",\"id\":\"bad\"", 23));
    assert_int_equal(folded("stops"), 4);
    assert_int_equal(skip_at("stops", 4), ERR_CONFLICT);
    assert_int_equal(skip_at("stops", 6), ERR_CONFLICT);
    act(resume, "stops");
    until_failed("stops");
    assert_ok(skip_at("stops", 5));
    settled("stops");
    assert_int_equal(folded("stops"), 8);
    act(rebuild, "stops"); /* passes over it too */
    until_build("stops", 2);
    settled("stops");
    assert_int_equal(folded("stops"), 8);
    assert_int_equal(skip_at("stops", 5), ERR_CONFLICT);
    gateway_ends(p);
    forget("stops");
    stream_unref(s);
}

static void what_retention_took_away_is_told_and_not_passed_over(void **state)
{
    struct stream *s = stream_here(&gw, "short", 1, US_PER_S);
    struct fold_part *part;

    (void)state;
    define("short", COUNTING("short"));
    count(s, 1, 6);
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
    manager->db = db_new(&gw.db_config);
    define("behind", COUNTING("behind"));
    count(s, 1, 6);
    part = claimed(61);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    let_go(part);
    act(rebuild, "behind");
    gw.config.projections_batch_events = 2;
    assert_ok(projections_upkeep(manager, arena, &more, NULL));
    assert_int_equal(look("behind").build, 1);
    assert_int_equal(side_int("select count(*) from weir.projection_builds where held is not null"), 0);
    gw.config.projections_batch_events = 2000;
    assert_ok(projections_upkeep(manager, arena, &more, NULL)); /* near enough: what is read is held */
    assert_int_equal(look("behind").build, 1);
    assert_int_equal(side_int("select count(*) from weir.projection_builds where held is not null"), 1);
    part = claimed(61); /* so only the other one can be folded */
    assert_int_equal(part->id.build, 2);
    assert_int_equal(step(part, gw.db), STEP_IDLE);
    assert_ok(projections_upkeep(manager, arena, &more, NULL));
    assert_int_equal(look("behind").build, 2);
    count(s, 1, 1);
    assert_int_equal(step(part, gw.db), STEP_LOST);
    let_go(part);
    forget("behind");
    stream_unref(s);
}

static void two_gateways_fold_each_event_once_while_one_comes_and_goes(void **state)
{
    struct projections *one = gateway_folds(), *two;
    struct stream *s = stream_here(&gw, "two", 4, US_PER_S);

    (void)state;
    define("two", "{\"streams\":[\"two\"],\"key\":\"/data/n\",\"on\":{\"Counted\":[{\"count\":\"/events\"}]}}");
    for (int round = 0; round < 3; round++) {
        two = gateway_folds();
        count(s, 20, 10);
        usleep(300000);
        count(s, 20, 10);
        gateway_ends(two);
    }
    settled("two");
    assert_int_equal(folded("two"), 1200);
    gateway_ends(one);
    forget("two");
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
        cmocka_unit_test(states_follow_the_events),
        cmocka_unit_test(a_rebuild_takes_the_place_of_what_is_read),
        cmocka_unit_test(an_event_that_cannot_be_folded_stops_until_it_is_passed_over),
        cmocka_unit_test(two_gateways_fold_each_event_once_while_one_comes_and_goes),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
