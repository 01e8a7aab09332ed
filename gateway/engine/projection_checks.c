#include "gateway/engine/projection_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/event.h"
#include "gateway/engine/jobs.h"
#include "gateway/engine/projection_compare.h"
#include "gateway/engine/projection_parts.h"

#define STEP_ARENA ((size_t)64 << 20)
#define TAKEN_US (30 * US_PER_S)     /* whoever takes a step has the check for so long, */
#define RENEW_US (5 * US_PER_S)      /* and renews it while it compares */
#define LOOK_US (20 * INT64_C(1000)) /* between two looks how far the scratch build is */
#define PAGE_KEYS 1000
#define TIDY_US (5 * US_PER_S)       /* between two looks for what is to be begun, or forgotten */

struct projection_checks {
    const struct config *config;
    struct projections *projections;
    struct db *db, *reader;          /* the thread's; reader: has the snapshot */
    struct ticker *ticker;
    int64_t next_tidy_us;            /* monotonic */
};

/* COMMIT, or ROLLBACK with e. */
static enum err end(struct db *db, enum err e, struct fault *f)
{
    if (!e)
        e = db_exec(db, &DB_COMMIT, NULL, NULL, f);
    if (e)
        db_rollback(db);
    return e;
}

/* --- begin --- */

/* What retention has removed since it was folded cannot be folded again. */
static enum err all_there(struct db *db, struct arena *a, const struct build_row *b, struct fault *f)
{
    struct part_row *parts;
    size_t n;
    enum err e = db_parts_of(db, a, b->projection_id, b->build, &parts, &n, f);

    for (size_t i = 0; !e && i < n; i++)
        if (parts[i].earliest > parts[i].first + 1 && parts[i].at.offset > parts[i].first)
            e = fault(f, ERR_CONFLICT, "Events of %.*s that were folded have been removed by retention: there is nothing to "
                      "compare with.", (int)parts[i].stream.n, parts[i].stream.p);
    return e;
}

static enum err make_scratch(const struct config *c, struct db *db, struct arena *a, const struct build_row *active,
                             struct build_row *ret, struct fault *f)
{
    struct projection_definition def;
    enum err e;

    *ret = (struct build_row){ .projection_id = active->projection_id, .state = BUILD_SCRATCH, .definition = active->definition };
    if ((e = projection_definition_parse(a, active->definition, (size_t)c->projections_state_bytes, &def, f)) ||
        (e = all_there(db, a, active, f)) || (e = db_build_add(db, a, ret, def.streams, def.stream_n, f)))
        return e;
    return db_check_follow(db, ret->projection_id, active->build, ret->build, f);
}

enum err projection_checks_begin(const struct config *c, struct db *db, struct arena *a, struct slice name, bool automatic,
                                 struct check_row *ret, bool *ret_begun, struct fault *f)
{
    struct projection_row row;
    struct build_row active, scratch;
    bool running, found, skips;
    char id[UUID_TEXT];
    enum err e;

    *ret_begun = false;
    if ((e = db_projection_lock(db, a, name, &row, f)) ||
        (e = db_check_running(db, a, row.projection_id, ret, &running, f)) || running)
        return e;
    if (row.paused)
        return fault(f, ERR_CONFLICT, "The projection is paused: nothing is folded, so nothing can be compared.");
    uuid7(clock_unix_us(), id);
    *ret = (struct check_row){ .projection_id = row.projection_id, .name = row.name, .state = JOB_RUNNING, .automatic = automatic,
                               .build = row.build };
    uuid_parse(slice_of(id), ret->job_id);
    if ((e = db_build_get(db, a, row.projection_id, row.build, &active, &found, &skips, f)) || !found ||
        (e = db_parts_fence(db, a, row.projection_id, &row.build, 1, f)) || (e = make_scratch(c, db, a, &active, &scratch, f)))
        return e ? e : ERR_DB_RETRY;
    ret->scratch = scratch.build;
    if ((e = db_check_add(db, ret, f)))
        return e;
    *ret_begun = true;
    return projection_tell(db, row.projection_id, f);
}

enum err projection_checks_cancel(struct db *db, struct check_row *c, struct fault *f)
{
    bool ended = false;
    enum err e;

