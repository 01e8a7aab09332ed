#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/engine/saga_events_parts.h"

#define PAGE_EVENTS 1000
#define PAGE_BYTES ((int64_t)4 << 20)
#define PAGE_SCAN 50000          /* offsets looked at */
#define QUERIES_MAX 10000        /* values of a page that are looked for; those of one event come anyway */
#define TEXT_MAX ((size_t)16 << 20) /* bytes of the events that are delivered by a step; the first one comes anyway */
#define FOUND_MAX 1000           /* waits of a statement */
#define FOUND_ARENA ((size_t)256 << 20)

struct page {
    struct arena *arena;         /* its own */
    struct read_page read;
    size_t event;                /* the one that is looked at */
    struct slice text;           /* of it, as event_render has it; p == NULL: not yet */
    struct saga_query *query;
    struct asked {
        size_t event;
        const struct shape *shape;
        struct slice *values;    /* of the event */
        struct slice text;
    } *asked;                    /* of each query */
    size_t query_n;
    size_t done;                 /* events before this one are served; the others come again */
};

static enum err render(struct step *s, struct page *p)
{
    struct buf b = { 0 };

    if (p->text.p)
        return OK;
    event_render(&b, s->reader->name, &p->read.events[p->event], false);
    p->text = b.failed ? SLICE_NONE : arena_slice(p->arena, (struct slice){ b.p, b.n });
    buf_free(&b);
    return p->text.p ? OK : ERR_NO_MEMORY;
}

static enum err ask(struct step *s, struct page *p, const struct shape *shape)
{
    const struct event *ev = &p->read.events[p->event];
    const struct saga_await *w = shape->await;
    struct saga_query *q = &p->query[p->query_n];
    struct slice *values = arena_alloc(p->arena, (w->match_n + 1) * sizeof *values);
    enum err e = values ? render(s, p) : ERR_NO_MEMORY;

    if (e)
        return e;
    switch (saga_await_found(w, p->text, p->arena, values)) {
    case SAGA_RENDERED:
        break;
    case SAGA_NO_MEMORY:
        return ERR_NO_MEMORY;
    default:
        return OK; /* it has not what anybody waits for */
    }
    *q = (struct saga_query){ .shape = shape->id, .partition = ev->partition, .offset = ev->offset,
                              .passed = ev->offset <= s->position[ev->partition] };
    if (!saga_await_hash(w, shape->id.saga_id, shape->id.version, values, p->arena, &q->hash))
        return ERR_NO_MEMORY;
    p->asked[p->query_n++] = (struct asked){ p->event, shape, values, p->text };
    return OK;
}

/* Its number among those that are delivered; each once. ERR_BODY_TOO_LARGE: it does not fit this step. */
static enum err deliver(struct step *s, const struct event *ev, struct slice text, int32_t *ret)
{
    struct saga_delivered *last = s->events + s->event_n - (s->event_n > 0);

    if (s->event_n && last->partition == ev->partition && last->offset == ev->offset) {
        *ret = (int32_t)s->event_n - 1;
        return OK;
    }
    if (s->event_n && s->text_bytes + text.n > TEXT_MAX)
        return ERR_BODY_TOO_LARGE;
    s->events[s->event_n] = (struct saga_delivered){ ev->partition, ev->offset, arena_slice(s->arena, text) };
    if (!s->events[s->event_n].text.p)
        return ERR_NO_MEMORY;
    s->text_bytes += text.n;
    *ret = (int32_t)s->event_n++;
    return OK;
}

/* The same event makes the same id. */
static enum err start_id(struct step *s, const struct start *st, const struct event *ev, struct slice text, struct slice *ret)
{
    const struct saga_scope scope = { .name = st->row->saga, .event = text, .missing_is_null = true };
    const char *id;

    if (st->on->id) {
        enum saga_rendering r = saga_render(st->on->id, &scope, s->arena, ret, NULL);

        if (r == SAGA_NO_MEMORY)
            return ERR_NO_MEMORY;
        if (r == SAGA_RENDERED && saga_id_valid(*ret))
            return OK;
    }
    id = arena_printf(s->arena, "%lld-%d-%lld", (long long)s->reader->stream_id, ev->partition, (long long)ev->offset);
    *ret = slice_of(id);
    return id ? OK : ERR_NO_MEMORY;
}

