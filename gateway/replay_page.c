#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/engine/event.h"
#include "gateway/replay.h"

#define PAGE_EVENTS 1000
#define ARENA_BYTES (64UL << 20)    /* ids and sources of a page, unescaped */

/* --- an answer into a page --- */

enum own { NOT_OWN, PARTITION, OFFSET, RECORDED, OTHER };

/* What Weir adds to an event, and ignores in one that is published. */
static enum own own_of(struct slice name)
{
    static const struct {
        struct slice name;
        enum own own;
    } table[] = { { { "partition", 9 }, PARTITION }, { { "offset", 6 }, OFFSET }, { { "recordedtime", 12 }, RECORDED },
                  { { "stream", 6 }, OTHER }, { { "version", 7 }, OTHER }, { { "schemaerror", 11 }, OTHER } };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (slice_eq(name, table[i].name))
            return table[i].own;
    return NOT_OWN;
}

static bool take_own(enum own own, struct slice raw, struct replay_event *ev)
{
    struct slice inside = { raw.p + 1, raw.n < 2 ? 0 : raw.n - 2 };
    int64_t partition;

    switch (own) {
    case PARTITION:
        if (!json_int64(raw, &partition) || partition < 0 || partition >= PARTITIONS_MAX)
            return false;
        ev->partition = (int)partition;
        return true;
    case OFFSET:
        return json_int64(inside, &ev->offset) && ev->offset > 0;
    case RECORDED:
        return clock_parse(inside, &ev->recorded_us);
    default:
        return true;
    }
}

static bool read_event(struct json *j, struct replay_page *page, struct replay_event *ev)
{
    struct slice key, raw, source = SLICE_NONE;
    bool escaped;

    *ev = (struct replay_event){ .at = page->text.n, .partition = -1 };
    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key, &escaped)) {
        enum own own = own_of(key);

        if (!json_value(j, &raw) || !take_own(own, raw, ev) || (slice_is(key, "id") && !json_text(page->arena, raw, &ev->id)) ||
            (slice_is(key, "source") && !json_text(page->arena, raw, &source)))
            return false;
        if (own != NOT_OWN)
            continue;
        buf_str(&page->text, page->text.n == ev->at ? "{\"" : ",\"");
        buf_slice(&page->text, key);
        BUF_LIT(&page->text, "\":");
        buf_slice(&page->text, raw);
    }
    buf_char(&page->text, '}');
    ev->n = page->text.n - ev->at;
    return !j->error && !page->text.failed && ev->partition >= 0 && ev->offset && ev->id.p && source.p &&
           event_key(source, ev->id, ev->key) && (ev->id = arena_slice(page->arena, ev->id)).p; /* the answer goes */
}

static bool read_events(struct json *j, struct replay_page *page)
{
    if (!json_array_begin(j))
        return false;
    while (json_array_next(j)) {
        if (page->n == page->capacity) {
            size_t more = page->capacity ? page->capacity * 2 : 64;
            struct replay_event *v = realloc(page->v, more * sizeof *v);

            if (!v)
                return false;
            page->v = v;
            page->capacity = more;
        }
        if (!read_event(j, page, &page->v[page->n]))
            return false;
        page->n++;
    }
    return !j->error;
}

static bool read_answer(struct slice body, struct replay_page *page)
{
    struct json j;
    struct slice key, raw;
    bool escaped, good = true;

    page->n = 0;
    page->cursor[0] = '\0';
    page->up_to_date = false;
    buf_reset(&page->text);
    arena_free(page->arena);
    if (!(page->arena = arena_new(ARENA_BYTES)))
        return false;
    json_begin(&j, body, JSON_DEPTH);
    if (!json_object_begin(&j))
        return false;
    while (good && json_object_next(&j, &key, &escaped)) {
        if (slice_is(key, "events")) {
            good = read_events(&j, page);
        } else if ((good = json_value(&j, &raw)) && slice_is(key, "up_to_date")) {
            page->up_to_date = slice_is(raw, "true");
        } else if (good && slice_is(key, "cursor") && raw.n > 2 && raw.n <= CURSOR_TEXT) {
            memcpy(page->cursor, raw.p + 1, raw.n - 2);
            page->cursor[raw.n - 2] = '\0';
        }
    }
    return good && !j.error && page->cursor[0];
}

