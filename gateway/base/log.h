#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdint.h>

#include "gateway/base/slice.h"

/* JSON lines on standard error, one write() a line, from any thread. Nothing below LOG level is formatted.
 * Never pass tokens, request bodies, connection strings or SQL parameters. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

/* A field: a key and one value. Use the constructors. */
struct log_field {
    const char *key;
    enum { LOGV_STR, LOGV_SLICE, LOGV_INT, LOGV_REAL, LOGV_BOOL } kind;
    union {
        const char *str;
        struct slice slice;
        int64_t i;
        double real;
        bool b;
    } v;
};

#define L_STR(k, x) ((struct log_field){ (k), LOGV_STR, { .str = (x) } })     /* NULL prints null */
#define L_SLICE(k, x) ((struct log_field){ (k), LOGV_SLICE, { .slice = (x) } })
#define L_INT(k, x) ((struct log_field){ (k), LOGV_INT, { .i = (int64_t)(x) } })
#define L_REAL(k, x) ((struct log_field){ (k), LOGV_REAL, { .real = (x) } })
#define L_BOOL(k, x) ((struct log_field){ (k), LOGV_BOOL, { .b = (x) } })

void log_setup(enum log_level level, bool human); /* human: plain lines for `weir dev` on a terminal */
bool log_on(enum log_level level);
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n);

/* log_info("commit lane reconnected", L_INT("lane", 0)); at least one field, or use log_line. */
#define LOG_(level, msg, ...)                                                                                          \
    do {                                                                                                               \
        if (log_on(level)) {                                                                                           \
            const struct log_field lf_[] = { __VA_ARGS__ };                                                            \
            log_write(level, msg, lf_, sizeof lf_ / sizeof *lf_);                                                      \
        }                                                                                                              \
    } while (0)
#define log_debug(msg, ...) LOG_(LOG_DEBUG, msg, __VA_ARGS__)
#define log_info(msg, ...) LOG_(LOG_INFO, msg, __VA_ARGS__)
#define log_warn(msg, ...) LOG_(LOG_WARN, msg, __VA_ARGS__)
#define log_error(msg, ...) LOG_(LOG_ERROR, msg, __VA_ARGS__)
#define log_line(level, msg) log_write(level, msg, NULL, 0)

#endif
