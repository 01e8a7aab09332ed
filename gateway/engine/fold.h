#ifndef WEIR_ENGINE_FOLD_H
#define WEIR_ENGINE_FOLD_H

#include "gateway/base/json_tree.h"
#include "gateway/engine/event.h"

/* What a projection's definition (projection_body.h) makes of events: one state, a JSON object, for each key. Pure: no I/O, no clock,
 * and the same events give the same bytes however they are cut into pages.
 *
 *   for each event of a page:    fold_read: is it folded, and into which key?
 *   for each key of the page:    fold_open with the text that is stored, or without
 *   for each event, in order:    fold_apply to the state of its key
 *   for each state that changed: fold_text is what is to be stored, fold_lookup what it is found by
 *
 * A value is a literal, in which each object with a member `from` stands for what that pointer leads to in the event; `default` beside it
 * is for events where it leads to nothing. Values come in without the white space between their tokens, else as they are spelled.
 *
 * - `set`, `merge`, `increment`, `count`, `min`, `max`, `append` make the objects that lead to their path. Null in the state is as if
 *   nothing were there; any other scalar on the way, or a number, string, array where another one is needed, refuses the event.
 * - An item of an array is reached by its index; `-`, or the index behind the last item, adds one. `remove` of nothing does nothing.
 * - The path "" is the whole state: for `set` and `merge`, with an object.
 * - `merge` is RFC 7396. `min` and `max` compare numbers with numbers, and strings with strings by code points; of equal values the
 *   shorter spelling stays. Sums are decimal_sum.h.
 * - An `if` holds when each of its pointers leads to an equal value of the event (numbers by value). An event none of whose operations'
 *   conditions hold is passed over: its key needs no state and gets none.
 * - After a `delete` the event's other operations are passed over; the key's next event begins with `initial` again.
 *
 * An event costs its own length and, per operation, at most the length of the state. */
#define FOLD_KEY_MAX 1024        /* bytes of a key */
#define FOLD_ENTRIES_MAX 128     /* of `on` */
#define FOLD_OPERATIONS_MAX 512  /* of a definition, and paths of all its operations together */
#define FOLD_POINTER_TOKENS 32   /* of a pointer into a state or an event */
#define FOLD_CAP_MAX 100000      /* of `append` */
#define FOLD_INDEXES_MAX 16

struct fold;                     /* a compiled definition: immutable, any thread, in the arena that it was compiled in */

/* Compiles key, initial, on and indexes of a definition whose members have the right types; the tree and its text have to live as long.
 * ERR_BAD_DEFINITION with the pointer to what is impossible, ERR_NO_MEMORY. */
enum err fold_compile(struct arena *a, struct json_node *definition, struct fold **ret, struct fault *f);

bool fold_wants(const struct fold *fold, struct slice type);             /* is there an operation for events of this type? */
const struct slice *fold_types(const struct fold *fold, size_t *ret_n);  /* the patterns, for glob_like */
struct slice fold_initial(const struct fold *fold);                      /* as compact JSON */
/* Do the events of a key give the same state in any order? All of its operations then count, sum up, take the least or the greatest, or set
 * one literal; one kind for each path. */
bool fold_commutes(const struct fold *fold);

enum fold_result {
    FOLD_DONE,
    FOLD_PASSED,                 /* the event is none of the projection's */
    FOLD_REFUSED,                /* it cannot be folded: the fault has a sentence, and the pointer to what refused it in the definition */
    FOLD_NO_MEMORY,
};

/* An event with what the definition reads of it. Good as long as the event, its texts, the stream's name and the arena. */
struct fold_event {
    struct slice key;            /* 1 to FOLD_KEY_MAX bytes of UTF-8 without U+0000 */
    /* private */
    const struct event *event;
    struct slice stream;
    const struct slice *data;    /* what the pointers into its data lead to */
    const struct fold_operation **operation; /* those that apply, in order */
    size_t operation_n;
};
/* FOLD_PASSED: nothing applies, so there is no key. FOLD_REFUSED: it has no key: nothing there, null, an object or an array, empty, too
 * long, or with U+0000. Numbers, true and false are keys by their text. f may be NULL. */
enum fold_result fold_read(const struct fold *fold, struct slice stream, const struct event *event, struct arena *a,
                           struct fold_event *ret, struct fault *f);

/* One key's state in memory, for the thread that has the arena. */
struct fold_state {
    bool exists;                 /* else there is none yet, or it was deleted */
    bool changed;                /* since it was opened; also when its text is the same, for the version is another one */
    int64_t version;             /* events folded into it since it was made; 0: none */
    /* private */
    const struct fold *fold;
    struct fold_tree *tree;
};
/* text: what fold_text gave, which has to live as long as the arena; p == NULL: none. NULL: out of memory. max_bytes: of the state. */
struct fold_state *fold_open(const struct fold *fold, struct arena *a, struct slice text, int64_t version, size_t max_bytes);
/* All of the event's operations or none: the state is as it was before if it is not FOLD_DONE. Never FOLD_PASSED. */
enum fold_result fold_apply(struct fold_state *s, const struct fold_event *event, struct fault *f);
/* The state as compact JSON, in the arena or as it was opened. false: out of memory. Not for a state that does not exist. */
bool fold_text(struct fold_state *s, struct slice *ret);

/* --- finding states by their contents --- */

/* For each index whose pointer leads to a string, a number, true, false or null in the state: a hash of pointer and value, the same for
 * equal values, here and in every release. ret has room for FOLD_INDEXES_MAX. false: out of memory. */
bool fold_lookup(const struct fold *fold, struct arena *a, struct slice text, int64_t *ret, size_t *ret_n);

/* A condition on a state as requests write it: <JSON Pointer>=<value>. The value stands for the string of its characters; if it is JSON, for
 * that too (5 finds 5, 5.0 and "5"; "5" only the string; true finds true and "true"). The pointer ends at the first `=`, but for an index
 * whose pointer has one itself. */
struct fold_where {
    struct slice pointer, json;  /* json.p == NULL: the value is none */
    struct slice string;         /* p == NULL: not meant */
    bool indexed;                /* states that match have one of `hash` among their fold_lookup */
    int64_t hash[2];
    size_t hash_n;
};
/* ERR_BAD_PARAMETER: no pointer, or no `=`; ERR_NO_MEMORY. */
enum err fold_where_parse(const struct fold *fold, struct arena *a, struct slice text, struct fold_where *ret, struct fault *f);
bool fold_where_match(const struct fold_where *w, struct arena *a, struct slice text, bool *ret_failed); /* failed: out of memory */

#endif
