#ifndef WEIR_DB_PROJECTION_CHECKS_H
#define WEIR_DB_PROJECTION_CHECKS_H

#include "db/jobs.h"
#include "db/projections_parts.h"

/* Verifying projections: weir.projection_checks. Slices belong to the arena they were read into; times are unix microseconds. */
struct check_row {
    int64_t projection_id;
    uint8_t job_id[16];
    struct slice name;         /* of the projection */
    int state;                 /* enum job_state */
    bool automatic;
    int32_t build, scratch;    /* what is read, and what it is compared with */
    int64_t checked, drifted, order_dependent; /* keys */
    struct slice result;       /* a JSON object; p == NULL: none (yet) */
    struct slice error;        /* p == NULL: none */
    int64_t created_us, updated_us;
};

extern const struct stmt CHECK_ADD, CHECK_FIND, CHECK_RUNNING, CHECK_LAST, CHECK_TAKE, CHECK_DUE, CHECK_END, CHECKS_FORGET,
    CHECK_PROGRESS, CHECK_FOLLOW, CHECK_PAGE, CHECKS_WANTED, CHECKS_FORSAKEN;

/* Sets created_us and updated_us. ERR_DB_UNIQUE: one of the projection runs already. */
enum err db_check_add(struct db *db, struct check_row *c, struct fault *f);
enum err db_check_find(struct db *db, struct arena *a, const uint8_t id[16], struct check_row *ret, bool *ret_found,
                        struct fault *f);
enum err db_check_running(struct db *db, struct arena *a, int64_t projection_id, struct check_row *ret, bool *ret_found,
                          struct fault *f);
enum err db_check_last(struct db *db, struct arena *a, int64_t projection_id, struct check_row *ret, bool *ret_found,
                       struct fault *f);
/* One of which a step is due: nobody else gets it for so long. */
enum err db_check_take(struct db *db, struct arena *a, int64_t for_us, struct check_row *ret, bool *ret_found, struct fault *f);
enum err db_check_due(struct db *db, const struct check_row *c, int64_t in_us, bool *ret_runs, struct fault *f); /* and `checked` */
enum err db_check_end(struct db *db, const struct check_row *c, bool *ret_ended, struct fault *f); /* if it runs still */
enum err db_checks_forget(struct db *db, int64_t keep_us, struct fault *f);

struct check_progress {
    bool there;                /* both builds are what they were */
    bool paused, held;
    struct slice error;        /* of the scratch build: JSON */
    int64_t rest, behind, uneven; /* offsets to where it is to come; to what is read; parts that differ from that */
};
enum err db_check_progress(struct db *db, struct arena *a, const struct check_row *c, struct check_progress *ret, struct fault *f);
/* Inside a transaction, with the parts of both fenced: the scratch build is to come where the other one is now. */
enum err db_check_follow(struct db *db, int64_t projection_id, int32_t build, int32_t scratch, struct fault *f);

/* A key of both builds. Slices belong to the rows. */
struct check_pair {
    struct slice key;
    bool differs;              /* in text or version */
    struct slice is, should;   /* where it differs: p == NULL: it has no state */
    int64_t is_version, should_version;
    int32_t is_part, should_part;
    bool last;                 /* the page is */
};
enum err db_check_page(struct db *db, const struct check_row *c, struct slice after, int64_t limit, struct rows *ret,
                       struct fault *f);
void db_check_pair(const struct rows *r, int i, struct check_pair *ret);

struct check_wanted {
    struct slice name, definition;
    int64_t since_us;          /* since the last one, or the last change */
};
enum err db_checks_wanted(struct db *db, struct arena *a, struct check_wanted **ret, size_t *ret_n, struct fault *f);
enum err db_checks_forsaken(struct db *db, struct arena *a, struct part_id **ret, size_t *ret_n, struct fault *f); /* builds */

#endif
