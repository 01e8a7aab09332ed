#ifndef WEIR_ENGINE_RETENTION_H
#define WEIR_ENGINE_RETENTION_H

#include "db/db.h"
#include "gateway/base/config.h"

/* Removes what is over, in small transactions, and keeps tables ready for what comes. Runs on a ticker of its own; any number
 * of gateways may do it at once. */
struct retention {
    const struct config *config;
    struct db *db;
    int64_t next_room_us; /* monotonic */
};

enum err retention_prepare(struct db *db, struct fault *f); /* before the first publish: tables for now */
enum err retention_tick(void *retention, bool *ret_more);   /* a ticker's */

#endif
