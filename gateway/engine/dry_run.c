#include "gateway/engine/dry_run.h"

#include "db/read.h"
#include "gateway/base/clock.h"
#include "gateway/engine/validate.h"

/* Each partition is read backwards by the page, from its head; what is newest of all is checked next. */
#define WINDOW 5000                        /* offsets that one page looks at */
#define PAGE_EVENTS 500
#define PAGES_BYTES ((int64_t)16 << 20)    /* of the pages of all partitions, which hold an event at least */
#define STEP_ARENA ((size_t)64 << 10)      /* for a look at where a partition stands */
#define FINDINGS_ARENA ((size_t)64 << 20)  /* for what is wrong with one event, before it is cut to what is shown */

struct part {
    int64_t next;                          /* the newest offset that has not been read */
    struct rows rows;                      /* what was read; */
    int at;                                /* from here on it is not checked yet */
    bool dry;                              /* nothing is left to be read */
};

struct run {
    struct db *db;
    struct arena *arena;
    const struct stream *stream;
    struct slice type;                     /* p == NULL: any */
    struct checker *checker;
    bool (*stop)(void *arg);
    void *arg;
    int64_t left, bytes, deadline_us;
    struct part parts[PARTITIONS_MAX];
    struct dry_run *ret;
    struct fault *fault;
};

/* --- which events are of a subject --- */

static size_t count_of(struct slice text, const char *word)
{
    size_t n = 0, k = strlen(word);

    for (const char *at = text.p; (at = memmem(at, (size_t)(text.p + text.n - at), word, k)); at += k)
        n++;
    return n;
}

/* The one type of which the template makes this text. */
static bool type_for(struct arena *a, struct slice template, struct slice stream, struct slice text, struct slice *ret)
{
    const char *first = memmem(template.p, template.n, "{type}", 6);
    struct slice fixed = subject_of(a, template, stream, SLICE("")), made, before = SLICE("");
    size_t count = count_of(template, "{type}");

    *ret = SLICE_NONE;
    if (!fixed.p || text.n < fixed.n || (count && (text.n == fixed.n || (text.n - fixed.n) % count)))
        return false;
    if (count) {
        before = subject_of(a, (struct slice){ template.p, (size_t)(first - template.p) }, stream, SLICE(""));
        *ret = (struct slice){ text.p + before.n, (text.n - fixed.n) / count };
    }
    made = subject_of(a, template, stream, ret->p ? *ret : SLICE(""));
    return made.p && before.p && slice_eq(made, text);
}

bool dry_run_type(struct arena *a, struct slice template, struct slice stream, const struct schema_subject *subject,
                  struct slice *ret)
{
    struct slice text = schema_subject_text(a, subject), spelled;

    if (text.p && type_for(a, template, stream, text, ret))
        return true;
    spelled = slice_of(arena_printf(a, ":%.*s:%.*s", (int)subject->context.n, subject->context.p, (int)subject->name.n,
                                    subject->name.p)); /* the default context too, which needs no prefix */
    return spelled.p && type_for(a, template, stream, spelled, ret);
}

/* --- reading --- */

static bool is_over(struct run *r)
{
    return r->bytes > DRY_RUN_BYTES || clock_mono_us() >= r->deadline_us || r->stop(r->arg);
}

static enum err look(struct run *r, struct arena *a, int partition, int64_t offset, struct bounds_row *ret)
{
    const struct place at = { r->stream->row.stream_id, offset, partition };
    size_t gone = 0;
    enum err e = db_read_bounds(r->db, a, &at, sizeof at, 1, ret, &gone, r->fault);

    return e || gone ? e : fault(r->fault, ERR_UNKNOWN_STREAM, "The stream was deleted.");
}

/* The page before; its months are those of its first and its last offset, and all between. */
static enum err read_before(struct run *r, struct arena *a, int partition, struct part *p)
{
    struct page_query q = { .after = { r->stream->row.stream_id, 0, partition }, .upto = p->next, .limit = PAGE_EVENTS,
                            .bytes = PAGES_BYTES / r->stream->row.partitions, .types = &r->type, .type_n = r->type.p != NULL };
    struct bounds_row first, last;
    enum err e = look(r, a, partition, p->next - 1, &last);

    if (e)
        return e;
    if ((p->dry = p->next < last.earliest || p->next < 1))
        return OK;
    q.after.offset = p->next - WINDOW > last.earliest - 1 ? p->next - WINDOW : last.earliest - 1;
    if ((e = look(r, a, partition, q.after.offset, &first)))
        return e;
    q.from_us = first.from_us;
    q.to_us = last.to_us;
    rows_free(&p->rows);
    p->at = 0;
    if ((e = db_read_back(r->db, &q, &p->rows, r->fault)))
        return e;
    p->next = p->rows.n ? row_int8(&p->rows, p->rows.n - 1, 0) - 1 : q.after.offset;
    return OK;
}

/* Something of the partition, unless it is at its end. */
static enum err fill(struct run *r, int partition)
{
    struct part *p = &r->parts[partition];
    enum err e = OK;

