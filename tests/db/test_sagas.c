#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/saga_parts.h"
#include "gateway/engine/schema_cache.h"
#include "tests/db/log_support.h"

/* Sagas as they run on a database: two gateways, of which one has its connections through a proxy. */
static struct gateway gw;
static struct proxy *proxy;
static struct db_config through;   /* the proxy */
static struct schemas *schemas;
static struct schema_cache *cache;
static struct outbox *outbox;
static struct outbound *outbound;
static struct sagas *here, *there; /* there: through the proxy */
static struct arena *scratch;

static const char ships[] = "{\"steps\":[{\"name\":\"tell\",\"action\":{\"publish\":{\"stream\":\"told\",\"event\":{"
                            "\"type\":\"Told\",\"data\":\"{{saga.id}}\"}}}},{\"name\":\"ok\",\"signal\":{},\"timeout\":\"1d\"}]}";

static struct sagas *sagas_here(const struct db_config *config)
{
    struct sagas *s = sagas_start(&gw.config, config, gw.streams, gw.tail, gw.commit, cache, outbox, outbound);

    assert_non_null(s);
    return s;
}

static struct saga_change define(const char *name, const char *text)
{
    struct saga_definition def;
    struct saga_change c;
    struct fault f = { 0 };
    enum err e;

    if ((e = saga_definition_parse(scratch, slice_of(text), &def, &f)))
        fail_msg("%d %s %s", e, f.pointer, f.detail);
    assert_ok(db_exec(gw.db, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(sagas_put(here, gw.db, scratch, slice_of(name), &def, &c, &f));
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    return c;
}

static int start(void **state)
{
    char err[512];

    (void)state;
    log_open("weir_sagas");
    gateway_start(&gw);
    assert_true((scratch = arena_new(64 << 20)) && (proxy = proxy_new()));
    through = gw.db_config;
    through.url = proxy_url(proxy);
    assert_non_null(schemas = schemas_start(&gw.config, &gw.db_config, NULL));
    assert_non_null(cache = schema_cache_new(&gw.config, schemas));
    assert_non_null(outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams));
    gw.config.outbound_targets = 1;
    assert_non_null(outbound = outbound_start(&gw.config, &gw.db_config, err));
    stream_unref(stream_here(&gw, "told", 1, 3600 * US_PER_S));
    here = sagas_here(&gw.db_config);
    there = sagas_here(&through);
    define("ships", ships);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    proxy_set(proxy, PROXY_PASS);
    sagas_stop(here);
    sagas_stop(there);
    schema_cache_free(cache);
    schemas_stop(schemas);
    outbox_stop(outbox);
    outbound_stop(outbound);
    arena_free(scratch);
    gateway_stop(&gw);
    sagas_free(here);
    sagas_free(there);
    proxy_free(proxy);
    log_close();
    return 0;
}

static void on_done(struct saga_start *st, bool more)
{
    (void)more;
    sem_post(st->arg);
}

static struct saga_start *begin_one(struct sagas *s, const char *saga, const char *id, const char *input, sem_t *answered)
{
    struct saga_start *st = saga_start_new(slice_of(saga));
    struct fault f = { 0 };

