#ifndef WEIR_ENGINE_SAGA_VIEW_H
#define WEIR_ENGINE_SAGA_VIEW_H

#include "db/sagas_read.h"
#include "gateway/engine/saga_machine.h"

/* Sagas as callers look at them. All block, on the connection's thread; what they return lives as long as the arena. */

/* version: 0: the newest. counts: instances by state, without those that have ended. ERR_UNKNOWN_SAGA, also of a version that there is not. */
enum err saga_view_definition(struct db *db, struct arena *a, struct slice name, int32_t version, struct saga_shown *ret,
                              int64_t ret_counts[SAGA_STATES], struct fault *f);
/* Each saga by name, after `after`, until take(arg, s) says no, in memory of its own: `s` lives until take returns. */
enum err saga_view_each(struct db *db, struct slice after, bool (*take)(void *arg, const struct saga_shown *s), void *arg,
                        struct fault *f);

/* The newest first. before_us 0: from the newest; else before that time and id. step: the name of one that has an error; p == NULL: any. q->by_step
 * and what belongs to it is set here. */
struct saga_page {
    struct saga_instance_shown *v;
    size_t n;
    bool more;                   /* older ones match too */
};
enum err saga_view_instances(struct db *db, struct arena *a, struct slice saga, struct saga_filter *q, struct slice step,
                             int64_t before_us, struct slice before_id, size_t limit, struct saga_page *ret, struct fault *f);

/* An instance with all steps of its version. */
struct saga_view {
    struct saga_instance_shown row;
    struct saga_definition definition;
    const struct saga_step_shown *task[SAGA_KINDS][SAGA_STEPS_MAX]; /* by step; NULL: nothing came of it yet */
};
/* ERR_UNKNOWN_SAGA, ERR_UNKNOWN_INSTANCE. */
enum err saga_view_instance(struct db *db, struct arena *a, struct slice saga, struct slice id, struct saga_view *ret,
                            struct fault *f);
/* As a member-complete JSON object. */
void saga_view_render(struct buf *b, struct slice saga, const struct saga_view *v);
void saga_view_render_row(struct buf *b, const struct saga_instance_shown *v); /* the same of a list: without its closing brace */

/* The oldest first, after (seq, n). The same errors. */
enum err saga_view_history(struct db *db, struct arena *a, struct slice saga, struct slice id, int64_t seq, int n, size_t limit,
                           int64_t bytes, struct saga_record_shown **ret, size_t *ret_n, bool *ret_more, struct fault *f);

#endif
