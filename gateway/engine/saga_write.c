#include "gateway/engine/saga_parts.h"
#include "gateway/engine/saga_waits.h"

/* What a turn writes: one statement for each table, whatever the number of instances. */

struct rows_out {
    struct saga_instance_row *fresh, *changed;
    struct saga_step_row *begun, *moved;
    struct saga_history_row *told;
    struct saga_wait_id *ends;
    size_t fresh_n, changed_n, begun_n, moved_n, told_n, end_n;
};

static bool make_room(struct turn *t, struct rows_out *o)
{
    size_t tasks = 0, records = 0;

    for (struct turn_run *r = t->run; r < t->run + t->run_n; r++) {
        tasks += r->run ? SAGA_KINDS * r->def->def.step_n : 0;
        records += r->run ? r->run->record_n : 0;
    }
    o->fresh = arena_alloc(t->arena, (t->run_n + 1) * sizeof *o->fresh);
    o->changed = arena_alloc(t->arena, (t->run_n + 1) * sizeof *o->changed);
    o->begun = arena_alloc(t->arena, (tasks + 1) * sizeof *o->begun);
    o->moved = arena_alloc(t->arena, (tasks + 1) * sizeof *o->moved);
    o->ends = arena_alloc(t->arena, (tasks + 1) * sizeof *o->ends);
    o->told = arena_alloc(t->arena, (records + 1) * sizeof *o->told);
    return o->fresh && o->changed && o->begun && o->moved && o->ends && o->told;
}

static void put_instance(const struct turn_run *r, struct rows_out *o)
{
    const struct saga_run *run = r->run;
    struct saga_instance_row row = r->row;

    row.state = (int16_t)run->state;
    row.pivot_sent = run->pivot_sent;
    row.seq = run->seq;
    row.cause = run->cause;
    row.deadline_us = run->deadline_us;
    row.created_us = run->created_us;
    row.updated_us = run->updated_us;
    row.ended_us = run->ended_us;
    if (r->exists)
        o->changed[o->changed_n++] = row;
    else
        o->fresh[o->fresh_n++] = row;
}

static void put_step(const struct turn_run *r, size_t step, int kind, struct rows_out *o)
{
    const struct saga_task *k = &r->run->task[kind][step];
    const struct saga_deed *deed = &r->def->def.step[step].deed[kind];
    const struct saga_await *await = r->def->def.await[2 * step + (size_t)kind];
    struct saga_step_row row = {
        .key = r->key, .step = (int16_t)step, .kind = (int16_t)kind, .status = (int16_t)k->status, .unknown = k->unknown,
        .attempts = k->attempts, .texts = (int32_t)k->texts, .due_us = k->due_us, .owner = k->owner,
        .target = deed->kind == SAGA_HTTP ? deed->http->target : SLICE_NONE, .result = k->result, .error = k->error,
        .early = k->early, .request = k->request, .answer = k->answer, .begun_us = k->begun_us, .ended_us = k->ended_us,
        .ended_seq = k->ended_seq, .round = k->round, .event = k->event,
        .awaits = await ? await->stream : SLICE_NONE,
    };

    if (r->rows[kind] >> step & 1)
        o->moved[o->moved_n++] = row;
    else
        o->begun[o->begun_n++] = row;
}

static void put_steps(const struct turn_run *r, struct rows_out *o)
{
    for (size_t i = 0; i < r->def->def.step_n; i++)
        for (int kind = 0; kind < SAGA_KINDS; kind++) {
            const struct saga_task *k = &r->run->task[kind][i];

            if (k->changed)
                put_step(r, i, kind, o);
            if (k->wait_ends)
                o->ends[o->end_n++] = (struct saga_wait_id){ r->key.saga_id, r->key.id, (int16_t)i, (int16_t)kind };
        }
}

/* The event's data: the record's, and whose it is. */
static struct slice told(struct turn *t, const struct turn_run *r, const struct saga_record *rec)
{
    struct buf b = { 0 };
    struct slice s;

    BUF_LIT(&b, "{\"saga\":");
    buf_json_string(&b, r->def->name);
    buf_member_text(&b, "id", r->key.id);
    buf_printf(&b, ",\"seq\":%lld%s", (long long)rec->seq, rec->data.n > 2 ? "," : "");
    buf_slice(&b, (struct slice){ rec->data.p + 1, rec->data.n - 1 });
    s = b.failed ? SLICE_NONE : arena_slice(t->arena, (struct slice){ b.p, b.n });
    buf_free(&b);
    return s;
}

static bool put_history(struct turn *t, const struct turn_run *r, struct rows_out *o)
{
    for (size_t i = 0; i < r->run->record_n; i++) {
        const struct saga_record *rec = &r->run->record[i];
        struct saga_history_row *h = &o->told[o->told_n++];

        *h = (struct saga_history_row){
            .key = r->key, .seq = rec->seq, .n = (int16_t)rec->n, .nth = (int32_t)i, .at_us = t->now_us,
            .type = slice_of(rec->type), .step = rec->step < 0 ? SLICE_NONE : r->def->def.step[rec->step].name,
            .data = rec->data, .name = r->def->name, .traceparent = r->row.traceparent, .told = told(t, r, rec),
        };
        if (!h->told.p)
            return false;
    }
    return true;
}

static enum err queue_all(struct turn *t, const struct rows_out *o, size_t *ret_n)
{
    struct db *db = t->db;
    struct arena *a = t->arena;
    size_t n = 0;

    if ((o->fresh_n && (n++, !db_saga_instances_insert(db, a, o->fresh, o->fresh_n))) ||
        (o->changed_n && (n++, !db_saga_instances_update(db, a, o->changed, o->changed_n))) ||
        (o->begun_n && (n++, !db_saga_steps_insert(db, a, o->begun, o->begun_n))) ||
        (o->moved_n && (n++, !db_saga_steps_update(db, a, o->moved, o->moved_n))) ||
        (o->told_n && (n++, !db_saga_history_add(db, a, o->told, o->told_n))) ||
        (o->end_n && (n++, !saga_waits_end(db, a, o->ends, o->end_n))))
        return ERR_NO_MEMORY;
    *ret_n = n;
    return OK;
}

enum err turn_queue(struct turn *t, size_t *ret_n, struct fault *f)
{
    struct rows_out o = { 0 };
    enum err e = make_room(t, &o) ? OK : ERR_NO_MEMORY;

    *ret_n = 0;
    for (struct turn_run *r = t->run; !e && r < t->run + t->run_n; r++) {
        if (!r->run || !r->run->changed)
            continue;
        put_instance(r, &o);
        put_steps(r, &o);
        if (!put_history(t, r, &o))
            e = ERR_NO_MEMORY;
    }
    if (!e)
        e = queue_all(t, &o, ret_n);
    if (e) {
        db_abandon(t->db);
        return fault(f, e, "Out of memory.");
    }
    t->wrote |= *ret_n > 0;
    return OK;
}