    assert_non_null(st);
    st->id = arena_slice(st->arena, slice_of(id));
    st->input = arena_slice(st->arena, slice_of(input));
    st->done = on_done;
    st->arg = answered;
    assert_ok(sagas_submit(s, st, &f));
    return st;
}

/* --- the tests --- */

/* Wherever an answer gets lost: of the look, of the load, of the COMMIT. */
static void a_start_is_carried_out_once_whatever_answer_is_lost(void **state)
{
    sem_t answered;

    (void)state;
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    for (int i = 0; i < 24; i++) {
        char id[16];
        struct saga_start *st;

        snprintf(id, sizeof id, "lost-%d", i);
        proxy_set_after(proxy, PROXY_SWALLOW, i / 2);
        st = begin_one(there, "ships", id, "{}", &answered);
        usleep(150000);
        proxy_set(proxy, PROXY_PASS);
        while (sem_wait(&answered))
            ;
        if (st->err && st->err != ERR_DATABASE_UNAVAILABLE)
            fail_msg("%s: %d %s", id, st->err, st->fault.detail);
        sagas_leave(there, st);
        side_until("select state = 1 from weir.saga_instances where instance_id = '%s'", id);
    }
    side_until("select count(*) = 24 from weir.saga_steps where step = 0 and status = 4 and instance_id like 'lost-%%'");
    assert_int_equal(side_int("select count(*) from weir.saga_history where type = 'SagaStarted'"), 24);
    assert_int_equal(side_int("select count(*) from weir.saga_history where step = 'tell' and type = 'StepSucceeded'"), 24);
    assert_int_equal(side_int("select count(*) from weir.log where stream = 'told'"), 24);
    sem_destroy(&answered);
}

static void the_same_start_on_two_gateways_at_once_is_one_instance(void **state)
{
    sem_t answered;
    int created = 0;

    (void)state;
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    for (int i = 0; i < 20; i++) {
        struct saga_start *st[4];
        char id[16];

        snprintf(id, sizeof id, "race-%d", i);
        for (int k = 0; k < 4; k++)
            st[k] = begin_one(k % 2 ? here : there, "ships", id, k < 3 ? "{\"n\":1,\"m\":2}" : "{\"m\":2,\"n\":3}", &answered);
        for (int k = 0; k < 4; k++)
            while (sem_wait(&answered))
                ;
        created = 0;
        for (int k = 0; k < 4; k++) {
            if (st[k]->err)
                assert_int_equal(st[k]->err, ERR_CONFLICT);
            created += !st[k]->err && st[k]->created;
            sagas_leave(k % 2 ? here : there, st[k]);
        }
        assert_int_equal(created, 1);
        assert_int_equal(side_int("select count(*) from weir.saga_instances where instance_id = '%s'", id), 1);
    }
    sem_destroy(&answered);
}

static void what_a_gateway_ran_that_is_gone_is_taken_back(void **state)
{
    (void)state;
    side_do("insert into weir.saga_members values (99, now() + interval '1 h'), (98, now() - interval '1 s')");
    side_do("insert into weir.saga_instances select saga_id, 'gone-' || o, 1, 0, false, 2, '{}', md5('x')::uuid, null, null, null,"
            " now(), now() from weir.sagas, unnest('{97,98,99}'::int8[]) o where name = 'ships'");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, owner, begun)"
            " select saga_id, instance_id, 0, 0, 2, 1, substr(instance_id, 6)::int8, now() from weir.saga_instances"
            " where instance_id like 'gone-%%'");
    side_until("select count(*) = 2 from weir.saga_steps where instance_id in ('gone-97', 'gone-98') and step = 0 and status = 4"
               " and attempts = 2");
    assert_int_equal(side_int("select owner from weir.saga_steps where instance_id = 'gone-99'"), 99);
    side_do("delete from weir.saga_members where owner = 99");
}

/* Instances of `ships`, of which a gateway that is gone has begun to publish. */
static void begun_by_one_that_is_gone(const char *ids)
{
    side_do("insert into weir.saga_instances select saga_id, id, 1, 0, false, 2, '{}', md5('x')::uuid, null, null, null,"
            " now(), now() from weir.sagas, unnest('%s'::text[]) id where name = 'ships'", ids);
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, owner, begun)"
            " select saga_id, instance_id, 0, 0, 2, 1, 77, now() from weir.saga_instances where instance_id = any('%s')", ids);
}

static void event_for(const char *ids)
{
    side_do("insert into weir.saga_inbox select saga_id, instance_id, 1, 0, 1, 1, 0, '{\"type\":\"T\"}', now()"
            " from weir.saga_instances where instance_id = any('%s')", ids);
}

static int64_t owners(void)
{
    return side_int("select count(*) from weir.saga_members where owner in (%lld, %lld)", (long long)atomic_load(&here->owner),
                    (long long)atomic_load(&there->owner));
}

/* What the database does to some: it breaks the connection off, refuses the answer, refuses to take the event. */
static void make_obstacles(void)
{
    side_do("create function hinder() returns trigger language plpgsql as $$ begin"
            " if tg_op = 'DELETE' then raise 'no'; end if;"
            " if new.instance_id = 'breaks' then perform pg_terminate_backend(pg_backend_pid()); end if;"
            " if old.owner <> 0 and (new.instance_id = 'refused' or new.status = 4) then raise 'no'; end if; return new; end $$");
    side_do("create trigger hinder before update on weir.saga_steps for each row"
            " when (new.instance_id in ('breaks', 'refused', 'choked')) execute function hinder()");
    side_do("create trigger hinder before delete on weir.saga_inbox for each row"
            " when (old.instance_id like 'deaf-%%') execute function hinder()");
    side_do("insert into weir.saga_definitions (saga_id, version, definition, steps, created)"
            " select saga_id, 0, '{\"steps\":7}', '{}', now() from weir.sagas where name = 'ships'");
}

