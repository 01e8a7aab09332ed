#include <stdlib.h>
#include <strings.h>

#include "gateway/base/json.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/dlq_schema.h"
#include "handlers/audit.h"
#include "handlers/dlq.h"
#include "handlers/handlers.h"

/* What is changed of one letter: redrive, discard, repair. Each is a transaction with its audit record. */

#define AUDITED_PATCH_BYTES ((size_t)256 << 10) /* a larger patch, or one nested deeper, is not in its audit record */
#define AUDITED_PATCH_DEPTH 32

static const char *path_of(struct request *rq, struct slice stream, const uint8_t id[16])
{
    char text[UUID_TEXT];

    uuid_format(id, text);
    return arena_printf(rq->arena, "/v1/streams/%.*s/dlq/%s", (int)stream.n, stream.p, text);
}

static enum err reply_letter(struct reply *rp, struct slice stream, const struct letter_row *l)
{
    struct buf b = { 0 };

    dlq_render(&b, stream, l);
    return reply_json(rp, 200, &b);
}

/* --- redrive, discard --- */

typedef enum err move_fn(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*id)[16], struct slice note,
                         struct letter_moves *ret, struct fault *f);

static enum err redrive(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*id)[16], struct slice note,
                        struct letter_moves *ret, struct fault *f)
{
    return dlq_redrive(db, a, stream_id, id, 1, note, false, ret, f);
}

static enum err discard(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*id)[16], struct slice note,
                        struct letter_moves *ret, struct fault *f)
{
    return dlq_discard(db, a, stream_id, id, 1, note, ret, f);
}

struct moving {
    move_fn *move;
    const char *done;            /* "redriven" */
    const char *type;            /* of the audit record */
    uint8_t id[16];
    struct slice reason;
    struct stream_row stream;
    struct letter_row letter;    /* as it is then */
};

static enum err refused(struct request *rq, const struct moving *m, enum letter_fate fate)
{
    const struct letter_row *l = &m->letter;

    if (fate == FATE_NO_GROUP)
        return fault(&rq->fault, ERR_CONFLICT, "The group %.*s was deleted: make it again, or discard the letter.", (int)l->group.n,
                     l->group.p);
    if (l->state == LETTER_PARKED)
        return fault(&rq->fault, ERR_CONFLICT, "The letter was changed at the same time: look at it again.");
    return fault(&rq->fault, ERR_CONFLICT, "The letter is %s: only a parked one can be %s.", letter_state_word(l->state), m->done);
}

static enum err move_once(struct request *rq, struct moving *m, struct letter_moves *moves)
{
    const uint8_t(*id)[16] = (const uint8_t(*)[16])m->id;
    enum err e;

    if ((e = audit_begin(rq->db, &rq->fault)) ||
        (e = m->move(rq->db, rq->arena, m->stream.stream_id, id, m->reason, moves, &rq->fault)) ||
        (e = dlq_get(rq->db, rq->arena, m->stream.stream_id, m->id, false, &m->letter, &rq->fault)))
        return e;
    return moves->moved ? OK : refused(rq, m, moves->fates[0]);
}

/* A lane that was faster, or that locked in another order, lets it begin anew. */
static enum err move(struct request *rq, struct moving *m, struct letter_moves *moves)
{
    enum err e = ERR_DB_UNIQUE;

    for (int i = 0; i < DLQ_TRIES && (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY); i++) {
        rq->fault = (struct fault){ 0 };
        e = move_once(rq, m, moves);
    }
    if (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY)
        e = fault(&rq->fault, ERR_CONFLICT, "The group changes all the time: try again.");
    return e;
}

static void put_move(struct buf *b, const struct moving *m)
{
    BUF_LIT(b, "{\"before\":{\"state\":\"parked\"},\"after\":{\"state\":");
    buf_json_string(b, slice_of(m->done));
    buf_printf(b, ",\"redrives\":%lld},\"group\":", (long long)m->letter.redrives);
    buf_json_string(b, m->letter.group);
    if (m->reason.p) {
        BUF_LIT(b, ",\"reason\":");
        buf_json_string(b, m->reason);
    }
    buf_char(b, '}');
}

