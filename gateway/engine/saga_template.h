#ifndef WEIR_ENGINE_SAGA_TEMPLATE_H
#define WEIR_ENGINE_SAGA_TEMPLATE_H

#include "gateway/base/json_tree.h"

/* Values of a saga's definition with places in them that are filled in when a step is tried. Pure: no I/O, no clock.
 *
 *   {{input.order.id}}              of the input; arrays by index: {{input.items.0.sku}}
 *   {{steps.reserve.result.id}}     of the result of a step that is before this one (of a compensation: also its own action's)
 *   {{saga.id}} {{saga.name}}       the instance's id, the saga's name
 *   {{secret.stripe_key}}           in url, headers and body of an HTTP call alone; never stored
 *   {{event.data.order_id}}         in start_on alone
 *   {{input/a.b/c}}                 the rest as a JSON Pointer, for names that are not letters, digits, `_` and `-`
 *   \{{                             these two braces themselves
 *
 * A string that is one place alone stands for the JSON value; in a longer string, in a header and in a URL strings, numbers, true and
 * false are put as text. What is missing, and null, an object or an array in a text, refuses. Names of members are no templates. */
#define SAGA_PLACES_MAX 256      /* of a template: each takes a walk over what it is of */
#define SAGA_TOKENS_MAX 32       /* of a path */
#define SAGA_NAME_MAX 64         /* bytes of a name of a step or a secret: [A-Za-z0-9][A-Za-z0-9_-]*; a secret's may have dots */
#define SAGA_RENDERED_MAX (1 << 20) /* bytes that one template makes: a large input may stand in many places */
#define SAGA_MASK "***"          /* instead of a secret, in what is shown */

enum saga_root { SAGA_OF_INPUT, SAGA_OF_STEP, SAGA_OF_SAGA, SAGA_OF_SECRET, SAGA_OF_EVENT, SAGA_ROOTS };

enum saga_form {
    SAGA_JSON,                   /* any JSON value, compact */
    SAGA_TEXT,                   /* a string's characters */
    SAGA_HEADER,                 /* the same; control characters but the tab refuse */
    SAGA_URL,                    /* values are percent-encoded, all but RFC 3986's unreserved; a segment `.` or `..` refuses */
};

/* Compiled: immutable, any thread, in the arena that it was compiled in. */
struct saga_template;

/* What a place may be of. */
struct saga_names {
    unsigned roots;              /* bits 1 << enum saga_root */
    const struct slice *step;    /* names by number; */
    size_t step_n;
    uint64_t reachable;          /* those whose results there are */
};

/* n: a string for all forms but SAGA_JSON; the tree and its text have to live as long. ERR_BAD_DEFINITION with the pointer and a sentence,
 * ERR_NO_MEMORY. */
enum err saga_template_compile(struct arena *a, const struct json_node *n, enum saga_form form, const struct saga_names *names,
                               struct saga_template **ret, struct fault *f);

/* What places are filled in with. All texts are valid JSON but for names. */
struct saga_scope {
    struct slice name, id;       /* of saga and instance */
    struct slice input;          /* p == NULL: none */
    const struct slice *result;  /* by step; p == NULL: it has none */
    uint64_t null_results;       /* steps whose result, and all in it, is null where it has none, or null: an action of unknown outcome, in its
                                    compensation */
    struct slice event;          /* as event_render gives it */
    bool missing_is_null;        /* start_on: there is no step that could fail */
    /* A secret's characters for calls of this target (as outbound_target writes it); false: there is none, or not for this target.
     * Called on the thread that renders. NULL: SAGA_MASK is put instead, for what is stored and shown. */
    bool (*secret)(void *arg, struct slice target, struct slice name, struct slice *ret);
    void *secret_arg;
    struct slice target;
};

enum saga_rendering {
    SAGA_RENDERED,
    SAGA_REFUSED,                /* a business failure `template`: the fault says what is missing, and where in the definition */
    SAGA_NO_SECRET,              /* not configured for this target: nothing was sent, the same may succeed later */
    SAGA_NO_MEMORY,
};

/* *ret is in the arena. The fault (may be NULL) never holds a value. */
enum saga_rendering saga_render(const struct saga_template *t, const struct saga_scope *scope, struct arena *a, struct slice *ret,
                                struct fault *f);

#endif