/* The triggers stay: to drop them takes locks that lanes have, in another order. */
static void remove_obstacles(void)
{
    side_do("create or replace function hinder() returns trigger language plpgsql as $$ begin return coalesce(new, old); end $$");
    side_do("update weir.saga_definitions set definition = '%s' where version = 0", ships);
}

static void an_instance_that_cannot_be_taken_further_holds_up_no_other(void **state)
{
    const int64_t was[] = { atomic_load(&here->owner), atomic_load(&there->owner) };
    const struct saga_key refused = { side_int("select saga_id from weir.sagas where name = 'ships'"), SLICE("refused") };
    struct saga_start *st[2];
    sem_t answered;

    (void)state;
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    make_obstacles();
    begun_by_one_that_is_gone("{breaks,unreadable,well-1,well-2,well-3,deaf-1,deaf-2,deaf-3}");
    side_do("update weir.saga_instances set version = 0 where instance_id = 'unreadable'");
    for (int i = 0; i < 2; i++)
        st[i] = begin_one(here, "ships", i ? "choked" : "refused", "{}", &answered);
    for (int i = 0; i < 2; i++) {
        while (sem_wait(&answered))
            ;
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(st[i]->err);
        sagas_leave(here, st[i]);
    }
    event_for("{deaf-1,deaf-2,deaf-3}"); /* the oldest, and more than there are gateways */
    event_for("{well-1,well-2,well-3,unreadable}");
    side_until("select count(*) = 3 from weir.saga_steps where instance_id like 'well-%%' and step = 0 and status = 4");
    side_until("select array_agg(instance_id order by instance_id) = '{deaf-1,deaf-2,deaf-3,unreadable}' from weir.saga_inbox");
    for (int i = 0; i < 12000 && !aside_until(here, &refused); i++)
        usleep(10000);
    assert_true(aside_until(here, &refused));
    side_until("select status = 1 and unknown from weir.saga_steps where instance_id = 'choked'"); /* it goes on, without the answer */
    assert_int_equal(side_int("select count(*) from weir.saga_steps where status = 2 and instance_id in ('refused', 'breaks',"
                              " 'unreadable')"), 3);
    remove_obstacles();
    side_until("select count(*) = 7 from weir.saga_steps where step = 0 and status = 4 and"
               " instance_id in ('refused', 'choked', 'breaks', 'unreadable', 'deaf-1', 'deaf-2', 'deaf-3')");
    side_until("select count(*) = 0 from weir.saga_inbox");
    assert_int_equal(side_int("select attempts from weir.saga_steps where instance_id = 'refused' and step = 0"), 1);
    assert_true(was[0] == atomic_load(&here->owner) && was[1] == atomic_load(&there->owner)); /* nothing in flight is lost by it */
    assert_int_equal(owners(), 2);
    sem_destroy(&answered);
}

static void what_is_held_keeps_no_timeout_from_being_seen(void **state)
{
    (void)state;
    side_do("insert into weir.saga_instances select saga_id, 'held-' || i, 1, 2, false, 2, '{}', md5('x')::uuid, '{}', null, null,"
            " now(), now() from weir.sagas, generate_series(1, %d) i where name = 'ships'", (int)gw.config.sagas_batch + 10);
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, due, begun)"
            " select saga_id, instance_id, 0, 0, 7, 1, now() - interval '1 h', now() from weir.saga_instances"
            " where instance_id like 'held-%%'");
    side_do("insert into weir.saga_instances select saga_id, 'late', 1, 1, false, 2, '{}', md5('x')::uuid, null, null, null,"
            " now(), now() from weir.sagas where name = 'ships'");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, due, begun)"
            " select saga_id, instance_id, k, 0, case k when 0 then 4 else 3 end, 1, case k when 1 then now() end, now()"
            " from weir.saga_instances, generate_series(0, 1) k where instance_id = 'late'");
    side_until("select state = 5 from weir.saga_instances where instance_id = 'late'");
    side_do("delete from weir.saga_instances where instance_id like 'held-%%'");
    side_do("delete from weir.saga_steps where instance_id like 'held-%%'");
}