static bool ask(struct replay *r, const char *path, struct replay_page *page)
{
    struct http_answer a;

    if (!replay_get(r, path, &a))
        return false;
    if (read_answer(a.body, page))
        return true;
    snprintf(r->why, sizeof r->why, "%.400s: what answers are no events, or memory is out", path);
    return false;
}

void replay_page_free(struct replay_page *page)
{
    arena_free(page->arena);
    buf_free(&page->text);
    free(page->v);
}

/* --- ranges --- */

bool replay_probe(struct replay *r, const char *stream, const char *where, int partition, struct replay_page *page,
                  int64_t *ret_offset, int64_t *ret_recorded_us)
{
    char path[CURSOR_TEXT + 256];

    snprintf(path, sizeof path, "/v1/streams/%s/events?%s&partition=%d&limit=1", stream, where, partition);
    if (!ask(r, path, page))
        return false;
    *ret_offset = page->n ? page->v[0].offset : 0;
    *ret_recorded_us = page->n ? page->v[0].recorded_us : INT64_MAX;
    return true;
}

bool replay_range_bound(struct replay *r, struct replay_range *g, const struct replay_stream *s, const char *where,
                        struct replay_page *page)
{
    int64_t next, recorded_us;

    g->partitions = s->partitions;
    for (int p = 0; p < s->partitions; p++) {
        g->end[p] = s->head[p];
        if (where && s->head[p] && !replay_probe(r, g->stream, where, p, page, &next, &recorded_us))
            return false;
        if (where && s->head[p] && next && next <= g->end[p])
            g->end[p] = next - 1;
        g->done[p] = g->end[p] < s->earliest[p];
    }
    return true;
}

static bool ended(const struct replay_range *g)
{
    for (int p = 0; p < g->partitions; p++)
        if (!g->done[p])
            return false;
    return true;
}

/* Leaves in the page what belongs to the range, and marks the partitions that it is past. */
static void keep_inside(struct replay_range *g, struct replay_page *page)
{
    size_t kept = 0;

    for (size_t i = 0; i < page->n; i++) {
        const struct replay_event *ev = &page->v[i];

        if (ev->partition >= g->partitions)
            continue;
        g->done[ev->partition] |= ev->offset >= g->end[ev->partition];
        if (ev->offset <= g->end[ev->partition])
            page->v[kept++] = *ev;
    }
    page->n = kept;
}

/* Filters passed everything over, or it was beyond the end: is anything left? Without asking, a busy stream would never end. */
static bool look_ahead(struct replay *r, struct replay_range *g, struct replay_page *page)
{
    int64_t next, recorded_us;

    for (int p = 0; p < g->partitions; p++) {
        if (g->done[p])
            continue;
        if (!replay_probe(r, g->stream, g->where, p, page, &next, &recorded_us))
            return false;
        g->done[p] = !next || next > g->end[p];
    }
    page->n = 0;
    return true;
}

bool replay_range_next(struct replay *r, struct replay_range *g, struct replay_page *page)
{
    struct buf path = { 0 };
    bool good = true;

    page->n = 0;
    while (good && !page->n && !ended(g)) {
        buf_reset(&path);
        buf_printf(&path, "/v1/streams/%s/events?%s&limit=%d%s", g->stream, g->where, PAGE_EVENTS, g->filters);
        buf_char(&path, '\0');
        if (path.failed)
            snprintf(r->why, sizeof r->why, "memory is out");
        if (!(good = !path.failed && ask(r, path.p, page)))
            break;
        snprintf(g->where, sizeof g->where, "after=%s", page->cursor);
        keep_inside(g, page);
        if (page->up_to_date)
            memset(g->done, true, sizeof g->done);
        else if (!page->n)
            good = look_ahead(r, g, page);
    }
    buf_free(&path);
    return good;
}