    if (c->state == JOB_CANCELLED)
        return OK;
    if ((e = db_build_hold(db, c->projection_id, c->build, false, f)))
        return e;
    c->state = JOB_CANCELLED;
    if ((e = db_check_end(db, c, &ended, f)) || !ended)
        return e ? e : fault(f, ERR_CONFLICT, "The job has ended.");
    return projection_tell(db, c->projection_id, f);
}

void projection_check_render(struct buf *b, const struct check_row *c, bool found)
{
    char id[UUID_TEXT];

    uuid_format(c->job_id, id);
    buf_printf(b, "{\"id\":\"%s\",\"kind\":\"verify\",\"projection\":", id);
    buf_json_string(b, c->name);
    buf_printf(b, ",\"state\":\"%s\",\"automatic\":%s,\"checked\":%lld,\"drifted\":%lld,\"order_dependent_keys\":%lld",
               job_state_words[c->state], c->automatic ? "true" : "false", (long long)c->checked, (long long)c->drifted,
               (long long)c->order_dependent);
    if (found)
        BUF_LIT(b, ",");
    if (found && c->result.p)
        buf_put(b, c->result.p + 1, c->result.n - 2);
    else if (found)
        BUF_LIT(b, "\"drift\":[],\"order_dependent\":[]");
    buf_member_text(b, "error", c->error);
    buf_member_time(b, "created", c->created_us);
    buf_member_time(b, "updated", c->updated_us);
    buf_char(b, '}');
}

/* --- steps --- */

static enum err finish(struct projection_checks *k, struct check_row *c, int state, const char *why, struct fault *f)
{
    bool ended = false;
    enum err e;

    c->state = state;
    c->error = slice_of(why);
    if ((e = db_check_end(k->db, c, &ended, f)) || !ended)
        return e;
    metric_add(M_PROJECTION_CHECKS, 1);
    metric_add(M_PROJECTION_DRIFT, c->drifted);
    if (c->drifted || state == JOB_FAILED)
        log_warn("a projection was verified", L_SLICE("projection", c->name), L_INT("checked", c->checked),
                 L_INT("drifted", c->drifted), L_STR("why", why ? why : ""));
    k->next_tidy_us = 0;
    return OK;
}

/* Under the lock of the projection and of all parts of both builds: the scratch build is to come where the other one is now, which is held
 * there, or goes on. */
static enum err move_on(struct projection_checks *k, struct arena *a, const struct check_row *c, bool held, struct fault *f)
{
    const int32_t both[] = { c->build, c->scratch };
    struct projection_row row;
    bool found = false, runs = true;
    enum err e = db_exec(k->db, &DB_BEGIN, NULL, NULL, f);

    if (!e && !(e = db_projection_lock_id(k->db, a, c->projection_id, &row, &found, f)) && found && row.build == c->build &&
        !(e = db_parts_fence(k->db, a, c->projection_id, both, 2, f)) &&
        !(e = db_build_hold(k->db, c->projection_id, c->build, held, f)) &&
        !(e = db_check_follow(k->db, c->projection_id, c->build, c->scratch, f)) &&
        !(e = db_check_due(k->db, c, TAKEN_US, &runs, f)) && !(e = runs ? OK : ERR_DB_RETRY)) /* it was cancelled: nothing is held */
        e = projection_tell(k->db, c->projection_id, f);
    if (!(e = end(k->db, e, f)))
        projections_poke(k->projections, c->projection_id);
    return e;
}

/* What is read goes on. When somebody else changes the projection just now it goes on a little later (db_builds_forsaken). */
static enum err let_go(struct projection_checks *k, struct arena *a, const struct check_row *c, struct fault *f)
{
    struct projection_row row;
    bool found = false;
    enum err e = db_exec(k->db, &DB_BEGIN, NULL, NULL, f);

    if (!e && !(e = db_projection_lock_id(k->db, a, c->projection_id, &row, &found, f)) && found && row.build == c->build &&
        !(e = db_build_hold(k->db, c->projection_id, c->build, false, f)))
        e = projection_tell(k->db, c->projection_id, f);
    if (!(e = end(k->db, e, f)))
        projections_poke(k->projections, c->projection_id);
    return e;
}

