#ifndef WEIR_TESTS_UNIT_SAGA_BODY_FIXTURE_H
#define WEIR_TESTS_UNIT_SAGA_BODY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/engine/saga_body.h"

/* A definition and what was said of it. One at a time. */
struct saga_body_fixture {
    struct arena *arena;
    struct saga_definition def;
    struct fault fault;
};
extern struct saga_body_fixture saga;

enum err try_saga(const char *body);             /* saga.def, or saga.fault; in a new arena */
int saga_body_teardown(void **state);

/* A template over `input`, `{"id":"r 1","n":[7,{"a":null}]}` as the result of step 0, the event {"data":…} and a secret `key`. */
enum err try_template(const char *json, enum saga_form form, unsigned roots);
extern struct saga_scope saga_values;
/* What comes of it: a text in saga.arena; else saga.fault and *ret_result. */
const char *filled_in(const char *json, enum saga_form form, enum saga_rendering *ret_result);

#endif
