#ifndef WEIR_BASE_JSON_EDIT_H
#define WEIR_BASE_JSON_EDIT_H

#include "gateway/base/arena.h"
#include "gateway/base/err.h"

/* Edits of a JSON value in its text: every byte that the patch does not touch stays as it was (white space, order of members,
 * spelling of numbers, escapes). What the patch brings keeps the bytes in which it was sent.
 *
 * - An added member goes behind the last one of its object as ,"k":v and an added item before the one it pushes back; what is removed takes
 *   one comma and the white space beside it along.
 * - Where an object has members of one name, the last one counts: it is what a pointer leads to and what is replaced, the others stay
 *   as they are. Removing a name removes all of them. In a patch the last one counts too; an operation of a JSON Patch that has
 *   `op`, `path`, `from` or `value` twice is malformed.
 * - An array index is `0` or digits that do not begin with 0; `-` is the place behind the last item. The whole value can be replaced, not removed.
 *
 * Time: a merge patch reads each byte at most depth times; each operation of a JSON Patch reads the value once or twice.
 * Memory besides the result: some 16 times the patch, and twice the value. Pure; any thread. */
#define EDIT_OPERATIONS_MAX 256

enum edit_result {
    EDIT_OK,
    EDIT_BAD_VALUE,      /* what is to be edited is not JSON, or nested too deep */
    EDIT_BAD_PATCH,      /* malformed, or too many operations; fault.pointer says where in the patch */
    EDIT_NO_TARGET,      /* a pointer leads to nothing in the value; fault.pointer names the pointer in the patch: "/2/path" */
    EDIT_TEST_FAILED,    /* fault.pointer names the operation: "/2" */
    EDIT_TOO_LARGE,      /* the result, or one on the way to it, would be too large or nested too deep */
    EDIT_NO_MEMORY,
};

struct edit_limits {
    unsigned depth;      /* of nesting, of the value before and after; JSON_DEPTH at most */
    size_t bytes;        /* of the result */
};

/* RFC 7396. *ret is in the arena, or `value` itself when nothing was changed; untouched on failure, when f (may be NULL) has a
 * sentence for the caller and the pointer. White space around the value stays. */
enum edit_result json_merge_patch(struct arena *a, struct slice value, struct slice patch, const struct edit_limits *l,
                                  struct slice *ret, struct fault *f);

/* RFC 6902 with RFC 6901: all operations or none. The patch is checked as a whole before the first one is done. */
enum edit_result json_patch(struct arena *a, struct slice value, struct slice patch, const struct edit_limits *l,
                            struct slice *ret, struct fault *f);

/* Have two valid JSON texts the same value (RFC 6902, 4.6)? Numbers by value, decimals exactly and of any size (an exponent of more than
 * 18 digits equals only one that is spelled alike); strings without their escapes; objects without order, the last member of a name
 * counts. The arena is for work; false with *ret_failed when it is exhausted. */
bool json_values_equal(struct arena *a, struct slice x, struct slice y, bool *ret_failed);

#endif
