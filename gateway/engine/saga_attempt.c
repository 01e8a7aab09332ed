#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/engine/saga_parts.h"

/* Attempts of steps: what they send, and what comes of it. */

#define ATTEMPT_ARENA ((size_t)16 << 20)
#define SHOWN_BYTES 16384          /* of a body, in the record of a request */

/* --- making --- */

void saga_scope(const struct turn_run *r, struct arena *a, struct saga_scope *ret, int step, enum saga_kind kind)
{
    const struct saga_definition *def = &r->def->def;
    struct slice *results = arena_zalloc(a, (def->step_n + 1) * sizeof *results);

    *ret = (struct saga_scope){ .name = r->def->name, .id = r->key.id, .input = r->run->input, .result = results };
    for (size_t i = 0; results && i < def->step_n; i++) {
        const struct saga_task *k = &r->run->task[SAGA_ACTION][i];

        if (k->status == TASK_SUCCEEDED || k->status == TASK_SKIPPED)
            results[i] = k->result.p ? k->result : SLICE("null");
    }
    if (kind == SAGA_COMPENSATION)
        ret->null_results = UINT64_C(1) << step;
}

struct vault {
    struct outbound *outbound;
    struct arena *arena;
};

static bool secret(void *arg, struct slice target, struct slice name, struct slice *ret)
{
    const struct vault *v = arg;
    const char *why;

    return outbound_secret(v->outbound, name, target, v->arena, ret, &why);
}

/* The instance's trace, with a span of this attempt's own. */
static struct slice new_span(struct arena *a, struct slice traceparent)
{
    int64_t span;
    char *s;

    if (traceparent.n < 55 || !random_id(&span) || !(s = arena_strndup(a, traceparent.p, 55)))
        return SLICE_NONE;
    snprintf(s + 36, 17, "%016llx", (unsigned long long)span);
    s[52] = '-';
    return (struct slice){ s, 55 };
}

static struct slice in_arena(struct arena *a, struct buf *b)
{
    struct slice s = b->failed ? SLICE_NONE : arena_slice(a, (struct slice){ b->p, b->n });

    buf_free(b);
    return s;
}

static void on_answer(struct outbound_call *call, const struct outbound_answer *answer);
static void on_published(struct saga_publication *p);

static enum saga_rendering render_call(struct saga_attempt *at, const struct turn_run *r, const struct saga_http *http,
                                       struct saga_scope *scope, struct slice *ret_shown, struct fault *f)
{
    struct vault vault = { at->sagas->outbound, at->arena };
    struct outbound_header *headers;
    struct saga_call call, shown;
    struct buf b = { 0 };
    enum saga_rendering made = saga_render_call(http, scope, at->arena, &shown, f);

    if (made != SAGA_RENDERED)
        return made;
    scope->secret = secret;
    scope->secret_arg = &vault;
    if ((made = saga_render_call(http, scope, at->arena, &call, f)) != SAGA_RENDERED)
        return made;
    saga_call_show(&b, &shown, SHOWN_BYTES);
    *ret_shown = in_arena(at->arena, &b);
    if (!ret_shown->p || !(headers = arena_alloc(at->arena, (call.header_n + 1) * sizeof *headers)))
        return SAGA_NO_MEMORY;
    for (size_t i = 0; i < call.header_n; i++)
        headers[i] = (struct outbound_header){ call.header[i].name, call.header[i].value };
    at->call = (struct outbound_call){ .method = call.method, .url = call.url, .headers = headers, .header_n = call.header_n,
                                       .body = call.body, .traceparent = new_span(at->arena, r->row.traceparent),
                                       .done = on_answer, .arg = at };
    return SAGA_RENDERED;
}

static enum saga_rendering render(struct saga_attempt *at, const struct turn_run *r, const struct saga_step *step,
                                  enum saga_kind kind, struct slice *ret_shown, struct fault *f)
{
    const struct saga_deed *deed = &step->deed[kind];
    const int32_t round = r->run->task[kind][at->answer.step].round;
    struct buf b = { 0 };
    struct slice key, event = SLICE_NONE;
    struct saga_scope scope;
    enum saga_rendering made;

    saga_idempotency_key(&b, r->def->name, r->key.id, step, kind);
    key = in_arena(at->arena, &b);
    saga_scope(r, at->arena, &scope, at->answer.step, kind);
    if (!key.p || !scope.result)
        return SAGA_NO_MEMORY;
    if (deed->kind == SAGA_HTTP) {
        made = render_call(at, r, deed->http, &scope, ret_shown, f);
        at->call.key = key;
        at->call.timeout_us = step->attempt_us;
        at->call.unknown_before = r->run->task[kind][at->answer.step].unknown;
        return made;
    }
    at->published = true;
    made = saga_render_event(deed->publish, &scope, key, round, at->arena, &event, f);
    if (!(key = saga_round_key(at->arena, key, round)).p)
        return SAGA_NO_MEMORY;
    at->publication = (struct saga_publication){ .stream = deed->publish->stream, .event = event, .key = key,
                                                 .traceparent = new_span(at->arena, r->row.traceparent), .done = on_published,
                                                 .arg = at };
    *ret_shown = event;
    at->publication.stream = arena_slice(at->arena, deed->publish->stream); /* it outlives the turn's definition */
    return made == SAGA_RENDERED && !at->publication.stream.p ? SAGA_NO_MEMORY : made;
}

static struct slice refusal(struct arena *a, enum saga_rendering made, const struct fault *f)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"type\":\"%s\"", made == SAGA_NO_SECRET ? "secret" : "template");
    buf_member_text(&b, "message", slice_of(f->detail));
    if (*f->pointer)
        buf_member_text(&b, "pointer", slice_of(f->pointer));
    buf_char(&b, '}');
    return in_arena(a, &b);
}