static void a_step_says_that_there_is_no_place_for_its_target(void **state)
{
    struct outbound_slot slot;
    struct saga_start *st;
    int64_t wait_us;
    sem_t answered;

    (void)state;
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    define("calls", "{\"steps\":[{\"name\":\"call\",\"action\":{\"http\":{\"method\":\"GET\",\"url\":\"http://127.0.0.1:1/\"}},"
                    "\"retry\":{\"initial\":\"10ms\",\"max\":\"10ms\",\"max_attempts\":1}}]}");
    for (int i = 0; outbound_admit(outbound, SLICE("http://other.example"), &slot, &wait_us) != OUTBOUND_ROOM; i++) {
        assert_true(i < 60000);
        usleep(1000);
    }
    st = begin_one(here, "calls", "crowded", "{}", &answered);
    while (sem_wait(&answered))
        ;
    assert_ok(st->err);
    sagas_leave(here, st);
    side_until("select error::text like '%%outbound.targets%%' from weir.saga_steps where instance_id = 'crowded'");
    outbound_release(outbound, slot);
    outbound_satisfied(outbound, SLICE("http://other.example"));
    side_until("select state = 5 from weir.saga_instances where instance_id = 'crowded'"); /* it was called, and the guard refused it */
    assert_int_equal(side_int("select attempts from weir.saga_steps where instance_id = 'crowded'"), 1);
    sem_destroy(&answered);
}

static _Atomic bool sent;

static void on_sent(struct saga_publication *p)
{
    struct saga_attempt *at = p->arg;

    atomic_store(&sent, true);
    lane_answer(at);
}

/* It was admitted, and this gateway stood still until it had another lease. */
static void an_attempt_of_an_owner_that_is_no_more_is_not_sent(void **state)
{
    const int64_t former = atomic_load(&here->owner);
    struct arena *a = arena_new(1 << 20);
    struct saga_attempt *at = arena_zalloc(a, sizeof *at);

    (void)state;
    begun_by_one_that_is_gone("{stood-still}");
    side_do("update weir.saga_steps set owner = %lld where instance_id = 'stood-still'", (long long)former);
    assert_true(lane_new_owner(here));
    side_do("update weir.saga_members set until = now() + interval '1 h' where owner = %lld", (long long)former);
    while (!atomic_load(&here->lives_until_us))
        usleep(10000);
    *at = (struct saga_attempt){ .sagas = here, .arena = a, .published = true, .answer = { .owner = former, .attempt = 1 } };
    at->key = (struct saga_key){ side_int("select saga_id from weir.sagas where name = 'ships'"), SLICE("stood-still") };
    at->publication = (struct saga_publication){ .stream = SLICE("told"), .event = SLICE("{\"id\":\"stray\",\"type\":\"T\"}"),
                                                 .key = SLICE("stray"), .done = on_sent, .arg = at };
    saga_attempts_begin(here, at);
    side_until("select status = 4 from weir.saga_steps where instance_id = 'stood-still' and step = 0");
    assert_false(atomic_load(&sent));
    assert_int_equal(side_int("select attempts from weir.saga_steps where instance_id = 'stood-still' and step = 0"), 1);
    side_do("delete from weir.saga_members where owner = %lld", (long long)former);
}

/* Of a gateway that does nothing but that. */
static void the_lease_is_renewed_though_what_has_ended_cannot_be_removed(void **state)
{
    struct sagas mine = { .config = &gw.config, .outbound = outbound, .tick_db = db_new(&gw.db_config) };
    bool more = false;

    (void)state;
    pthread_mutex_init(&mine.lock, NULL);
    pthread_mutex_init(&mine.aside_lock, NULL);
    side_do("insert into weir.saga_instances select saga_id, 'stays', 1, 4, false, 2, '{}', md5('x')::uuid, null, null, null,"
            " now(), now(), '-infinity' from weir.sagas where name = 'ships'");
    side_do("create function keep() returns trigger language plpgsql as $$ begin raise 'no'; end $$");
    side_do("create trigger keep before delete on weir.saga_instances for each row execute function keep()");
    atomic_store(&mine.owner, 4711);
    assert_ok(sagas_tick(&mine, &more));
    assert_int_equal(mine.removed_us, 0);
    assert_true(atomic_load(&mine.lives_until_us) > clock_mono_us());
    assert_int_equal(side_int("select count(*) from weir.saga_members where owner = 4711"), 1);
    side_do("create or replace function keep() returns trigger language plpgsql as $$ begin return old; end $$");
    assert_ok(sagas_tick(&mine, &more));
    assert_true(mine.removed_us > 0);
    side_do("delete from weir.saga_members where owner = 4711");
    arena_free(mine.lost_arena);
    db_free(mine.tick_db);
    pthread_mutex_destroy(&mine.lock);
    pthread_mutex_destroy(&mine.aside_lock);
}

