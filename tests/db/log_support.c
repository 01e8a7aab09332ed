#include "tests/db/log_support.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"

static char *own_url, *given_url;

void log_open(const char *database)
{
    const char *given = getenv("WEIR_TEST_DATABASE_URL");
    struct db_config config;
    struct fault f = { 0 };

    side_open("weir_test");
    given_url = strdup(given);
    own_url = test_url(NULL, NULL, database);
    side_do("drop database if exists %s with (force)", database);
    side_do("create database %s", database);
    side_close();
    setenv("WEIR_TEST_DATABASE_URL", own_url, 1);
    config = test_config();
    if (migrate_up(&config, NULL, &f))
        fail_msg("%s", f.detail);
    side_open("weir_test");
    side_do("select weir.make_room(now())");
}

void log_close(void)
{
    char database[64];

    side_close();
    setenv("WEIR_TEST_DATABASE_URL", given_url, 1);
    side_open("weir_test");
    snprintf(database, sizeof database, "%s", strstr(own_url, "dbname='") + 8);
    *strchr(database, '\'') = '\0';
    side_do("drop database %s with (force)", database);
    side_close();
    free(own_url);
    free(given_url);
}

void gateway_start(struct gateway *g)
{
    char err[512], *none[] = { NULL };

    memset(g, 0, sizeof *g);
    assert_true(config_load(&g->config, 0, none, none, err));
    g->db_config = test_config();
    g->streams = streams_new(&g->config);
    g->db = db_new(&g->db_config);
    g->tail = tail_new(&g->config, &g->db_config, &g->db_config, g->streams);
    g->commit = commit_new(&g->config, &g->db_config, g->tail, g->streams);
    assert_true(g->streams && g->db && g->tail && g->commit);
}

void gateway_stop(struct gateway *g)
{
    commit_stop(g->commit);
    tail_stop(g->tail);
    streams_free(g->streams);
    db_free(g->db);
    config_free(&g->config);
}

struct stream *stream_here(struct gateway *g, const char *name, int partitions, int64_t dedup_window_us)
{
    struct arena *a = arena_new(1 << 16);
    struct stream_row row, before;
    struct stream *s;
    bool created;

    streams_defaults(&row);
    row.name = slice_of(name);
    row.partitions = partitions;
    row.dedup_window_us = dedup_window_us;
    assert_ok(streams_put(g->streams, g->db, a, &row, true, &before, &created, NULL));
    assert_ok(streams_load(g->streams, g->db, row.name, &s, NULL));
    arena_free(a);
    return s;
}

static void wake(struct publish *p, bool more)
{
    (void)more;
    sem_post(&((struct asked *)p->arg)->answered);
}

struct asked *draft(struct stream *s, int64_t if_version, const char *body)
{
    static const struct event_limits limits = { 1 << 20, 10000, 64 };
    struct arena *arena = arena_new(64 << 20);
    struct asked *a = arena_zalloc(arena, sizeof *a);

    a->arena = arena;
    a->p = (struct publish){ .stream = s, .if_version = if_version, .done = wake, .arg = a };
    sem_init(&a->answered, 0, 0);
    if (event_parse(arena, s->row.name, EVENT_JSON, arena_slice(arena, slice_of(body)), SLICE_NONE, &limits, clock_unix_us(),
                    &a->p.events, &a->p.fault))
        fail_msg("%s: %s", body, a->p.fault.detail);
    return a;
}

static struct asked *ask_body(struct gateway *g, struct stream *s, int64_t if_version, char *body)
{
    struct asked *a = draft(s, if_version, body);
    struct fault f = { 0 };
    enum err e = commit_submit(g->commit, &a->p, &f);

    free(body);
    if (e) { /* else it is the lane's */
        a->p.err = e;
        wake(&a->p, false);
    }
    return a;
}

struct asked *ask(struct gateway *g, struct stream *s, int64_t if_version, const char *body, ...)
{
    va_list ap;
    char *text;

    va_start(ap, body);
    assert_true(vasprintf(&text, body, ap) >= 0);
    va_end(ap);
    return ask_body(g, s, if_version, text);
}

enum err answer(struct asked *a)
{
    while (sem_wait(&a->answered))
        ;
    sem_post(&a->answered); /* may be asked again */
    return a->p.err;
}

void asked_free(struct asked *a)
{
    sem_destroy(&a->answered);
    arena_free(a->arena);
}

enum err publish(struct gateway *g, struct stream *s, const char *body, ...)
{
    struct asked *a;
    va_list ap;
    char *text;
    enum err e;

    va_start(ap, body);
    assert_true(vasprintf(&text, body, ap) >= 0);
    va_end(ap);
    a = ask_body(g, s, -1, text);
    e = answer(a);
    asked_free(a);
    return e;
}

void heads_hold(const struct stream *s)
{
    side_do("begin; select from weir.partitions where stream_id = %lld for update", (long long)s->row.stream_id);
}

void heads_awaited(void)
{
    side_until("select exists (select from pg_locks where not granted)");
}

void heads_release(void)
{
    side_do("commit");
}

void assert_log_whole(void)
{
    assert_int_equal(side_int("select count(*) from weir.partitions p"
                              "  left join lateral (select count(*) as n, count(distinct \"offset\") as offsets,"
                              "                            min(\"offset\") as first, max(\"offset\") as last,"
                              "                            sum(octet_length(attributes) +"
                              " coalesce(octet_length(data), 0)) as bytes"
                              "                       from weir.events e"
                              "                      where e.stream_id = p.stream_id and e.partition = p.partition) e"
                              " on true"
                              " where e.n <> p.head - p.earliest + 1 or e.offsets <> e.n or coalesce(e.bytes, 0) <>"
                              " p.bytes"
                              "    or (e.n > 0 and (e.first <> p.earliest or e.last <> p.head))"),
                     0);
    assert_int_equal(side_int("select count(*) from (select recorded < lag(recorded) over (partition by stream_id,"
                              " partition"
                              " order by \"offset\") as back from weir.events) e where back"),
                     0);
    assert_int_equal(side_int("select count(*) from weir.events e where not exists (select from weir.partition_months m"
                              " where m.stream_id = e.stream_id and m.partition = e.partition and m.first_offset <="
                              " e.\"offset\""
                              "   and m.month = date_trunc('month', e.recorded at time zone 'UTC')::date)"),
                     0);
}