static enum err begin_instance(struct step *s, struct page *p, const struct start *st)
{
    const struct event *ev = &p->read.events[p->event];
    struct saga_delivery *d = &s->begun[s->begun_n];
    enum err e = render(s, p);

    *d = (struct saga_delivery){ .id = { .saga_id = st->row->saga_id, .step = -1 } };
    if (e || (e = start_id(s, st, ev, p->text, &d->id.instance)) || (e = deliver(s, ev, p->text, &d->event)))
        return e;
    s->begun_n++;
    return OK;
}

static bool is_taken(const struct step *s, const uint8_t reread_id[16])
{
    for (size_t i = 0; i < s->reread_n; i++)
        if (!memcmp(s->rereads[i].id, reread_id, 16))
            return true;
    return false;
}

static bool starts(const struct step *s, const struct start *st, const struct event *ev)
{
    return saga_start_type(st->on, ev->type) && ev->offset > st->row->after[ev->partition] &&
           (ev->offset > s->position[ev->partition] || is_taken(s, st->row->reread_id));
}

/* The waits' events are found first, since what is delivered comes in the order of the log. */
static enum err begin_instances(struct step *s, struct page *p)
{
    enum err e = OK;

    for (p->event = 0; p->event < p->done; p->event++) {
        p->text = SLICE_NONE;
        for (size_t i = 0; !e && i < s->start_n; i++)
            if (starts(s, &s->starts[i], &p->read.events[p->event]))
                e = s->begun_n < SAGA_HITS_MAX ? begin_instance(s, p, &s->starts[i]) : ERR_BODY_TOO_LARGE;
        if (e == ERR_BODY_TOO_LARGE) { /* what it began comes again, which changes nothing */
            p->done = p->event;
            s->cut = true;
            return OK;
        }
        if (e)
            return e;
    }
    return OK;
}

static enum err ask_all(struct step *s, struct page *p)
{
    enum err e = OK;

    for (p->event = 0; !e && p->event < p->read.n; p->event++) {
        if (p->query_n >= QUERIES_MAX) {
            s->cut = true;
            break;
        }
        p->text = SLICE_NONE;
        for (size_t i = 0; !e && i < s->shape_n; i++)
            if (saga_await_type(s->shapes[i].await, p->read.events[p->event].type) != SAGA_MATCHES_NOT)
                e = ask(s, p, &s->shapes[i]);
    }
    p->done = p->event;
    return e;
}

/* Is it what the wait waits for, not only of the same hash? */
static enum err is_wanted(const struct asked *q, struct slice match, bool *ret)
{
    const struct saga_await *await = q->shape->await;
    struct arena *work = arena_new(FOUND_ARENA);
    struct slice wanted[SAGA_MATCHES_MAX];
    size_t n = 0;
    struct json j;
    bool failed = !work;

    json_begin(&j, match, JSON_DEPTH);
    if (json_array_begin(&j))
        while (n < await->match_n && json_array_next(&j) && json_value(&j, &wanted[n]))
            n++;
    *ret = !failed && n == await->match_n && saga_await_equal(await, wanted, q->values, work, &failed);
    arena_free(work);
    return failed ? ERR_NO_MEMORY : OK;
}

/* ERR_BODY_TOO_LARGE: the step is full. */
static enum err collect_hit(struct step *s, struct page *p, const struct asked *q, const struct saga_found *found)
{
    struct hit h = { .shape = q->shape };
    bool wanted = false;
    enum err e = found->served ? OK : is_wanted(q, found->match, &wanted);

    if (e || !wanted)
        return e;
    if (s->hit_n == SAGA_HITS_MAX)
        return ERR_BODY_TOO_LARGE;
    memcpy(h.reread_id, found->reread_id, sizeof h.reread_id);
    if (!(h.instance = arena_slice(s->arena, found->instance)).p)
        return ERR_NO_MEMORY;
    if (!(e = deliver(s, &p->read.events[q->event], q->text, &h.event)))
        s->hits[s->hit_n++] = h;
    return e;
}

