#ifndef WEIR_TESTS_FOLD_FIXTURE_H
#define WEIR_TESTS_FOLD_FIXTURE_H

#include "gateway/engine/projection_body.h"
#include "tests/unit/event_fixture.h"

/* What the last call left; good until the next define(). */
struct folding {
    struct arena *arena;
    struct projection_definition def;
    struct fold_state *state;
    struct fold_event event;
    struct fault fault;
    size_t max_bytes;            /* of a state; 0: 1 MiB */
};
extern struct folding folding;

int folding_free(void **state);
enum err try_define(const char *definition);
void define(const char *on);                         /* the key is the subject; ends the test if it is refused */
void define_with(const char *members);               /* without braces, `streams` is added */
void begin_with(const char *text);                   /* the state; NULL: none */
enum fold_result fold_one(const char *event);        /* a CloudEvent, or `"type"` or `"type",data`, of subject "s" */
const char *state_text(void);                        /* "-": there is none */
/* The operations on one event with these data (NULL: none) make `before` (NULL: none) into `after`. */
void assert_folds(const char *operations, const char *data, const char *before, const char *after);
/* They refuse the event with these words, and leave the state as it was. */
void assert_refuses(const char *operations, const char *data, const char *before, const char *words);

#endif
