#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "handlers/delivery_body.h"
#include "handlers/handlers.h"

/* What consumers of a group call: receive, ack, nack, reject, extend. */

#define CONSUMER_MAX 200
#define ACK_DEADLINE_MIN_US (1 * US_PER_S)
#define ACK_DEADLINE_MAX_US (12 * 3600 * US_PER_S)

struct receiving {
    int64_t max, wait_us, ack_deadline_us;
    struct slice consumer;
};

/* The state of a request. */
struct consuming {
    struct receiving receive;
    struct finish_body finish;
    struct stream *stream;     /* a reference, until the call has its own */
    struct group_call *call;   /* ours to leave */
    struct groups *groups;
    atomic_bool done;
    bool submitted, answered;
    enum err err;              /* of the job */
};

static const struct field receive_fields[] = {
    { "max", F_INT, offsetof(struct receiving, max), false, 1, RECEIVE_MAX, NULL, SIZE_MAX, false, SIZE_MAX },
    { "wait", F_DURATION, offsetof(struct receiving, wait_us), false, 0, 600 * US_PER_S, NULL, SIZE_MAX, false, SIZE_MAX },
    { "ack_deadline", F_DURATION, offsetof(struct receiving, ack_deadline_us), false, ACK_DEADLINE_MIN_US,
      ACK_DEADLINE_MAX_US, NULL, SIZE_MAX, false, SIZE_MAX },
    { "consumer", F_STRING, offsetof(struct receiving, consumer), false, 0, CONSUMER_MAX, NULL, SIZE_MAX, false, SIZE_MAX },
    { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
};

static void consuming_free(void *state)
{
    struct consuming *s = state;

    stream_unref(s->stream);
    if (s->call && s->submitted)
        groups_leave(s->groups, s->call, s->answered);
    else
        group_call_free(s->call);
}

static void on_done(struct group_call *call, bool more)
{
    struct request *rq = call->arg;
    struct consuming *s = rq->state;

    atomic_store(&s->done, true);
    if (call->wait_until_us)
        request_wake_wave(rq, more);
    else
        request_fulfil(rq, more);
}

static void load_stream(struct request *rq)
{
    struct consuming *s = rq->state;

    s->err = streams_load(rq->app->streams, rq->db, request_path(rq, "stream"), &s->stream, &rq->fault);
}

static enum err parse(struct request *rq, struct consuming *s, enum finish *how)
{
    struct receiving *r = &s->receive;
    enum err e;

    if (how)
        return finish_body(rq, *how, &s->finish);
    *r = (struct receiving){ .max = 10, .consumer = SLICE("") };
    if (rq->body.n && (e = request_body(rq, receive_fields, r)))
        return e;
    if (r->wait_us > rq->config->groups_wait_max_us) {
        char most[32];

        duration_format(rq->config->groups_wait_max_us, most);
        memcpy(rq->fault.pointer, "/wait", 6);
        return fault(&rq->fault, ERR_BAD_BODY, "It must be \"%s\" at most, as the setting groups.wait_max says.", most);
    }
    return OK;
}

/* The consumer's name, or who the token says it is. */
static struct slice consumer_of(struct request *rq, const struct receiving *r)
{
    struct slice sub = principal_subject(rq->who);

    if (r->consumer.n || !sub.p)
        return r->consumer;
    return sub.n > CONSUMER_MAX ? SLICE("") : sub;
}

static enum err make_call(struct request *rq, struct consuming *s, const enum finish *how)
{
    struct group_call *c = group_call_new(s->stream, request_path(rq, "group"), how ? CALL_FINISH : CALL_RECEIVE);
    int64_t now = clock_mono_us(), expires = now + principal_expires_us(rq->who) - clock_unix_us();

    if (!(s->call = c))
        return ERR_NO_MEMORY;
    c->done = on_done;
    c->arg = rq;
    if (how)
        return finish_call_fill(c, &s->finish) ? OK : ERR_NO_MEMORY;
    c->max = s->receive.max;
    c->ack_deadline_us = s->receive.ack_deadline_us;
    c->consumer = arena_slice(c->arena, consumer_of(rq, &s->receive));
    if (s->receive.wait_us)
        c->wait_until_us = rq->began_us + s->receive.wait_us < expires ? rq->began_us + s->receive.wait_us : expires;
    return c->consumer.p ? OK : ERR_NO_MEMORY;
}

static enum err submit(struct request *rq, struct consuming *s, const enum finish *how)
{
    enum err e;

    if (s->err)
        return s->err;
    if ((e = make_call(rq, s, how)) || (s->receive.wait_us && (e = request_hold(rq))))
        return e;
    s->submitted = true;
    if (s->call->wait_until_us)
        request_wait_until(rq, s->call->wait_until_us + US_PER_S);
    else
        request_expect(rq);
    if (!(e = groups_submit(s->groups, s->call, &rq->fault)))
        return ERR_PARKED;
    s->submitted = false;
    if (!s->call->wait_until_us)
        request_fulfil(rq, false);
    return e;
}

static enum err reply_nothing(struct reply *rp)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{\"deliveries\":[]}");
    return reply_json(rp, 200, &b);
}