static enum err move_letter(struct request *rq, struct reply *rp, struct moving *m)
{
    static const struct field fields[] = {
        { "reason", F_STRING, offsetof(struct moving, reason), false, 0, DLQ_NOTE_MAX, NULL, SIZE_MAX, false, SIZE_MAX },
        { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
    };
    struct buf changes = { 0 };
    struct letter_moves moves = { 0 };
    enum err e;

    if ((rq->body.n && (e = request_body(rq, fields, m))) ||
        (e = streams_get(rq->db, rq->arena, request_path(rq, "stream"), &m->stream, &rq->fault)) || (e = letter_path_id(rq, m->id)))
        return e;
    if (!(e = move(rq, m, &moves)))
        put_move(&changes, m);
    if ((e = audited(rq, e, m->type, slice_of(path_of(rq, m->stream.name, m->id)), &changes)))
        return e;
    for (size_t i = 0; i < moves.group_n; i++)
        groups_poke(rq->app->groups, m->stream.stream_id, moves.groups[i]);
    return reply_letter(rp, m->stream.name, &m->letter);
}

enum err handle_redrive_letter(struct request *rq, struct reply *rp)
{
    struct moving m = { .move = redrive, .done = letter_state_word(LETTER_REDRIVEN), .type = "DeadLetterRedriven" };

    return move_letter(rq, rp, &m);
}

enum err handle_discard_letter(struct request *rq, struct reply *rp)
{
    struct moving m = { .move = discard, .done = letter_state_word(LETTER_DISCARDED), .type = "DeadLetterDiscarded" };

    return move_letter(rq, rp, &m);
}

/* --- repair --- */

static const struct {
    const char *type;
    enum letter_patch kind;
} patches[] = {
    { "application/merge-patch+json", PATCH_MERGE },
    { "application/json-patch+json", PATCH_JSON },
};

static enum err read_patch(struct request *rq, enum letter_patch *ret_kind, const char **ret_type)
{
    struct slice type = request_header(rq, "Content-Type");
    size_t n = 0;

    while (n < type.n && type.p[n] != ';' && type.p[n] != ' ')
        n++;
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++)
        if (strlen(patches[i].type) == n && !strncasecmp(type.p, patches[i].type, n)) {
            *ret_kind = patches[i].kind;
            *ret_type = patches[i].type;
            return OK;
        }
    return fault(&rq->fault, ERR_UNSUPPORTED_MEDIA_TYPE, "Send a patch of type application/merge-patch+json or "
                                                         "application/json-patch+json.");
}

/* Readers of the audit log get it as it was sent, or not at all. */
static bool fits_record(struct slice patch)
{
    struct slice raw;
    struct json j;

    json_begin(&j, patch, AUDITED_PATCH_DEPTH);
    return patch.n <= AUDITED_PATCH_BYTES && json_value(&j, &raw) && json_end(&j);
}

static void put_repair(struct buf *b, const char *type, struct slice patch, size_t before, size_t after)
{
    buf_printf(b, "{\"before\":{\"data_bytes\":%zu},\"after\":{\"data_bytes\":%zu},\"patch_type\":\"%s\"", before, after, type);
    if (fits_record(patch)) {
        BUF_LIT(b, ",\"patch\":");
        buf_slice(b, patch);
    }
    buf_char(b, '}');
}

enum err handle_repair_letter(struct request *rq, struct reply *rp)
{
    const struct edit_limits limits = { (unsigned)rq->config->json_depth, (size_t)rq->config->event_bytes };
    struct letter_row before, after;
    struct stream_row stream;
    struct buf changes = { 0 };
    enum letter_patch kind = PATCH_MERGE;
    bool changed = false, dry_run = false;
    const char *type = "";
    uint8_t id[16];
    enum err e;

    if ((e = read_patch(rq, &kind, &type)) || (e = request_query_bool(rq, "dry_run", &dry_run)) ||
        (e = streams_get(rq->db, rq->arena, request_path(rq, "stream"), &stream, &rq->fault)) || (e = letter_path_id(rq, id)) ||
        (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = dlq_repair(rq->db, rq->arena, stream.stream_id, id, kind, rq->body, &limits, &before, &after, &rq->fault);
    if (!e && (changed = !slice_eq(before.data, after.data)))
        e = dlq_conforms(rq->app->schema_cache, rq->db, rq->arena, &stream, &after, &rq->fault);
    if (dry_run) {
        audit_undo(rq->db);
        return e ? e : reply_letter(rp, stream.name, &after);
    }
    if (!e && changed)
        put_repair(&changes, type, rq->body, before.data.n, after.data.n);
    if ((e = audited(rq, e, changed ? "DeadLetterRepaired" : NULL, slice_of(path_of(rq, stream.name, id)), &changes)))
        return e;
    return reply_letter(rp, stream.name, &after);
}