static enum err compare_pages(struct projection_checks *k, struct arena *a, struct check_row *c, struct comparison *all,
                              bool *ret_runs, struct fault *f)
{
    int64_t renew_us = clock_mono_us() + RENEW_US;
    struct slice after = SLICE("");
    struct rows r = { 0 };
    bool last = false;
    enum err e = OK;

    while (!e && !last && *ret_runs && !(e = db_check_page(k->reader, c, after, PAGE_KEYS, &r, f)) && r.n) {
        struct check_pair pair;

        for (int i = 0; !e && i < r.n; i++) {
            db_check_pair(&r, i, &pair);
            e = comparison_add(all, &pair);
        }
        last = pair.last;
        if (!e && !last && !(after = arena_slice(a, pair.key)).p)
            e = ERR_NO_MEMORY;
        rows_free(&r);
        c->checked = all->checked;
        if (!e && clock_mono_us() >= renew_us) {
            e = db_check_due(k->db, c, TAKEN_US, ret_runs, f);
            renew_us = clock_mono_us() + RENEW_US;
        }
    }
    rows_free(&r);
    return e;
}

/* In one snapshot, taken while nothing was folded. */
static enum err compare(struct projection_checks *k, struct arena *a, struct check_row *c, bool *ret_even, struct fault *f)
{
    struct projection_definition def;
    struct comparison all = { .def = &def };
    struct check_progress now;
    struct build_row active;
    struct part_row *parts;
    bool found = false, skips, runs = true;
    enum err e = db_exec(k->reader, &DB_SNAPSHOT, NULL, NULL, f);

    if (e || (e = db_check_progress(k->reader, a, c, &now, f)) || !(*ret_even = now.there && now.uneven == 0) ||
        (e = db_build_get(k->reader, a, c->projection_id, c->build, &active, &found, &skips, f)) || !found ||
        (e = db_parts_of(k->reader, a, c->projection_id, c->build, &parts, &all.parts, f)) ||
        (e = projection_definition_parse(a, active.definition, (size_t)k->config->projections_state_bytes, &def, f)) ||
        (e = let_go(k, a, c, f)))
        return e;
    e = compare_pages(k, a, c, &all, &runs, f);
    if (!e && runs) {
        c->checked = all.checked;
        c->drifted = all.drifted;
        c->order_dependent = all.order_dependent;
        e = comparison_result(&all, a, &c->result) ? finish(k, c, JOB_DONE, NULL, f) : ERR_NO_MEMORY;
    }
    comparison_free(&all);
    return e;
}

static void why_stopped(struct arena *a, struct slice error, char out[400])
{
    struct json_node *root = NULL, *detail;

    snprintf(out, 400, "An event could not be folded into the scratch build.");
    if (!json_tree_parse(error, 8, a, &root, NULL) && (detail = json_tree_get(root, "detail")))
        snprintf(out, 400, "An event could not be folded into the scratch build: %.*s",
                 (int)(detail->text.n < 300 ? detail->text.n : 300), detail->text.p);
}

/* *ret_over: nothing is left to do of it, by this step. */
static enum err one_step(struct projection_checks *k, struct arena *a, struct check_row *c, bool *ret_over, struct fault *f)
{
    struct check_progress now;
    bool even = false;
    char why[400];
    enum err e = db_check_progress(k->db, a, c, &now, f);

    *ret_over = true;
    if (e)
        return e;
    if (!now.there)
        return finish(k, c, JOB_CANCELLED, "Another build is read now: verify that one.", f);
    if (now.error.p) {
        why_stopped(a, now.error, why);
        return (e = let_go(k, a, c, f)) ? e : finish(k, c, JOB_FAILED, why, f);
    }
    if (now.rest == 0 && now.uneven == 0 && now.held) {
        e = compare(k, a, c, &even, f);
        db_rollback(k->reader);
        if (e || even)
            return e;
    }
    *ret_over = false;
    if (now.rest == 0 && !now.paused && (!now.held || now.uneven))
        return move_on(k, a, c, now.behind <= k->config->projections_batch_events, f);
    return OK;
}

static enum err step(struct projection_checks *k, bool *ret_more, struct fault *f)
{
    struct arena *a = arena_new(STEP_ARENA);
    struct check_row c;
    bool found = false, over = true, runs;
    enum err e = a ? db_check_take(k->db, a, TAKEN_US, &c, &found, f) : ERR_NO_MEMORY;

    if (!e && found) {
        e = one_step(k, a, &c, &over, f);
        *ret_more = true;
        if (e || !over) {
            struct fault ignored = { 0 };
            enum err second = db_check_due(k->db, &c, e ? US_PER_S : LOOK_US, &runs, &ignored);

            e = e ? e : second;
            nanosleep(&(struct timespec){ 0, LOOK_US * 1000 }, NULL);
        }
    }
    arena_free(a);
    return e;
}

