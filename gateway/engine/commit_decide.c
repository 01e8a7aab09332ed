#include <stdio.h>

#include "gateway/engine/commit_batch.h"

/* A request is settled event by event against what the lot knows; if one event is refused, what its request had changed
 * is taken back and the neighbours never notice. */

static enum err conflict(struct publish *p, const struct slot_subject *s, int64_t expected)
{
    p->fault.current_version = s->version;
    p->fault.has_version = true;
    return fault(&p->fault, ERR_VERSION_CONFLICT, "Subject %.*s has version %lld, not %lld.", (int)s->subject.n, s->subject.p,
                 (long long)s->version, (long long)expected);
}

static enum err take_duplicate(struct publish *p, struct event *ev, const struct slot_id *id)
{
    if (memcmp(id->fingerprint, ev->fingerprint, 16))
        return fault(&p->fault, ERR_ID_REUSED, "An event with id %.*s and other content is recorded already.", (int)ev->id.n,
                     ev->id.p);
    ev->duplicate = true;
    ev->partition = id->partition;
    ev->offset = id->offset;
    ev->version = id->version;
    ev->recorded_us = id->recorded_us;
    return OK;
}

static enum err check_subject(struct publish *p, const struct event *ev, const struct slot_subject *s, bool first)
{
    if (s->version > 0 && s->partition != ev->partition)
        return fault(&p->fault, ERR_SUBJECT_MOVED, "Subject %.*s lives in partition %d; this event's partitionkey leads to %d.",
                     (int)s->subject.n, s->subject.p, s->partition, ev->partition);
    if (first && p->if_version >= 0 && s->version != p->if_version)
        return conflict(p, s, p->if_version);
    if (ev->expected_version >= 0 && s->version != ev->expected_version)
        return conflict(p, s, ev->expected_version);
    return OK;
}

static int64_t stored_bytes(const struct event *ev)
{
    return (int64_t)(ev->attributes.n + ev->data.n);
}

static void accept(struct lot *g, struct event *ev, struct slot_id *id, struct slot_subject *s)
{
    struct slot_part *part = &g->part[g->part_of[ev->partition]];

    part->n++;
    part->bytes += stored_bytes(ev);
    ev->offset = part->head + part->n;
    ev->recorded_us = part->recorded_us;
    if (s) {
        s->partition = ev->partition;
        s->last_offset = ev->offset;
        ev->version = ++s->version;
    }
    if (id) {
        memcpy(id->fingerprint, ev->fingerprint, 16);
        id->known = id->ours = true;
        id->partition = ev->partition;
        id->offset = ev->offset;
        id->version = ev->version;
        id->recorded_us = ev->recorded_us;
    }
    g->accepted[g->accepted_n++] = ev;
}

static void take_back(struct lot *g, struct publish *p, size_t accepted_n)
{
    while (g->accepted_n > accepted_n) {
        struct event *ev = g->accepted[--g->accepted_n];
        struct slot_part *part = &g->part[g->part_of[ev->partition]];

        part->n--;
        part->bytes -= stored_bytes(ev);
        if (ev->subject.p) {
            struct slot_subject *s = lot_subject(g, ev->subject);

            s->version--; /* last_offset is set anew by the next accepted one, or not used */
        }
        if (ev->client_id) {
            struct slot_id *id = lot_id(g, ev->key);

            id->known = id->ours = false;
        }
    }
    for (size_t k = 0; k < p->events.n; k++)
        p->events.v[k].duplicate = false;
}

static enum err settle_event(struct lot *g, struct publish *p, struct event *ev, bool *first)
{
    struct slot_id *id = ev->client_id ? lot_id(g, ev->key) : NULL;
    struct slot_subject *s = ev->subject.p ? lot_subject(g, ev->subject) : NULL;
    enum err e;

    ev->duplicate = false;
    ev->version = 0;
    if (id && id->known)
        return take_duplicate(p, ev, id);
    if (ev->refused) {
        p->fault = *p->refusal;
        return ERR_SCHEMA_VIOLATION;
    }
    if (s && (e = check_subject(p, ev, s, *first)))
        return e;
    accept(g, ev, id, s);
    *first = false;
    return OK;
}

/* Something is kept under the key: its answer, before anything else is asked. */
static enum err replay(struct publish *p, const struct slot_key *k)
{
    struct publish_key *key = p->key;

    if (memcmp(k->fingerprint, key->fingerprint, 16))
        return fault(&p->fault, ERR_IDEMPOTENCY_KEY_REUSED,
                     "The Idempotency-Key stands for another request: its query, content type, ce- headers, conditions or body "
                     "differ.");
    if (!k->answer.p) { /* two requests under it in one batch, and only the other one's answer was asked for */
        p->fault.retry_after = 1;
        return fault(&p->fault, ERR_IDEMPOTENCY_IN_FLIGHT, "Another request under the Idempotency-Key is in process.");
    }
    key->status = k->status;
    key->replayed = true;
    buf_slice(&key->answer, k->answer);
    snprintf(key->cursor, sizeof key->cursor, "%.*s", (int)k->cursor.n, k->cursor.p);
    return key->answer.failed ? ERR_NO_MEMORY : OK;
}

/* The last step of a request, so there is never anything of it to take back. */
static enum err keep_answer(struct lot *g, struct publish *p, struct slot_key *k)
{
    enum err e = p->key->render(p);

    if (e)
        return e;
    k->known = true;
    k->ours = p;
    k->status = p->key->status;
    memcpy(k->fingerprint, p->key->fingerprint, 16);
    k->answer = (struct slice){ p->key->answer.p, p->key->answer.n };
    k->cursor = slice_of(p->key->cursor);
    g->kept_n++;
    return OK;
}

static struct slot_key *key_begin(struct lot *g, struct publish *p)
{
    if (!p->key)
        return NULL;
    p->key->replayed = false;
    buf_reset(&p->key->answer);
    return lot_key(g, p->key->key);
}

static enum err settle(struct lot *g, struct publish *p)
{
    struct slot_key *k = key_begin(g, p);
    bool first = true;
    enum err e;

    for (size_t i = 0; i < g->part_n; i++)
        if (!g->part[i].locked)
            return fault(&p->fault, ERR_UNKNOWN_STREAM, "The stream was deleted.");
    if (k && k->known)
        return replay(p, k);
    for (size_t i = 0; i < p->events.n; i++)
        if ((e = settle_event(g, p, &p->events.v[i], &first))) {
            if (p->events.array && !p->fault.finding_n)
                snprintf(p->fault.pointer, sizeof p->fault.pointer, "/%zu", i);
            return e;
        }
    return k ? keep_answer(g, p, k) : OK;
}

void lot_decide(struct lot *g, int64_t now_us)
{
    g->accepted_n = g->kept_n = 0;
    for (size_t i = 0; i < g->part_n; i++) {
        g->part[i].n = g->part[i].bytes = 0;
        if (g->part[i].recorded_us < now_us)
            g->part[i].recorded_us = now_us;
    }
    for (size_t i = 0; i < g->pub_n; i++) {
        size_t before = g->accepted_n;

        g->pub[i]->err = settle(g, g->pub[i]);
        if (g->pub[i]->err)
            take_back(g, g->pub[i], before);
    }
    /* What was taken back may have left an offset of a refused event behind. */
    for (size_t i = 0; i < g->accepted_n; i++)
        if (g->accepted[i]->subject.p)
            lot_subject(g, g->accepted[i]->subject)->last_offset = g->accepted[i]->offset;
}
