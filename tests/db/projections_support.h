#ifndef WEIR_TESTS_DB_PROJECTIONS_SUPPORT_H
#define WEIR_TESTS_DB_PROJECTIONS_SUPPORT_H

#include "gateway/engine/projection_parts.h"
#include "tests/db/log_support.h"

/* What the tests of projections share: a gateway's log, and projections that fold by hand (`manager`) or by themselves. */
extern struct gateway gw;
extern struct arena *scratch;
extern struct projections *manager;  /* folds nothing by itself */

int projections_open(const char *database); /* 0, as cmocka wants it */
int projections_close(void **state);

/* Ends what audit_begin(gw.db) began, as a handler does. */
enum err change_done(enum err e, const struct projection_change *c);
struct projection_change define(const char *name, const char *body);
typedef enum err act_fn(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                        struct fault *f);
struct projection_change act(act_fn *fn, const char *name);
act_fn rebuild, resume;              /* without more said */
void forget(const char *name);       /* deletes it */

/* Publishes n times an event of type Counted, with n = 0.1, for each of these many subjects s-0, s-1 … */
void count(struct stream *s, int subjects, int n);

struct projection_view look(const char *name);
struct projection_view settled(const char *name);                     /* once it has folded everything */
struct projection_view until_build(const char *name, int32_t build);  /* once this one is read */
struct projection_status status_of(const char *name);
struct projection_status until_failed(const char *name);
const char *state_of(const char *name, const char *key);              /* "none": there is none */
int64_t folded(const char *name);                                     /* the sum of the states' /events */

/* A gateway that folds; it does not hear of events, it looks. */
struct projections *gateway_folds(void);
void gateway_ends(struct projections *p);

#define COUNTING(stream)                                                                                               \
    "{\"streams\":[\"" stream "\"],\"key\":\"subject\",\"on\":{\"Counted\":[{\"count\":\"/events\"},"                       \
    "{\"increment\":{\"/sum\":{\"from\":\"/data/n\"}}}]}}"

#endif