static void what_ended_long_ago_or_has_no_saga_any_more_is_removed(void **state)
{
    const struct saga_change c = define("leaves", ships);
    bool more = true;

    (void)state;
    side_do("insert into weir.saga_instances select %lld, 'e-' || i, 1, 4, false, 2, '{}', md5('x')::uuid, null, null, null,"
            " now(), now(), now() - i * interval '1 h' from generate_series(1, 30) i", (long long)c.saga_id);
    side_do("insert into weir.saga_history select saga_id, instance_id, 1, 0, now(), 'T', null, '{}' from weir.saga_instances"
            " where instance_id like 'e-%%'");
    while (more)
        assert_ok(db_sagas_remove(gw.db, 10 * 3600 * US_PER_S, 7, &more, NULL));
    assert_int_equal(side_int("select count(*) from weir.saga_instances where instance_id like 'e-%%'"), 9);
    assert_int_equal(side_int("select count(*) from weir.saga_history where instance_id like 'e-%%'"), 9);
    side_do("delete from weir.sagas where name = 'leaves'");
    for (more = true; more;)
        assert_ok(db_sagas_remove(gw.db, 10 * 3600 * US_PER_S, 7, &more, NULL));
    assert_int_equal(side_int("select count(*) from weir.saga_instances where instance_id like 'e-%%'"), 0);
    assert_int_equal(side_int("select count(*) from weir.saga_definitions where saga_id = %lld", (long long)c.saga_id), 0);
}

static void cancel(bool commits)
{
    const struct saga_act act = { .kind = SAGA_ACT_CANCEL };
    struct saga_acted done;
    struct fault f = { 0 };

    assert_ok(db_exec(gw.db, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(sagas_act(here, gw.db, scratch, SLICE("acts"), SLICE("one"), &act, &done, &f));
    assert_true(done.changed);
    if (commits)
        assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    else
        db_rollback(gw.db);
    sagas_acted(&done, commits);
}

static bool counted(const char *line)
{
    struct buf b = { 0 };
    bool found;

    metrics_render(&b);
    found = memmem(b.p, b.n, line, strlen(line));
    buf_free(&b);
    return found;
}

static void an_act_counts_when_it_is_committed(void **state)
{
    struct saga_start *st;
    sem_t answered;

    (void)state;
    define("acts", "{\"steps\":[{\"name\":\"ok\",\"signal\":{}}]}");
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    st = begin_one(here, "acts", "one", "{}", &answered);
    while (sem_wait(&answered))
        ;
    assert_ok(st->err);
    sagas_leave(here, st);
    sem_destroy(&answered);
    cancel(false);
    cancel(false);
    assert_true(counted("\nweir_saga_compensating_total{saga=\"acts\"} 0\n"));
    cancel(true);
    assert_true(counted("\nweir_saga_compensating_total{saga=\"acts\"} 1\n"));
    assert_true(counted("\nweir_saga_ended_total{saga=\"acts\",state=\"compensated\"} 1\n"));
}

static void a_transaction_is_known_by_its_number(void **state)
{
    enum saga_outcome outcome;
    int64_t xid, now;

    (void)state;
    assert_ok(db_saga_begin(gw.db, true, US_PER_S, &xid, &now, NULL));
    db_rollback(gw.db);
    assert_ok(db_saga_outcome(gw.db, xid, &outcome, NULL));
    assert_int_equal(outcome, SAGA_ABORTED);
    assert_ok(db_saga_begin(gw.db, true, US_PER_S, &xid, &now, NULL));
    assert_int_equal(side_int("select (pg_xact_status('%lld'::xid8) = 'in progress')::int", (long long)xid), 1);
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    assert_ok(db_saga_outcome(gw.db, xid, &outcome, NULL));
    assert_int_equal(outcome, SAGA_COMMITTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_is_known_by_its_number),
        cmocka_unit_test(a_start_is_carried_out_once_whatever_answer_is_lost),
        cmocka_unit_test(the_same_start_on_two_gateways_at_once_is_one_instance),
        cmocka_unit_test(what_a_gateway_ran_that_is_gone_is_taken_back),
        cmocka_unit_test(an_instance_that_cannot_be_taken_further_holds_up_no_other),
        cmocka_unit_test(what_is_held_keeps_no_timeout_from_being_seen),
        cmocka_unit_test(a_step_says_that_there_is_no_place_for_its_target),
        cmocka_unit_test(an_attempt_of_an_owner_that_is_no_more_is_not_sent),
        cmocka_unit_test(the_lease_is_renewed_though_what_has_ended_cannot_be_removed),
        cmocka_unit_test(what_ended_long_ago_or_has_no_saga_any_more_is_removed),
        cmocka_unit_test(an_act_counts_when_it_is_committed),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