    while (!e && !p->dry && p->at == p->rows.n && !is_over(r)) {
        struct arena *a = arena_new(STEP_ARENA);

        e = a ? read_before(r, a, partition, p) : ERR_NO_MEMORY;
        arena_free(a);
    }
    return e;
}

static enum err begin(struct run *r)
{
    struct arena *a = arena_new(STEP_ARENA);
    enum err e = a ? OK : ERR_NO_MEMORY;

    for (int i = 0; !e && i < r->stream->row.partitions; i++) {
        struct bounds_row b;

        if (!(e = look(r, a, i, 0, &b)))
            r->parts[i].next = b.head;
    }
    arena_free(a);
    return e;
}

/* --- checking --- */

static bool keep(struct run *r, const struct finding *found, struct finding *ret)
{
    *ret = (struct finding){ .pointer = schema_shown(r->arena, found->pointer), .detail = schema_shown(r->arena, found->detail) };
    if (found->keyword.n) {
        ret->keyword = schema_shown(r->arena, found->keyword);
        ret->schema_pointer = schema_shown(r->arena, found->schema_pointer);
    }
    return ret->pointer.p && ret->detail.p && (!found->keyword.n || (ret->keyword.p && ret->schema_pointer.p));
}

static enum err keep_sample(struct run *r, const struct event *ev, const struct finding *v, size_t n)
{
    struct dry_run_sample *s = &r->ret->samples[r->ret->n++];

    *s = (struct dry_run_sample){ .partition = ev->partition, .offset = ev->offset, .id = arena_slice(r->arena, ev->id) };
    for (; s->n < n; s->n++)
        if (!keep(r, &v[s->n], &s->v[s->n]))
            return ERR_NO_MEMORY;
    return s->id.p ? OK : ERR_NO_MEMORY;
}

static enum err check(struct run *r, const struct event *ev)
{
    bool shown = r->ret->n < DRY_RUN_SAMPLES;
    struct arena *a = arena_new(FINDINGS_ARENA);
    struct finding found[DRY_RUN_FINDINGS];
    size_t n = 0;
    int64_t steps = INT64_MAX;   /* of all: the time is bounded */
    enum err e = a ? checker_check(r->checker, ev, false, &steps, a, found, shown ? DRY_RUN_FINDINGS : 0, &n) : ERR_NO_MEMORY;

    r->ret->checked++;
    r->ret->refused += !e && n;
    if (!e && n && shown)
        e = keep_sample(r, ev, found, n);
    arena_free(a);
    return e;
}

static enum err take(struct run *r, int partition)
{
    struct part *p = &r->parts[partition];
    struct page_row row;
    struct event ev;

    db_page_row(&p->rows, p->at++, &row);
    ev = (struct event){ .id = row.id, .type = row.type, .data = row.data, .data_format = (enum data_format)row.data_format,
                         .partition = partition, .offset = row.offset };
    r->left--;
    r->bytes += (int64_t)(row.data.n + row.attributes.n);
    return check(r, &ev);
}

/* The partition whose next event is the newest; -1: there is none. */
static int newest(const struct run *r)
{
    int64_t best_us = 0;
    int best = -1;

    for (int i = 0; i < r->stream->row.partitions; i++) {
        const struct part *p = &r->parts[i];
        int64_t us = p->at < p->rows.n ? row_time(&p->rows, p->at, 1) : 0;

        if (p->at < p->rows.n && (best < 0 || us > best_us)) {
            best = i;
            best_us = us;
        }
    }
    return best;
}

static enum err go(struct run *r)
{
    enum err e = begin(r);

    while (!e && r->left) {
        int next;

        for (int i = 0; !e && i < r->stream->row.partitions; i++)
            e = fill(r, i);
        if (e || !(r->ret->complete = !is_over(r)) || (next = newest(r)) < 0)
            break;
        e = take(r, next);
    }
    return e;
}

enum err dry_run(struct db *db, struct arena *a, const struct stream *s, const struct schema_subject *subject,
                 struct checker *checker, int64_t last, bool (*stop)(void *arg), void *arg, struct dry_run *ret, struct fault *f)
{
    struct run r = { .db = db, .arena = a, .stream = s, .checker = checker, .stop = stop, .arg = arg, .left = last, .ret = ret,
                     .fault = f, .deadline_us = clock_mono_us() + DRY_RUN_US };
    struct slice template = s->row.subject_template;
    enum err e;

    *ret = (struct dry_run){ .complete = true };
    if (!dry_run_type(a, template, s->row.name, subject, &r.type))
        return schema_fault(f, SCHEMA_BAD_SUBJECT, "No event of the stream %.*s is of this subject: its subject_template is %.*s.",
                            (int)s->row.name.n, s->row.name.p, template.n < 200 ? (int)template.n : 0, template.p);
    e = go(&r);
    for (int i = 0; i < s->row.partitions; i++)
        rows_free(&r.parts[i].rows);
    return e;
}
