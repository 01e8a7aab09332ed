#include "db/db.h"
#include "db/figures.h"
#include "db/deliveries.h"
#include "db/groups.h"
#include "db/jobs.h"
#include "db/letters.h"
#include "db/outbox.h"
#include "db/publish.h"
#include "db/read.h"
#include "db/retention.h"
#include "db/revocations.h"
#include "db/streams.h"
#include "db/tickets.h"

const struct stmt DB_BEGIN = { "begin", "BEGIN", "", "" };
const struct stmt DB_SNAPSHOT = { "snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "", "" };
const struct stmt DB_COMMIT = { "commit", "COMMIT", "", "" };
const struct stmt DB_ROLLBACK = { "rollback", "ROLLBACK", "", "" };

/* Every statement of the program: each is prepared and compared with the server when a connection opens. */
const struct stmt *const db_statements[] = {
    &DB_BEGIN, &DB_SNAPSHOT, &DB_COMMIT, &DB_ROLLBACK,
    /* streams */
    &STREAM_CREATE, &STREAM_GET, &STREAM_LOCK, &STREAM_LIST, &STREAM_MATCH, &STREAM_IDS, &STREAM_MARK, &STREAM_UPDATE,
    &STREAM_DELETE, &STREAM_HEADS, &STREAM_FIGURES, &NOTIFY,
    /* publish */
    &HEADS_LOCK, &HEADS_ADVANCE, &HEADS_SET, &HEADS_NOTIFY, &EVENTS_APPEND, &LOG_APPEND, &LOG_APPEND_MANY, &EVENTS_INSERT,
    &DEDUP_LOOK, &DEDUP_EXPIRE, &DEDUP_INSERT, &IDEMPOTENCY_LOOK, &IDEMPOTENCY_EXPIRE, &IDEMPOTENCY_INSERT, &SUBJECTS_LOOK,
    &SUBJECTS_INSERT, &SUBJECTS_UPDATE, &MONTHS_INSERT, &OUTCOME_LOOK, &BACKEND_END,
    /* read */
    &PAGE, &PAGE_FILTERED, &READ_BOUNDS, &RECORDED_AT,
    /* groups */
    &GROUP_CREATE, &GROUP_GET, &GROUP_LOCK, &GROUP_LIST, &GROUP_COUNT, &GROUP_UPDATE, &GROUP_DELETE, &GROUP_CLEAR, &GROUP_PARK,
    &GROUP_CLAIM, &GROUP_SEEK, &GROUP_DEAD, &GROUP_OLDEST,
    /* deliveries of groups */
    &GROUPS_OVERDUE, &GROUP_HOLD, &GROUP_STATE, &GROUP_WRITTEN, &GROUP_RETRIES, &GROUP_LEASES, &GROUP_SKIPS,
    &GROUP_TURN, &LEASES_UPDATE, &RETRIES_PUT, &RETRIES_DELETE, &SKIPS_PUT, &SKIPS_DELETE, &GROUP_PAGE, &GROUP_PAGE_SMALL,
    &EVENTS_AT, &KEYS_AT, &LETTERS_AT, &EARLIEST_OF, &LETTERS_KNOWN, &LETTERS_BURY, &LETTERS_PARK, &LETTERS_RESOLVE,
    /* jobs */
    &JOB_ADD, &JOB_FIND, &JOB_LOCK, &JOB_LIST, &JOB_TAKE, &JOB_MOVE, &JOBS_FORGET, &LETTERS_FIT, &AUTO_GROUPS, &AUTO_MATCH,
    /* identity */
    &REVOCATION_ADD, &REVOCATION_REMOVE, &REVOCATION_GET, &REVOCATIONS_LIST, &REVOCATIONS_VERSION, &REVOCATIONS_ALL,
    &REVOCATIONS_FORGET, &TICKET_ADD, &TICKET_FIND, &TICKETS_FORGET,
    /* dead letters */
    &LETTERS_LIST, &LETTER_GET, &LETTER_LOCK, &LETTERS_SUMMARY, &LETTERS_MATCH, &LETTERS_COUNT, &LETTERS_GROUPS, &LETTERS_LOCK,
    &LETTERS_REDRIVE, &LETTERS_DISCARD, &LETTER_REPAIR,
    /* outbox */
    &OUTBOX_INSERT, &OUTBOX_LETTERS, &OUTBOX_FLOOR, &OUTBOX_PENDING, &OUTBOX_ORIGIN, &OUTBOX_REMOVE, &OUTBOX_SET_ASIDE,
    &AUDIT_REMOVE, &AUDIT_SET_ASIDE,
    /* figures */
    &FIGURES_GROUPS, &FIGURES_LETTERS,
    /* retention */
    &MAKE_ROOM, &DROP_OVER, &RETENTION_DUE, &RETENTION_REMOVE, &ANSWERS_REMOVE, &LETTERS_REMOVE_CLOSED, &LETTERS_REMOVE_PARKED,
    &DELETED_STREAMS, &DELETED_REMOVE, &DELETED_LETTERS, &DELETED_FORGET, &CLOCK_LOOK,
};
const size_t db_statement_count = sizeof db_statements / sizeof *db_statements;
