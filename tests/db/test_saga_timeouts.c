#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/engine/saga_parts.h"
#include "gateway/engine/saga_waits.h"
#include "gateway/engine/schema_cache.h"
#include "tests/db/log_support.h"

/* Timeouts of sagas beside streams that are not read: instances stand as rows in the database of a gateway that runs them. */
static struct gateway gw;
static struct schemas *schemas;
static struct schema_cache *cache;
static struct outbox *outbox;
static struct outbound *outbound;
static struct sagas *sagas;
static struct arena *scratch;
static struct stream *busy, *idle;

#define AWAIT(name, stream)                                                                                            \
    "{\"name\":\"" name "\",\"after\":[],\"action\":{\"await\":{\"stream\":\"" stream "\",\"types\":[\"T\"],\"match\":{}}}}"
static const char definition[] = "{\"steps\":[" AWAIT("a", "busy") "," AWAIT("b", "idle") ","
                                 "{\"name\":\"c\",\"after\":[],\"approval\":{}}]}";

static void define(void)
{
    struct saga_definition def;
    struct saga_change c;
    struct fault f = { 0 };

    if (saga_definition_parse(scratch, slice_of(definition), &def, &f))
        fail_msg("%s %s", f.pointer, f.detail);
    assert_ok(db_exec(gw.db, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(sagas_put(sagas, gw.db, scratch, SLICE("awaits"), &def, &c, &f));
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
}

static int start(void **state)
{
    char err[512];

    (void)state;
    log_open("weir_saga_timeouts");
    gateway_start(&gw);
    assert_non_null(scratch = arena_new(64 << 20));
    assert_non_null(schemas = schemas_start(&gw.config, &gw.db_config, NULL));
    assert_non_null(cache = schema_cache_new(&gw.config, schemas));
    assert_non_null(outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams));
    assert_non_null(outbound = outbound_start(&gw.config, &gw.db_config, err));
    sagas = sagas_start(&gw.config, &gw.db_config, gw.streams, gw.tail, gw.commit, cache, outbox, outbound);
    assert_non_null(sagas);
    busy = stream_here(&gw, "busy", 1, US_PER_S);
    idle = stream_here(&gw, "idle", 1, US_PER_S);
    define();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    stream_unref(busy);
    stream_unref(idle);
    sagas_stop(sagas);
    schema_cache_free(cache);
    schemas_stop(schemas);
    outbox_stop(outbox);
    outbound_stop(outbound);
    arena_free(scratch);
    gateway_stop(&gw);
    sagas_free(sagas);
    log_close();
    return 0;
}

/* Instances of `awaits` that wait at a step: for an event of a stream (its awaits), or else for an approval. */
static void waits_at(const char *ids, int step, const char *awaits, const char *due)
{
    side_do("insert into weir.saga_instances select saga_id, id, 1, 1, false, 2, '{}', md5('x')::uuid, null, null, null, now(),"
            " now() from weir.sagas, %s as id where name = 'awaits'", ids);
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, due, awaits, begun)"
            " select saga_id, id, %d, 0, 3, 1, %s, %s, now() from weir.sagas, %s as id where name = 'awaits'",
            step, due, awaits, ids);
}

/* Its reader is held, so it has a backlog; more instances than one look takes wait there, and their time came first. All of it comes after
 * the publish: up to then the stream was read. */
