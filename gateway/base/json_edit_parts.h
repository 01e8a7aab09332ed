#ifndef WEIR_BASE_JSON_EDIT_PARTS_H
#define WEIR_BASE_JSON_EDIT_PARTS_H

#include "gateway/base/json_edit.h"
#include "gateway/base/json_splice.h"

/* What json_edit.c and json_patch.c share: how they fail. */
enum edit_result edit_fault(struct fault *f, enum edit_result r, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Is this a JSON text? Else r, with what was read and where it went wrong. */
enum edit_result edit_check(struct slice text, unsigned depth, enum edit_result r, const char *what, struct fault *f);
enum edit_result edit_no_memory(struct fault *f);

#endif
