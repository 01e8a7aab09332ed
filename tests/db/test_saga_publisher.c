#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/engine/saga_publisher.h"
#include "gateway/engine/schemas.h"
#include "tests/db/log_support.h"

/* Events that steps of sagas publish, through the lanes of a gateway. */
static struct gateway gw;
static struct schemas *schemas;
static struct schema_cache *cache;
static struct saga_publisher *publisher;

static int start(void **state)
{
    (void)state;
    log_open("weir_saga_publisher");
    gateway_start(&gw);
    assert_non_null(schemas = schemas_start(&gw.config, &gw.db_config, NULL));
    assert_non_null(cache = schema_cache_new(&gw.config, schemas));
    assert_non_null(publisher = saga_publisher_start(&gw.config, &gw.db_config, gw.commit, gw.streams, cache));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    saga_publisher_stop(publisher);
    schema_cache_free(cache);
    schemas_stop(schemas);
    gateway_stop(&gw);
    log_close();
    return 0;
}

/* A publication, and what came of it as text of the test's own. */
struct told {
    struct saga_publication pub;
    sem_t done;
    char text[2000];
};

static void on_done(struct saga_publication *pub)
{
    struct told *t = pub->arg;
    struct slice s = pub->outcome == SAGA_PUBLISHED ? pub->result : pub->error;

    snprintf(t->text, sizeof t->text, "%.*s", (int)s.n, s.p);
    sem_post(&t->done);
}

static void begin(struct told *t, const char *stream, const char *key, const char *event)
{
    *t = (struct told){ .pub = { .stream = slice_of(stream), .key = slice_of(key), .event = slice_of(event),
                                 .traceparent = SLICE("00-11111111111111111111111111111111-2222222222222222-01"),
                                 .done = on_done, .arg = t } };
    sem_init(&t->done, 0, 0);
    assert_true(saga_publish(publisher, &t->pub));
}

static struct told tell(const char *stream, const char *key, const char *event)
{
    struct told t;

    begin(&t, stream, key, event);
    while (sem_wait(&t.done))
        ;
    return t;
}

static void refused(const char *stream, const char *event, const char *type)
{
    struct told t = tell(stream, "refused", event);
    char start[80];

    snprintf(start, sizeof start, "{\"type\":\"%s\",\"message\":\"", type);
    assert_int_equal(t.pub.outcome, SAGA_NOT_PUBLISHED);
    assert_memory_equal(t.text, start, strlen(start));
}

static void an_event_is_published_once_under_its_key(void **state)
{
    static const char event[] = "{\"type\":\"Told\",\"id\":\"s/i/tell/action\",\"subject\":\"x\",\"data\":{\"n\":1}}";
    struct stream *s = stream_here(&gw, "told", 1, US_PER_S);
    struct told first = tell("told", "s/i/tell/action", event), again = tell("told", "s/i/tell/action", event);

    (void)state;
    assert_int_equal(first.pub.outcome, SAGA_PUBLISHED);
    assert_non_null(strstr(first.text, "\"stream\":\"told\",\"partition\":0,\"offset\":\"1\",\"version\":1,"));
    assert_int_equal(again.pub.outcome, SAGA_PUBLISHED);
    assert_string_equal(again.text, first.text);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld", (long long)s->row.stream_id), 1);
    assert_int_equal(side_int("select count(*) from weir.events where attributes like '%%\"traceparent\":\"00-1111%%'"), 1);
    stream_unref(s);
}

static void what_can_never_be_published_is_a_business_failure(void **state)
{
    struct stream *s = stream_here(&gw, "told", 1, US_PER_S);
    struct told reused;

    (void)state;
    refused("nowhere", "{\"type\":\"T\",\"id\":\"1\"}", "unknown-stream");
    refused("told.dlq", "{\"type\":\"T\",\"id\":\"1\"}", "reserved-name");
    refused("told", "{\"id\":\"1\"}", "bad-event");
    refused("told", "{\"type\":\"T\",\"id\":\"1\",\"expectedversion\":3}", "bad-event");
    refused("told", "{\"type\":\"T\",\"id\":\"1\",\"subject\":\"y\",\"expectedversion\":3}", "version-conflict");
    assert_int_equal(tell("told", "k", "{\"type\":\"T\",\"id\":\"2\"}").pub.outcome, SAGA_PUBLISHED);
    reused = tell("told", "k", "{\"type\":\"T\",\"id\":\"3\"}");
    assert_int_equal(reused.pub.outcome, SAGA_NOT_PUBLISHED);
    assert_non_null(strstr(reused.text, "\"type\":\"idempotency-key-reused\""));
    stream_unref(s);
}

/* One of two at once under a key may find the other in flight, and is to come again. */
static void the_same_at_once_is_published_once(void **state)
{
    static struct told t[50];
    struct stream *s = stream_here(&gw, "twice", 1, US_PER_S);
    int published = 0;

    (void)state;
    heads_hold(s);
    for (int i = 0; i < 50; i++)
        begin(&t[i], "twice", "same", "{\"type\":\"T\",\"id\":\"same\"}");
    heads_release();
    for (int i = 0; i < 50; i++) {
        while (sem_wait(&t[i].done))
            ;
        published += t[i].pub.outcome == SAGA_PUBLISHED;
        assert_true(t[i].pub.outcome == SAGA_PUBLISHED || t[i].pub.outcome == SAGA_PUBLISH_AGAIN);
    }
    assert_true(published >= 1);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld", (long long)s->row.stream_id), 1);
    stream_unref(s);
}

static void stopping_waits_for_what_was_submitted(void **state)
{
    static struct told t[20];
    struct stream *s = stream_here(&gw, "last", 1, US_PER_S);
    static char keys[20][8];

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(keys[i], sizeof keys[i], "k-%d", i);
        begin(&t[i], "last", keys[i], "{\"type\":\"T\"}");
    }
    saga_publisher_stop(publisher);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sem_trywait(&t[i].done), 0);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld", (long long)s->row.stream_id), 20);
    assert_non_null(publisher = saga_publisher_start(&gw.config, &gw.db_config, gw.commit, gw.streams, cache));
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_published_once_under_its_key),
        cmocka_unit_test(what_can_never_be_published_is_a_business_failure),
        cmocka_unit_test(the_same_at_once_is_published_once),
        cmocka_unit_test(stopping_waits_for_what_was_submitted),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
