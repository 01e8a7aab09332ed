#ifndef WEIR_TESTS_UNIT_SAGA_FIXTURE_H
#define WEIR_TESTS_UNIT_SAGA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/engine/saga_machine.h"

enum { WORLD_RECORDS = 3 * SAGA_STEPS_MAX };

/* One instance of a saga with what PostgreSQL would hold of it: after each input the run is made anew from what is stored. */
struct saga_world {
    struct saga_definition def;
    struct saga_step step[SAGA_STEPS_MAX];
    struct arena *arena;
    struct saga_run *run;
    int64_t now;
    bool wait[SAGA_KINDS][SAGA_STEPS_MAX];     /* rows of weir.saga_waits */
    int waits_begun[SAGA_KINDS][SAGA_STEPS_MAX];
    struct saga_task stored[SAGA_KINDS][SAGA_STEPS_MAX];
    struct saga_record last[WORLD_RECORDS];     /* of the newest input */
    size_t last_n;
    struct fault fault;
};

#define SECOND INT64_C(1000000)

/* Steps of HTTP without compensations, one after the other: 3 attempts, 1 s backoff without jitter, no timeouts. */
void saga_world_begin(struct saga_world *w, size_t steps);
void saga_world_end(struct saga_world *w);
void saga_world_deed(struct saga_world *w, int step, enum saga_kind kind, enum saga_deed_kind deed, bool awaits);
/* before and behind from after; false: a circle. */
bool saga_world_order(struct saga_world *w);
void saga_world_start(struct saga_world *w); /* orders, makes the run and starts it */

enum saga_applied saga_world_give(struct saga_world *w, const struct saga_input *in);
/* Of attempts: owner is 7 for the first one, and any other one for a later. */
enum saga_applied saga_world_admit(struct saga_world *w, int step, enum saga_kind kind);
/* What becomes of the attempt that runs. */
enum saga_applied saga_world_attempt(struct saga_world *w, int step, enum saga_kind kind, enum saga_input_kind what);
/* Both, and it has to be possible. */
void saga_world_try(struct saga_world *w, int step, enum saga_kind kind, enum saga_input_kind what);
enum saga_applied saga_world_event(struct saga_world *w, int step, enum saga_kind kind, bool failure);
enum saga_applied saga_world_hand(struct saga_world *w, enum saga_input_kind what, int step);
enum saga_applied saga_world_time(struct saga_world *w, int64_t later_us);

struct saga_task *saga_world_task(struct saga_world *w, int step, enum saga_kind kind);
bool saga_world_told(const struct saga_world *w, const char *type); /* by the newest input */
bool saga_world_says(const struct saga_world *w, const char *type, const char *part); /* that record has this in its data */
bool text_has(struct slice text, const char *part);

#endif