/* --- now and then --- */

static int64_t every_of(struct arena *a, struct slice definition)
{
    struct json_node *root, *every;
    int64_t us;

    if (json_tree_parse(definition, JSON_DEPTH, a, &root, NULL) || !(every = json_tree_get(root, "verify_every")) ||
        every->type != JSON_STRING || !duration_parse(every->text, &us))
        return INT64_MAX;
    return us;
}

/* Its refusal is kept as a check that failed: else it would be tried again at once. */
static enum err begin_by_itself(struct projection_checks *k, struct arena *a, struct slice name, struct fault *f)
{
    struct check_row c = { 0 };
    struct fault why = { 0 };
    bool begun = false;
    enum err e = db_exec(k->db, &DB_BEGIN, NULL, NULL, f);

    if (!e)
        e = end(k->db, projection_checks_begin(k->config, k->db, a, name, true, &c, &begun, &why), &why);
    if (!e && begun)
        projections_poke(k->projections, c.projection_id);
    if (e != ERR_CONFLICT)
        return e == ERR_UNKNOWN_PROJECTION || e == ERR_DB_UNIQUE || e == ERR_DB_RETRY ? OK : e;
    log_warn("a projection cannot be verified", L_SLICE("projection", name), L_STR("why", why.detail));
    c.state = JOB_FAILED;
    c.error = slice_of(why.detail);
    return db_check_add(k->db, &c, f);
}

static enum err begin_due(struct projection_checks *k, struct arena *a, struct fault *f)
{
    struct check_wanted *v;
    size_t n;
    enum err e = db_checks_wanted(k->db, a, &v, &n, f);

    for (size_t i = 0; !e && i < n; i++)
        if (v[i].since_us >= every_of(a, v[i].definition))
            e = begin_by_itself(k, a, v[i].name, f);
    return e;
}

/* Scratch builds of checks that have ended. */
static enum err retire(struct projection_checks *k, struct arena *a, struct fault *f)
{
    struct part_id *v;
    size_t n;
    enum err e = db_checks_forsaken(k->db, a, &v, &n, f);

    for (size_t i = 0; !e && i < n; i++) {
        struct build_row b;
        bool found = false, skips;

        if ((e = db_exec(k->db, &DB_BEGIN, NULL, NULL, f)))
            return e;
        e = db_build_get(k->db, a, v[i].projection_id, v[i].build, &b, &found, &skips, f);
        if (!e && found && b.state == BUILD_SCRATCH && !(e = build_retire(k->db, a, &b, f)))
            e = projection_tell(k->db, b.projection_id, f);
        e = end(k->db, e, f);
    }
    return e;
}

static enum err tick(void *checks, bool *ret_more)
{
    struct projection_checks *k = checks;
    struct fault f = { 0 };
    struct arena *a;
    enum err e = step(k, ret_more, &f);

    if (!e && clock_mono_us() >= k->next_tidy_us) {
        if (!(a = arena_new(STEP_ARENA)))
            return ERR_NO_MEMORY;
        if (!(e = retire(k, a, &f)) && !(e = begin_due(k, a, &f)))
            e = db_checks_forget(k->db, k->config->jobs_retention_us, &f);
        k->next_tidy_us = clock_mono_us() + TIDY_US;
        arena_free(a);
    }
    if (e && e != ERR_DATABASE_UNAVAILABLE && e != ERR_DB_RETRY)
        log_warn("a projection is not verified", L_INT("err", e), L_STR("why", f.detail));
    return e == ERR_DB_RETRY ? OK : e;
}

struct projection_checks *projection_checks_start(const struct config *c, const struct db_config *db, struct projections *p)
{
    const struct ticker_def def = { "weir-verify", c->jobs_poll_us, tick };
    struct projection_checks *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    *k = (struct projection_checks){ .config = c, .projections = p, .db = db_new(db), .reader = db_new(db) };
    if (k->db && k->reader && (k->ticker = ticker_start(&def, k)))
        return k;
    projection_checks_stop(k);
    return NULL;
}

void projection_checks_wake(struct projection_checks *c)
{
    ticker_wake(c->ticker);
}

void projection_checks_stop(struct projection_checks *c)
{
    if (!c)
        return;
    ticker_stop(c->ticker);
    db_free(c->db);
    db_free(c->reader);
    free(c);
}