static struct saga_attempt *attempt_new(struct turn *t, const struct turn_run *r, int step, enum saga_kind kind)
{
    struct arena *a = arena_new(ATTEMPT_ARENA);
    struct saga_attempt *at = a ? arena_zalloc(a, sizeof *at) : NULL;

    if (at) {
        at->arena = a;
        at->sagas = t->s;
        at->key = (struct saga_key){ r->key.saga_id, arena_slice(a, r->key.id) };
        at->answer.step = step;
        at->answer.kind = kind;
    }
    if (at && at->key.id.p)
        return at;
    arena_free(a);
    return NULL;
}

enum saga_rendering saga_attempt_new(struct turn *t, struct turn_run *r, int step, enum saga_kind kind, struct saga_attempt **ret,
                                     struct saga_input *ret_input)
{
    struct saga_attempt *at = attempt_new(t, r, step, kind);
    struct fault f = { 0 };
    struct slice shown = SLICE_NONE;
    enum saga_rendering made = at ? render(at, r, &r->def->def.step[step], kind, &shown, &f) : SAGA_NO_MEMORY;

    *ret_input = (struct saga_input){ .what = SAGA_IN_ADMITTED, .step = step, .kind = kind, .owner = t->owner,
                                      .request = shown };
    if (made == SAGA_REFUSED || made == SAGA_NO_SECRET) {
        ret_input->what = made == SAGA_REFUSED ? SAGA_IN_UNFIT : SAGA_IN_PUT_OFF;
        ret_input->request = SLICE_NONE;
        ret_input->error = refusal(t->arena, made, &f);
        if (!ret_input->error.p)
            made = SAGA_NO_MEMORY;
    }
    if (made != SAGA_RENDERED && at) {
        arena_free(at->arena);
        at = NULL;
    }
    *ret = at;
    return made;
}

void saga_attempt_free(struct saga_attempt *at)
{
    if (!at)
        return;
    outbound_release(at->sagas->outbound, at->call.slot);
    arena_free(at->arena);
}

/* --- what comes of it --- */

static bool keep(struct saga_attempt *at, struct slice *s)
{
    if (!s->p)
        return true;
    *s = arena_slice(at->arena, *s);
    return s->p;
}

/* Texts that there is no memory for are left out, but for a result: without that it is unknown. */
static void keep_texts(struct saga_attempt *at)
{
    struct saga_input *in = &at->answer;

    keep(at, &in->answer);
    keep(at, &in->error);
    if (!keep(at, &in->result) && in->what == SAGA_IN_OK) {
        in->what = SAGA_IN_AGAIN;
        in->unknown = true;
        in->error = SLICE("{\"type\":\"memory\",\"message\":\"The answer did not fit into memory.\"}");
    }
}

static void on_answer(struct outbound_call *call, const struct outbound_answer *answer)
{
    static const enum saga_input_kind what[] = { [OUTBOUND_OK] = SAGA_IN_OK, [OUTBOUND_FAILED] = SAGA_IN_REFUSED,
                                                 [OUTBOUND_NOT_YET] = SAGA_IN_LATER, [OUTBOUND_AGAIN] = SAGA_IN_AGAIN };
    struct saga_attempt *at = call->arg;
    struct saga_input *in = &at->answer;

    call->slot = (struct outbound_slot){ 0 }; /* it is free already */
    in->what = answer->aborted ? SAGA_IN_RELEASED : what[answer->class];
    in->unknown = answer->unknown;
    in->after_us = answer->retry_after_us > 0 ? answer->retry_after_us : 0;
    in->result = answer->class == OUTBOUND_OK ? answer->result : SLICE_NONE;
    in->error = answer->class == OUTBOUND_OK ? SLICE_NONE : answer->error;
    in->answer = answer->answer;
    keep_texts(at);
    lane_answer(at);
}

static void on_published(struct saga_publication *p)
{
    static const enum saga_input_kind what[] = { [SAGA_PUBLISHED] = SAGA_IN_OK, [SAGA_NOT_PUBLISHED] = SAGA_IN_REFUSED,
                                                 [SAGA_PUBLISH_AGAIN] = SAGA_IN_AGAIN };
    struct saga_attempt *at = p->arg;
    struct saga_input *in = &at->answer;

    in->what = what[p->outcome];
    in->unknown = p->unknown;
    in->result = in->answer = p->outcome == SAGA_PUBLISHED ? p->result : SLICE_NONE;
    in->error = p->outcome == SAGA_PUBLISHED ? SLICE_NONE : p->error;
    keep_texts(at);
    lane_answer(at);
}

/* --- beginning: the lane's thread, after the commit --- */

/* Who stood still between COMMIT and this sends nothing any more: others have taken it back, and may even have undone it. Has it a new
 * lease since, that is another owner's. */
static void begin(struct sagas *s, struct saga_attempt *at)
{
    const bool lives = clock_mono_us() < atomic_load(&s->lives_until_us) && at->answer.owner == atomic_load(&s->owner);

    if (lives && !at->published) {
        outbound_send(s->outbound, &at->call);
    } else if (!lives || !saga_publish(s->publisher, &at->publication)) {
        at->answer.what = SAGA_IN_RELEASED;
        lane_answer(at);
    }
}

void saga_attempts_begin(struct sagas *s, struct saga_attempt *list)
{
    pthread_mutex_lock(&s->lock);
    for (struct saga_attempt *at = list; at; at = at->next) {
        at->after = s->in_flight;
        at->before = NULL;
        if (s->in_flight)
            s->in_flight->before = at;
        s->in_flight = at;
        s->in_flight_n++;
    }
    pthread_mutex_unlock(&s->lock);
    for (struct saga_attempt *next; list; list = next) {
        next = list->next;
        begin(s, list);
    }
}
