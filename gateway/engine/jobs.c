#include "gateway/engine/jobs.h"

#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/uuid.h"
#include "gateway/base/worker.h"
#include "gateway/engine/event.h"
#include "gateway/engine/job_step.h"

#define LIST_BATCH 200
#define AUTO_SHARE 20 /* looking for letters to redrive takes a twentieth of the time at most, however many there are */

struct jobs {
    struct job_steps steps;
    struct ticker *ticker;
    int64_t next_auto_us; /* monotonic; the thread's */
};

static enum err automatic(struct jobs *j, bool *ret_more)
{
    int64_t began = clock_mono_us(), period = j->steps.config->jobs_auto_period_us, took;
    bool more = false;
    enum err e;

    if (began < j->next_auto_us)
        return OK;
    e = job_auto(&j->steps, &more);
    took = clock_mono_us() - began;
    if (!more)
        j->next_auto_us = began + (took * AUTO_SHARE > period ? took * AUTO_SHARE : period);
    *ret_more |= more;
    return e;
}

/* Neither keeps the other from its turn. */
static enum err tick(void *jobs, bool *ret_more)
{
    struct jobs *j = jobs;
    enum err e = job_step(&j->steps, ret_more), second = automatic(j, ret_more);

    return e ? e : second;
}

struct jobs *jobs_start(const struct config *c, const struct db_config *db, struct audit *audit, struct groups *groups)
{
    const struct ticker_def def = { "weir-jobs", c->jobs_poll_us, tick };
    struct jobs *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->steps = (struct job_steps){ c, db_new(db), audit, groups };
    if (j->steps.db && (j->ticker = ticker_start(&def, j)))
        return j;
    jobs_stop(j);
    return NULL;
}

void jobs_wake(struct jobs *j)
{
    ticker_wake(j->ticker);
}

void jobs_stop(struct jobs *j)
{
    if (!j)
        return;
    ticker_stop(j->ticker);
    db_free(j->steps.db);
    free(j);
}

enum err jobs_match(struct db *db, struct arena *a, const struct letter_filter *filter, struct job_row *j, struct fault *f)
{
    enum err e = db_letters_count(db, a, j->stream_id, filter, &j->matched, j->last, f);

    if (!e && j->letters >= 0 && j->letters < j->matched)
        j->matched = j->letters;
    return e;
}

/* The lock of the stream's row keeps its deletion away, and other jobs that are made. */
enum err jobs_add(const struct config *c, struct db *db, struct arena *a, struct job_row *j, struct fault *f)
{
    struct letter_filter filter;
    struct stream_row stream;
    char id[37];
    bool added = false;
    enum err e;

    uuid7(clock_unix_us(), id);
    uuid_parse(slice_of(id), j->job_id);
    if ((e = streams_lock(db, a, j->stream, &stream, f)) || (e = job_filter_read(a, j->filter, &filter, f)))
        return e;
    j->stream_id = stream.stream_id;
    j->state = JOB_RUNNING;
    if ((e = jobs_match(db, a, &filter, j, f)) || (e = db_job_add(db, j, c->jobs_per_stream, &added, f)) || added)
        return e;
    f->retry_after = 1;
    return fault(f, ERR_OVERLOADED, "%lld jobs of the stream run already.", (long long)c->jobs_per_stream);
}

enum err jobs_cancel(struct db *db, struct arena *a, struct job_row *j, bool *ret_cancelled, struct fault *f)
{
    enum err e = db_job_lock(db, a, j->stream_id, j->job_id, j, f);

    *ret_cancelled = false;
    if (e || j->state == JOB_CANCELLED)
        return e;
    if (j->state != JOB_RUNNING)
        return fault(f, ERR_CONFLICT, "The job has ended (%s); what it did stays.", job_state_words[j->state]);
    j->state = JOB_CANCELLED;
    j->updated_us = j->now_us;
    return db_job_move(db, j, ret_cancelled, f);
}

enum err jobs_find(struct db *db, struct arena *a, const uint8_t id[16], struct job_row *ret, struct fault *f)
{
    return db_job_find(db, a, id, ret, f);
}

enum err jobs_list(struct db *db, struct arena *a, const uint8_t *before, struct slice stream, int state, size_t limit,
                   bool (*visible)(const void *arg, struct slice stream), const void *arg, struct job_row **ret, size_t *ret_n,
                   bool *ret_more, struct fault *f)
{
    struct job_row *v = arena_alloc(a, (limit + 1) * sizeof *v), *page = NULL;
    size_t n = 0, found = LIST_BATCH;
    enum err e = v ? OK : ERR_NO_MEMORY;

    while (!e && n <= limit && found == LIST_BATCH) {
        if ((e = db_job_list(db, a, before, stream, state, LIST_BATCH, &page, &found, f)))
            break;
        for (size_t i = 0; i < found && n <= limit; i++)
            if (visible(arg, page[i].stream))
                v[n++] = page[i];
        before = found ? page[found - 1].job_id : before;
    }
    if (e)
        return e;
    *ret_more = n > limit;
    *ret_n = *ret_more ? limit : n;
    *ret = v;
    return OK;
}
