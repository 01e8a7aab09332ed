#ifndef WEIR_DB_TICKETS_H
#define WEIR_DB_TICKETS_H

#include "db/db.h"

/* A row of weir.tickets. */
struct ticket_row {
    struct slice hash;   /* 32 bytes */
    struct slice url;
    struct slice owner;  /* 32 bytes */
    struct slice claims; /* JSON */
    int64_t created_us, expires_us;
};

extern const struct stmt TICKET_ADD, TICKET_FIND, TICKETS_FORGET;

/* false in *ret_added: the owner has max of them that are not over (callers at the same moment may pass it by their number). */
enum err db_ticket_add(struct db *db, const struct ticket_row *t, int64_t max, bool *ret_added, struct fault *f);
/* Claims (in the arena) and end of the one with this hash. ERR_NOT_FOUND: there is none, or it is over. */
enum err db_ticket_find(struct db *db, struct arena *a, struct slice hash, int64_t now_us, struct ticket_row *ret, struct fault *f);
/* Removes at most batch of those that are over. */
enum err db_tickets_forget(struct db *db, int64_t now_us, int64_t batch, int64_t *ret_forgotten, struct fault *f);

#endif
