#include "db/conn.h"

#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

/* With more than this handed to libpq the next statement waits until all has left: libpq moves its whole buffer at every
 * partial write, and a COMMIT that was not handed over yet is certainly not done. */
#define HOLD_BYTES 65536

/* One round trip. */
struct flight {
    struct db *db;
    struct fault *f;
    struct rows *ret;
    int64_t deadline;
    size_t sent, done;   /* statements that the server may carry out; answers that have come */
    size_t pending;      /* bytes handed to libpq that may not have left */
    bool synced;         /* the end of the pipeline was handed over too: it commits what stands outside BEGIN */
    bool open;           /* a transaction was open before */
    enum err err;        /* the first failure that the server reported */
    bool drop;
    void (*meanwhile)(void *arg);
    void *arg;
};

void db_queue(struct db *db, const struct stmt *s, const struct arg *args)
{
    if (db->queued < DB_QUEUE_MAX)
        db->queue[db->queued] = (struct queued){ s, args };
    db->queued++;
}

void db_abandon(struct db *db)
{
    db->queued = 0;
    db_disconnect(db);
}

static bool send_one(struct flight *fl, const struct queued *q)
{
    static const int binary[STMT_ARGS_MAX] = {
#define EIGHT 1, 1, 1, 1, 1, 1, 1, 1
        EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT
#undef EIGHT
    };
    const char *values[STMT_ARGS_MAX];
    int lengths[STMT_ARGS_MAX], n = stmt_arg_count(q->s);

    for (int i = 0; i < n; i++) {
        const struct arg *a = &q->args[i];

        values[i] = a->p ? a->p : a->n ? a->inline_ : NULL;
        lengths[i] = a->n;
        fl->pending += (size_t)a->n;
    }
    return PQsendQueryPrepared(fl->db->conn, q->s->name, n, values, lengths, binary, 1);
}

static enum pg_wait let_go(struct flight *fl)
{
    enum pg_wait w = fl->pending > HOLD_BYTES ? pg_drain(fl->db->conn, fl->deadline) : PG_READY;

    fl->pending = w ? fl->pending : 0;
    return w;
}

static enum pg_wait send_all(struct flight *fl)
{
    const struct db *db = fl->db;
    enum pg_wait w;

    for (; fl->sent < db->queued; fl->sent++) {
        const struct queued *q = &db->queue[fl->sent];

        if ((w = let_go(fl)))
            return w;
        if (!send_one(fl, q))
            return PG_LOST;
    }
    if ((w = let_go(fl)))
        return w;
    fl->synced = PQpipelineSync(db->conn);
    return fl->synced ? PG_READY : PG_LOST;
}

/* The server reported a failure. What follows it is not carried out, which settles what became of it. */
static enum pg_wait failed(struct flight *fl, const struct stmt *s, const PGresult *res)
{
    bool fatal;

    if (fl->err)
        return PG_READY;
    if (!pg_error_is(res, "") || pg_error_is(res, "08")) /* libpq's or a pooler's word: they know nothing */
        return PG_LOST;
    fatal = *PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED) != 'E';
    if (!s && fatal) /* every statement was answered before the session died: that says what became of them */
        return PG_LOST;
    fl->err = pg_error(res, s ? s->name : "end of pipeline", &fl->drop, fl->f);
    /* A dying session may have finished a COMMIT whose answer it does not give. */
    fl->sent = fatal ? fl->done + 1 : fl->done;
    fl->synced = false;
    return fatal ? PG_LOST : PG_READY;
}

static enum pg_wait take(struct flight *fl, const struct stmt *s, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    enum pg_wait w = PG_READY;

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        if (s == &DB_COMMIT && strcmp(PQcmdStatus(res), "COMMIT") != 0)
            fl->err = fault(fl->f, ERR_INTERNAL, "The transaction had failed before its COMMIT.");
        if (fl->ret && !fl->err) {
            fl->ret[fl->done] = (struct rows){ res, PQntuples(res), strtoll(PQcmdTuples(res), NULL, 10) };
            return PG_READY;
        }
    } else if (status != PGRES_PIPELINE_ABORTED) {
        w = failed(fl, s, res);
    }
    PQclear(res);
    return w;
}

