#include "tests/db/projections_support.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/engine/audit.h"
#include "gateway/engine/outbox.h"

struct gateway gw;
static struct outbox *outbox;
static struct audit *audit;
struct projections *manager;
struct arena *scratch;

int projections_open(const char *database)
{
    log_open(database);
    gateway_start(&gw);
    gw.config.projections_lease_us = US_PER_S;
    outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams);
    audit = audit_new(&gw.config, outbox);
    manager = calloc(1, sizeof *manager);
    scratch = arena_new(256 << 20);
    gw.config.tail_poll_us = 20000;
    assert_true(outbox && audit && manager && scratch);
    manager->config = &gw.config;
    manager->db_config = &gw.db_config;
    manager->streams = gw.streams;
    for (int i = 0; i < 2; i++)
        manager->queues[i].last = &manager->queues[i].first;
    manager->db = db_new(&gw.db_config);
    manager->owner = 1;
    pthread_mutex_init(&manager->lock, NULL);
    pthread_mutex_init(&manager->watch_lock, NULL);
    cond_init(&manager->changed);
    return 0;
}

int projections_close(void **state)
{
    (void)state;
    arena_free(scratch);
    audit_free(audit);
    outbox_stop(outbox);
    gateway_stop(&gw);
    projections_free(manager);
    log_close();
    return 0;
}

enum err change_done(enum err e, const struct projection_change *c)
{
    e = audit_end(audit, gw.db, e, &(struct audit_record){ 0 }, NULL);
    if (!e)
        projections_poke(manager, c->projection_id);
    return e;
}

struct projection_change define(const char *name, const char *body)
{
    struct projection_definition def;
    struct projection_change c;
    struct fault f = { 0 };

    if (projection_definition_parse(scratch, slice_of(body), 1 << 18, &def, &f))
        fail_msg("%s: %s", body, f.detail);
    assert_ok(audit_begin(gw.db, NULL));
    if (change_done(projections_put(manager, gw.db, scratch, slice_of(name), &def, &c, &f), &c))
        fail_msg("%s", f.detail);
    return c;
}

struct projection_change act(act_fn *fn, const char *name)
{
    struct projection_change c;

    assert_ok(audit_begin(gw.db, NULL));
    assert_ok(change_done(fn(manager, gw.db, scratch, slice_of(name), &c, NULL), &c));
    return c;
}

enum err rebuild(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                        struct fault *f)
{
    return projections_rebuild(p, db, a, name, NULL, ret, f);
}

enum err resume(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                       struct fault *f)
{
    return projections_resume(p, db, a, name, NULL, ret, f);
}

void count(struct stream *s, int subjects, int n)
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

struct projection_view look(const char *name)
{
    struct projection_view v;

    struct fault f = { 0 };

    if (projections_look(gw.db, scratch, slice_of(name), &v, &f))
        fail_msg("%s", f.detail);
    return v;
}

struct projections *gateway_folds(void)
{
    struct projections *p = projections_new(&gw.config, &gw.db_config, gw.streams);

    assert_non_null(p);
    return p;
}

void gateway_ends(struct projections *p)
{
    projections_stop(p);
    projections_free(p);
}

struct projection_view settled(const char *name)
{
    int64_t until = clock_mono_us() + 120 * US_PER_S;
    struct projection_target heads;
    struct projection_view v = look(name);

    assert_ok(projections_target(gw.db, scratch, &v, SLICE("latest"), &heads, NULL));
    while (!projection_reached(&v, &heads) && clock_mono_us() < until) {
        usleep(2000);
        v = look(name);
    }
    assert_true(projection_reached(&v, &heads));
    return v;
}

struct projection_view until_build(const char *name, int32_t build)
{
    int64_t until = clock_mono_us() + 120 * US_PER_S;
    struct projection_view v = look(name);

    while (v.build != build && clock_mono_us() < until) {
        usleep(2000);
        v = look(name);
    }
    assert_int_equal(v.build, build);
    return v;
}

const char *state_of(const char *name, const char *key)
{
    struct projection_view v;
    struct projection_state s;

    assert_ok(projections_state(gw.db, scratch, slice_of(name), slice_of(key), &v, &s, NULL));
    return s.key.p ? arena_strndup(scratch, s.state.p, s.state.n) : "none";
}

int64_t folded(const char *name)
{
    return side_int("select coalesce(sum((s.state::json->>'events')::int), 0) from weir.projection_states s join weir.projections p"
                    " on p.projection_id = s.projection_id and p.build = s.build where p.name = '%s'", name);
}

void forget(const char *name)
{
    act(projections_delete, name);
}

struct projection_status status_of(const char *name)
{
    struct projection_status s;

    assert_ok(projections_get(gw.db, scratch, slice_of(name), &s, NULL));
    return s;
}

struct projection_status until_failed(const char *name)
{
    int64_t until = clock_mono_us() + 120 * US_PER_S;
    struct projection_status s = status_of(name);

    while (s.condition != PROJECTION_FAILED && clock_mono_us() < until) {
        usleep(2000);
        s = status_of(name);
    }
    assert_int_equal(s.condition, PROJECTION_FAILED);
    return s;
}