/* From *first on, of that one behind the instance *behind: who only has the hash of an event must not keep back those behind him. */
static enum err collect_some(struct step *s, struct page *p, size_t *first, struct slice *behind, bool *ret_more)
{
    struct arena *work = arena_new(FOUND_ARENA);
    struct saga_found *found = NULL;
    size_t n = 0;
    enum err e = work ? OK : ERR_NO_MEMORY;

    if (!e)
        e = db_saga_waits_find(s->db, work, s->reader->stream_id, p->query + *first, p->query_n - *first, *behind, s->rereads,
                               s->reread_n, FOUND_MAX, &found, &n, s->f);
    *ret_more = n == FOUND_MAX;
    for (size_t i = 0; !e && i < n; i++) {
        const struct asked *q = &p->asked[*first + found[i].query];

        if ((e = collect_hit(s, p, q, &found[i])) == ERR_BODY_TOO_LARGE) { /* its event comes again for the others */
            s->cut = true;
            p->done = q->event;
            *ret_more = false;
            arena_free(work);
            return OK;
        }
    }
    if (!e && *ret_more && !(*behind = arena_slice(p->arena, found[n - 1].instance)).p)
        e = ERR_NO_MEMORY;
    if (!e && *ret_more)
        *first += found[n - 1].query;
    arena_free(work);
    return e;
}

static enum err collect_hits(struct step *s, struct page *p)
{
    struct slice behind = SLICE("");
    size_t first = 0;
    bool more = p->query_n > 0;
    enum err e = OK;

    while (!e && more)
        e = collect_some(s, p, &first, &behind, &more);
    return e;
}

static enum err read_events(struct step *s, struct page *p)
{
    const struct read_spec spec = { .from = READ_CURSOR, .pos = s->pos, .only = -1, .limit = PAGE_EVENTS, .bytes = PAGE_BYTES,
                                    .scan = PAGE_SCAN, .filter = s->all_types ? NULL : &s->filter };
    struct head_row heads[PARTITIONS_MAX];
    size_t n = 0;
    enum err e = read_page(s->db, p->arena, s->stream, &spec, &p->read, s->f);

    if (e == ERR_CURSOR_EXPIRED) {
        log_warn("retention removed events before sagas that wait have seen them", L_SLICE("stream", s->reader->name));
        p->read.n = 0;
        p->read.up_to_date = false;
        return OK;
    }
    if (e != ERR_CURSOR_UNKNOWN)
        return e;
    log_warn("a stream that sagas wait for was set back", L_SLICE("stream", s->reader->name));
    e = db_stream_heads(s->db, s->reader->stream_id, heads, PARTITIONS_MAX, &n, s->f);
    p->read.n = 0;
    for (size_t i = 0; !e && i < n && i < s->partitions; i++)
        p->read.pos[i] = s->position[i] = heads[i].head;
    return e;
}

/* Where it goes on: behind the page, or before the first event that was not served. */
static void advance(struct step *s, const struct page *p)
{
    if (!s->cut)
        memcpy(s->pos, p->read.pos, s->partitions * sizeof *s->pos);
    for (size_t i = 0; s->cut && i < p->done; i++)
        s->pos[p->read.events[i].partition] = p->read.events[i].offset;
    s->up_to_date = p->read.up_to_date && !s->cut;
}

enum err saga_events_page(struct step *s)
{
    struct page p = { .arena = arena_new(SAGA_STEP_ARENA) };
    size_t cap = QUERIES_MAX + s->shape_n;
    enum err e = ERR_NO_MEMORY;

    p.query = p.arena ? arena_alloc(p.arena, cap * sizeof *p.query) : NULL;
    p.asked = p.arena ? arena_alloc(p.arena, cap * sizeof *p.asked) : NULL;
    if (p.query && p.asked && !(e = read_events(s, &p)) && !(e = ask_all(s, &p)) && !(e = collect_hits(s, &p)) &&
        !(e = begin_instances(s, &p)))
        advance(s, &p);
    arena_free(p.arena);
    return e;
}