static enum err outcome(struct request *rq, struct reply *rp, struct consuming *s)
{
    struct group_call *c = s->call;
    struct buf b = { 0 };

    if (!atomic_load(&s->done)) {
        if (rq->revoked)
            return fault(&rq->fault, ERR_INVALID_TOKEN, "The token has been revoked.");
        return rq->draining || rq->gone ? reply_nothing(rp) : ERR_PARKED; /* the call is left with the request */
    }
    if (c->err == ERR_UNKNOWN_STREAM || c->err == ERR_UNKNOWN_GROUP)
        streams_forget(rq->app->streams, c->stream->row.stream_id);
    if (c->err) {
        rq->fault = c->fault;
        return c->err;
    }
    if (rq->gone)
        return reply_nothing(rp);
    s->answered = true;
    if (c->kind == CALL_RECEIVE) {
        b = c->body;
        c->body = (struct buf){ 0 };
    } else {
        finish_answer(&b, &s->finish, c);
    }
    return reply_json(rp, 200, &b);
}

static enum err consume(struct request *rq, struct reply *rp, enum finish *how)
{
    struct consuming *s = rq->state;
    enum err e;

    if (s && s->submitted)
        return outcome(rq, rp, s);
    if (s)
        return submit(rq, s, how);
    if (!name_valid(request_path(rq, "stream")) || !name_valid(request_path(rq, "group")))
        return fault(&rq->fault, ERR_BAD_NAME, "Names are [a-z0-9][a-z0-9._-]{0,119}.");
    if (!(s = arena_zalloc(rq->arena, sizeof *s)))
        return ERR_NO_MEMORY;
    s->groups = rq->app->groups;
    rq->state = s;
    rq->state_free = consuming_free;
    if ((e = parse(rq, s, how)))
        return e;
    if (!(s->stream = streams_cached(rq->app->streams, request_path(rq, "stream"))))
        return request_job(rq, load_stream);
    return submit(rq, s, how);
}

enum err handle_receive(struct request *rq, struct reply *rp)
{
    return consume(rq, rp, NULL);
}

enum err handle_ack(struct request *rq, struct reply *rp)
{
    return consume(rq, rp, &(enum finish){ FINISH_ACK });
}

enum err handle_nack(struct request *rq, struct reply *rp)
{
    return consume(rq, rp, &(enum finish){ FINISH_NACK });
}

enum err handle_reject(struct request *rq, struct reply *rp)
{
    return consume(rq, rp, &(enum finish){ FINISH_REJECT });
}

enum err handle_extend(struct request *rq, struct reply *rp)
{
    return consume(rq, rp, &(enum finish){ FINISH_EXTEND });
}