/* Reads on to the end of the pipeline; a deferred constraint of an implicit transaction fails only there. */
static enum pg_wait collect_end(struct flight *fl)
{
    for (;;) {
        PGresult *res = NULL;
        enum pg_wait w = pg_result(fl->db->conn, fl->deadline, &res);
        ExecStatusType status = PQresultStatus(res);

        if (!w && status == PGRES_FATAL_ERROR && res)
            w = failed(fl, NULL, res);
        PQclear(res);
        if (w || status == PGRES_PIPELINE_SYNC)
            return w;
        if (PQstatus(fl->db->conn) == CONNECTION_BAD)
            return PG_LOST;
    }
}

static enum pg_wait collect(struct flight *fl)
{
    const struct db *db = fl->db;
    size_t n = db->queued;

    for (; fl->done < n; fl->done++) {
        PGresult *res = NULL;
        enum pg_wait w = pg_result(db->conn, fl->deadline, &res);

        if (!w)
            w = res ? take(fl, db->queue[fl->done].s, res) : PG_LOST;
        if (!w && !(w = pg_result(db->conn, fl->deadline, &res)))
            PQclear(res); /* the NULL after each answer */
        if (w)
            return w;
    }
    return collect_end(fl);
}

/* The connection is gone: may something be durable of which no answer came? */
static bool outcome_unknown(const struct flight *fl)
{
    bool open = fl->open, writes = false;

    for (size_t i = 0; i < fl->sent; i++) {
        const struct stmt *s = fl->db->queue[i].s;

        if (s == &DB_COMMIT && i >= fl->done)
            return true;
        if (s == &DB_COMMIT || s == &DB_ROLLBACK)
            open = writes = false;
        else if (s == &DB_BEGIN || s == &DB_SNAPSHOT)
            open = true;
        else
            writes |= !stmt_reads(s);
    }
    return fl->synced && !open && writes;
}

/* All was answered, the last COMMIT too, and only the end of the pipeline is missing. */
static bool all_done(const struct flight *fl)
{
    size_t n = fl->db->queued;

    return !fl->err && fl->done == n && fl->db->queue[n - 1].s == &DB_COMMIT;
}

static enum err lost(struct flight *fl, enum pg_wait w)
{
    bool unknown = outcome_unknown(fl), done = all_done(fl);

    log_warn("connection to PostgreSQL lost", L_STR("connection", fl->db->config->application_name),
             L_STR("why", w == PG_LATE ? "no answer in time" : "closed"), L_BOOL("outcome_unknown", unknown));
    metric_add(M_DB_ERRORS, 1);
    db_disconnect(fl->db);
    if (done)
        return OK;
    if (unknown)
        return fault(fl->f, ERR_OUTCOME_UNKNOWN, "The connection to PostgreSQL was lost before it confirmed the commit.");
    return fl->err ? fl->err : pg_gone(w, fl->f);
}

/* After a failure inside BEGIN … COMMIT. If this fails too the connection is closed, which rolls back as well. */
static void roll_back(struct flight *fl)
{
    PGconn *conn = fl->db->conn;
    struct flight back = { .db = fl->db, .deadline = fl->deadline };

    if (PQtransactionStatus(conn) == PQTRANS_IDLE)
        return;
    if (!PQsendQueryParams(conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 1) || !PQpipelineSync(conn) ||
        collect_end(&back) || PQtransactionStatus(conn) != PQTRANS_IDLE)
        db_disconnect(fl->db);
}

static enum err round_trip(struct flight *fl)
{
    enum pg_wait w = send_all(fl);

    if (!w && fl->meanwhile && !(w = pg_drain(fl->db->conn, fl->deadline)))
        fl->meanwhile(fl->arg);
    if (!w)
        w = collect(fl);
    if (w)
        return lost(fl, w);
    if (fl->err && fl->drop)
        db_disconnect(fl->db);
    else if (fl->err)
        roll_back(fl);
    return fl->err;
}