static void a_stream_with_a_backlog_keeps_back_the_timeouts_of_its_own_awaits_alone(void **state)
{
    const struct arg of[] = { arg_int8(busy->row.stream_id) };
    struct rows r = { 0 };
    char many[80];

    (void)state;
    side_do("insert into weir.saga_waits select saga_id, 'other', 0, 0, 1, %lld, 0, '[]', '{0}', gen_random_uuid() from weir.sagas"
            " where name = 'awaits'", (long long)busy->row.stream_id);
    side_do("insert into weir.saga_readers values (%lld, '{0}')", (long long)busy->row.stream_id);
    assert_ok(db_exec(gw.db, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(db_exec(gw.db, &SAGA_READER_TAKE, of, &r, NULL));
    assert_int_equal(r.n, 1);
    rows_free(&r);
    assert_ok(publish(&gw, busy, "[{\"type\":\"Other\"}]"));
    snprintf(many, sizeof many, "(select 'busy-' || generate_series(1, %d) as id)", (int)gw.config.sagas_batch + 10);
    waits_at(many, 0, "'busy'", "now()");
    side_do("insert into weir.saga_waits select saga_id, instance_id, 0, 0, 1, %lld, 0, '[]', '{0}', gen_random_uuid()"
            " from weir.saga_instances where instance_id like 'busy-%%'", (long long)busy->row.stream_id);
    side_do("update weir.saga_instances set deadline = now() where instance_id like 'busy-%%'");
    waits_at("(select unnest('{asks,both}'::text[]) as id)", 2, "null", "now()");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, due, awaits, begun)"
            " select saga_id, 'both', 0, 0, 3, 1, now(), 'busy', now() from weir.sagas where name = 'awaits'");
    waits_at("(select 'idle' as id)", 1, "'idle'", "now()");
    waits_at("(select 'over' as id)", 2, "null", "null");
    side_do("update weir.saga_instances set deadline = now() where instance_id = 'over'");
    side_until("select count(*) = 4 from weir.saga_instances where state = 5 and instance_id in ('asks', 'both', 'idle', 'over')");
    assert_int_equal(side_int("select count(*) from weir.saga_instances where state <> 1 and instance_id like 'busy-%%'"), 0);
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    side_until("select count(*) = 0 from weir.saga_instances where state <> 5 and instance_id like 'busy-%%'");
    side_do("delete from weir.saga_waits");
}

/* It is tried and fails at each look; what is recorded elsewhere comes at once all the same. */
static void a_stream_that_cannot_be_read_keeps_back_neither_others_nor_its_timeouts(void **state)
{
    (void)state;
    side_do("delete from weir.saga_readers");
    side_do("insert into weir.saga_waits select saga_id, 'other', 0, 0, 1, %lld, 0, '[]', '{0}', gen_random_uuid() from weir.sagas",
            (long long)busy->row.stream_id);
    side_do("insert into weir.saga_readers values (%lld, array_fill(-1::int8, array[100]))", (long long)busy->row.stream_id);
    for (int i = 0; i < 3; i++) { /* also once it has failed */
        char late[40], served[40];
        struct saga_await await = { .number = 2, .stream = SLICE("idle") };
        struct saga_wait w = { .id = { .step = 1 }, .version = 1, .await = &await };

        snprintf(late, sizeof late, "(select 'late-%d' as id)", i);
        waits_at(late, 0, "'busy'", "now()");
        snprintf(late, sizeof late, "(select 'served-%d' as id)", i);
        waits_at(late, 1, "'idle'", "null");
        snprintf(served, sizeof served, "served-%d", i);
        w.id.instance = slice_of(served);
        w.id.saga_id = side_int("select saga_id from weir.sagas");
        assert_ok(saga_waits_begin(gw.db, scratch, &w, 1, NULL));
        saga_events_wake(sagas->events);
        assert_ok(publish(&gw, idle, "[{\"type\":\"T\"}]"));
        side_until("select state = 5 from weir.saga_instances where instance_id = 'late-%d'", i);
        side_until("select status = 4 from weir.saga_steps where instance_id = 'served-%d' and step = 1", i);
    }
    assert_int_equal(side_int("select position[1] from weir.saga_readers where stream_id = %lld",
                              (long long)busy->row.stream_id), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_with_a_backlog_keeps_back_the_timeouts_of_its_own_awaits_alone),
        cmocka_unit_test(a_stream_that_cannot_be_read_keeps_back_neither_others_nor_its_timeouts),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
