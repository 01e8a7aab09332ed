#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/engine/cursor.h"
#include "gateway/engine/event.h"
#include "gateway/engine/group_lane.h"

static uint64_t key_of(struct arena *a, const struct page_row *row)
{
    return group_key_hash(event_order_key(a, row->attributes, row->subject));
}

/* --- filling --- */

static int64_t size_of(const struct page_row *row)
{
    return (int64_t)(row->attributes.n + row->data.n + row->id.n + row->type.n + row->source.n + row->subject.n);
}

/* The events of what is due: from the log, or from dead letters. One that is not there any more is forgotten; what would make the
 * answer too large goes back. */
static enum err fetch_due(struct wave *w, struct group_call *call, bool letters)
{
    struct cell *c = w->cell;
    struct db *db = c->lane->db;
    const struct delivery **asked = arena_alloc(w->arena, call->delivered * sizeof *asked);
    struct handed *places = arena_alloc(w->arena, call->delivered * sizeof *places);
    struct content *content = arena_zalloc(w->arena, sizeof *content);
    struct rows *rows;
    size_t n = 0;
    enum err e;

    if (!asked || !places || !content)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < call->delivered; i++)
        if (call->deliveries[i].handed.has_letter == letters) {
            asked[n] = &call->deliveries[i];
            places[n++] = call->deliveries[i].handed;
        }
    if (!n)
        return OK;
    if (!(letters ? db_letters_at(db, w->arena, c->stream->row.stream_id, &places->letter, sizeof *places, n)
                  : db_events_at(db, w->arena, c->stream->row.stream_id, &places->at, sizeof *places, n)))
        return ERR_NO_MEMORY;
    content->next = w->contents;
    w->contents = content;
    rows = &content->rows;
    if ((e = db_flush(db, rows, 1, w->fault)))
        return e;
    for (int i = 0; i < rows->n; i++) {
        int32_t ord;
        struct page_row row;
        struct delivery *d;

        db_group_event(rows, i, &ord, &row);
        d = (struct delivery *)(uintptr_t)asked[ord - 1];
        d->event = row;
        d->there = true;
    }
    return OK;
}

/* Retention took it, and all before it: its key waits for none of that any more. */
static enum err forget_removed(struct wave *w, const struct group_call *call, bool *ret_any)
{
    struct cell *c = w->cell;
    int32_t partitions[PARTITIONS_MAX];
    bool gone[PARTITIONS_MAX] = { false };
    struct rows r = { 0 };
    size_t n = 0;
    enum err e = OK;

    *ret_any = false;
    for (size_t i = 0; i < call->delivered; i++) {
        const struct delivery *d = &call->deliveries[i];
        int32_t p = d->handed.at.partition;

        *ret_any |= !d->there;
        if (!d->there && !d->handed.has_letter && !gone[p]) {
            gone[p] = true;
            partitions[n++] = p;
        }
    }
    if (n && !db_earliest_of(c->lane->db, w->arena, c->stream->row.stream_id, partitions, n))
        e = ERR_NO_MEMORY;
    else if (n)
        e = db_flush(c->lane->db, &r, 1, w->fault);
    for (int i = 0; !e && i < r.n; i++)
        window_lost(c, row_int4(&r, i, 0), row_int8(&r, i, 1));
    rows_free(&r);
    for (size_t i = 0; !e && i < call->delivered; i++)
        if (!call->deliveries[i].there)
            group_state_forget(c->state, &call->deliveries[i].handed.at);
    return e;
}

/* Leaves only what is there, and fits. */
static void keep_found(struct wave *w, struct group_call *call)
{
    const int64_t most = w->cell->lane->groups->config->groups_answer_bytes;
    size_t n = 0;

    for (size_t i = 0; i < call->delivered; i++) {
        struct delivery *d = &call->deliveries[i];

        if (!d->there)
            continue;
        if (n && call->bytes + size_of(&d->event) > most) {
            group_state_give_back(w->cell->state, &d->handed.at);
        } else {
            call->bytes += size_of(&d->event);
            call->deliveries[n++] = *d;
        }
    }
    call->delivered = n;
}

static enum err fill_due(struct wave *w, struct group_call *call)
{
    struct handed h;
    bool removed = true;
    enum err e;

    while (removed && !call->delivered) {
        while (group_state_take(w->cell->state, &h))
            call->deliveries[call->delivered++] = (struct delivery){ .handed = h };
        if (!call->delivered)
            return OK;
        if ((e = fetch_due(w, call, false)) || (e = fetch_due(w, call, true)) || (e = forget_removed(w, call, &removed)))
            return e;
        keep_found(w, call);
    }
    return OK;
}