/* A COMMIT without its BEGIN must find a transaction open. */
static bool needs_open(const struct db *db)
{
    for (size_t i = 0; i < db->queued; i++)
        if (db->queue[i].s == &DB_BEGIN || db->queue[i].s == &DB_COMMIT)
            return db->queue[i].s == &DB_COMMIT;
    return false;
}

static enum err check_queue(const struct db *db, size_t count, struct fault *f)
{
    if (db->queued > DB_QUEUE_MAX || db->queued != count)
        return fault(f, ERR_INTERNAL, "%zu statements were queued, %zu expected, %d at most.", db->queued, count,
                     DB_QUEUE_MAX);
    for (size_t i = 0; i < count; i++)
        for (int k = stmt_arg_count(db->queue[i].s) - 1; k >= 0; k--)
            if (db->queue[i].args[k].n < 0)
                return fault(f, ERR_NO_MEMORY, "Out of memory.");
    return OK;
}

/* By themselves and before anything is sent: one that does not fit the database must not stop others half-way. */
static enum err prepare_queued(struct db *db, struct fault *f)
{
    for (size_t i = 0; i < db->queued; i++)
        if (!stmt_want(db, db->queue[i].s)) {
            db_disconnect(db); /* with what may be open on it */
            return fault(f, ERR_INTERNAL, "The statement %s is not in the list of those that are checked.", db->queue[i].s->name);
        }
    return stmt_prepare(db, clock_mono_us() + db->config->statement_timeout_us, f);
}

/* A connection that died while idle is replaced unnoticed; a transaction that was open on it is not. */
static enum err ready(struct db *db, bool *ret_open, struct fault *f)
{
    bool open = db->conn && PQtransactionStatus(db->conn) == PQTRANS_INTRANS;
    enum err e;

    if (db->conn && !pg_alive(db->conn))
        db_disconnect(db);
    if ((open && !db->conn) || (!open && needs_open(db)))
        return fault(f, ERR_DATABASE_UNAVAILABLE, "The connection to PostgreSQL was lost within a transaction.");
    *ret_open = open;
    return (e = db_connect(db, f)) ? e : prepare_queued(db, f);
}

enum err db_flush_while(struct db *db, struct rows *ret, size_t count, void (*meanwhile)(void *arg), void *arg,
                        struct fault *f)
{
    struct flight fl = { .db = db, .f = f, .ret = ret, .meanwhile = meanwhile, .arg = arg };
    enum err e = check_queue(db, count, f);

    for (size_t i = 0; ret && i < count; i++)
        ret[i] = (struct rows){ 0 };
    if (!e && count && !(e = ready(db, &fl.open, f))) {
        fl.deadline = clock_mono_us() + db->config->statement_timeout_us;
        e = round_trip(&fl);
    }
    db->queued = 0;
    return e;
}

enum err db_flush(struct db *db, struct rows *ret, size_t count, struct fault *f)
{
    return db_flush_while(db, ret, count, NULL, NULL, f);
}

enum err db_exec(struct db *db, const struct stmt *s, const struct arg *args, struct rows *ret, struct fault *f)
{
    db_queue(db, s, args);
    return db_flush(db, ret, 1, f);
}

void db_rollback(struct db *db)
{
    db->queued = 0;
    if (db->conn && PQtransactionStatus(db->conn) != PQTRANS_IDLE && db_exec(db, &DB_ROLLBACK, NULL, NULL, NULL))
        db_disconnect(db);
}

bool db_queue_kept(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, size_t n)
{
    struct arg *kept = arena_alloc(a, n * sizeof *kept);

    for (size_t i = 0; kept && i < n; i++)
        if (args[i].n < 0)
            return false;
    if (!kept)
        return false;
    memcpy(kept, args, n * sizeof *kept);
    db_queue(db, s, kept);
    return true;
}