/* One partition's turn. false: the answer is full. */
static bool fill_from(struct wave *w, struct group_call *call, int partition)
{
    struct cell *c = w->cell;
    const int64_t most = c->lane->groups->config->groups_answer_bytes;
    struct page_row row;
    struct handed h;

    while (window_next(c, partition, &row)) {
        bool wanted = cell_wants_type(c, row.type);

        if (wanted && call->delivered && call->bytes + size_of(&row) > most)
            return false;
        switch (group_state_offer(c->state, partition, row.offset, wanted ? key_of(w->arena, &row) : 0, wanted, &h)) {
        case OFFER_REFUSED:
            return true;
        case OFFER_TAKEN:
            call->deliveries[call->delivered++] = (struct delivery){ h, true, row };
            call->bytes += size_of(&row);
            break;
        case OFFER_PASSED:
            break;
        }
        window_pass(c, partition);
    }
    return true;
}

/* Pages are read until the answer is full, or nothing more is there. What types pass over is bounded by a wave. */
#define FETCHES_MAX 16
static enum err fill_fresh(struct wave *w, struct group_call *call)
{
    struct cell *c = w->cell;
    int partitions = (int)c->stream->row.partitions;

    for (int round = 0; round < FETCHES_MAX; round++) {
        bool again = false;
        enum err e;

        for (int i = 0; i < partitions; i++)
            if (!fill_from(w, call, (c->turn + i) % partitions))
                return OK;
        c->turn = (c->turn + 1) % partitions;
        for (int p = 0; p < partitions; p++)
            again |= !c->windows[p].first && !c->windows[p].at_end && group_state_wants(c->state, p);
        if (!again)
            return OK;
        if ((e = window_fetch(w, (size_t)call->max - call->delivered)))
            return e;
    }
    c->unread |= !call->delivered;
    return OK;
}

enum err receive_fill(struct wave *w, struct group_call *call)
{
    struct cell *c = w->cell;
    const struct group_row *def = group_state_def(c->state);
    enum err e;

    call->delivered = 0;
    call->lease = call->bytes = 0;
    if (def->paused)
        return OK;
    if (!call->deliveries && !(call->deliveries = arena_alloc(call->arena, (size_t)call->max * sizeof *call->deliveries)))
        return ERR_NO_MEMORY;
    call->deadline_us = w->now_us + (call->ack_deadline_us ? call->ack_deadline_us : def->ack_deadline_us);
    group_state_open(c->state, call->deadline_us, call->consumer, (size_t)call->max);
    if (!(e = fill_due(w, call)))
        e = fill_fresh(w, call);
    call->lease = group_state_close(c->state);
    return e;
}

/* --- rendering --- */

static struct event event_of(const struct handed *h, const struct page_row *row)
{
    return (struct event){ .id = row->id, .source = row->source, .type = row->type, .subject = row->subject,
                           .attributes = row->attributes, .data = row->data,
                           .data_format = (enum data_format)row->data_format,
                           .partition = h->at.partition, .offset = row->offset, .recorded_us = row->recorded_us,
                           .version = row->version };
}

static void put_cursor(struct buf *b, const struct stream *s, const int64_t *pos)
{
    struct cursor at = { .count = (int)s->row.partitions };
    char text[CURSOR_TEXT];
    size_t n;

    memcpy(at.pos, pos, sizeof at.pos);
    n = cursor_format(&at, s->row.name, s->row.stream_id, text);
    buf_json_string(b, (struct slice){ text, n });
}

/* Besides the event. */
#define DELIVERY_BYTES 400

void receive_render(struct wave *w, struct group_call *call)
{
    struct cell *c = w->cell;
    struct buf *b = &call->body;
    char id[DELIVERY_ID], deadline[CLOCK_TEXT];
    struct delivery_id d = { group_state_tag(c->state), group_state_generation(c->state), call->lease, { 0 } };

    clock_format(call->deadline_us, deadline);
    buf_reserve(b, (size_t)call->bytes + call->delivered * DELIVERY_BYTES + DELIVERY_BYTES);
    BUF_LIT(b, "{\"deliveries\":[");
    for (size_t i = 0; i < call->delivered; i++) {
        const struct delivery *v = &call->deliveries[i];
        struct event ev = event_of(&v->handed, &v->event);

        d.at = v->handed.at;
        delivery_id_format(&d, id);
        buf_str(b, i ? ",{\"delivery_id\":\"" : "{\"delivery_id\":\"");
        buf_str(b, id);
        BUF_LIT(b, "\",\"attempt\":");
        buf_i64(b, v->handed.attempt);
        BUF_LIT(b, ",\"deadline\":\"");
        buf_put(b, deadline, CLOCK_TEXT - 1);
        BUF_LIT(b, "\",\"event\":");
        event_render(b, c->stream->row.name, &ev, false);
        buf_char(b, '}');
    }
    buf_char(b, ']');
    if (c->lost && !w->told_lost) {
        BUF_LIT(b, ",\"lost\":{\"from\":");
        put_cursor(b, c->stream, c->lost_from);
        BUF_LIT(b, ",\"to\":");
        put_cursor(b, c->stream, c->lost_to);
        buf_char(b, '}');
        w->told_lost = true;
    }
    buf_char(b, '}');
}
