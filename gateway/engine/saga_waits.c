#include "gateway/engine/saga_waits.h"

#include "gateway/base/random.h"

static struct slice array_of(struct arena *a, const struct slice *v, size_t n)
{
    struct buf b = { 0 };
    struct slice text;

    buf_char(&b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        buf_slice(&b, v[i]);
    }
    buf_char(&b, ']');
    text = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return text;
}

enum err saga_waits_begin(struct db *db, struct arena *a, struct saga_wait *v, size_t n, struct fault *f)
{
    struct saga_wait_row *rows = arena_alloc(a, (n + 1) * sizeof *rows);
    uint8_t reread_id[16];
    enum err e;

    if (!rows)
        return ERR_NO_MEMORY;
    if (!random_uuid(reread_id))
        return ERR_INTERNAL;
    for (size_t i = 0; i < n; i++) {
        const struct saga_await *w = v[i].await;

        rows[i] = (struct saga_wait_row){ .id = v[i].id, .version = v[i].version, .stream = w->stream,
                                          .match = array_of(a, v[i].values, w->match_n) };
        if (!rows[i].match.p || !saga_await_hash(w, v[i].id.saga_id, v[i].version, v[i].values, a, &rows[i].hash))
            return ERR_NO_MEMORY;
    }
    if ((e = db_saga_waits_begin(db, a, reread_id, rows, n, f)))
        return e;
    for (size_t i = 0; i < n; i++)
        v[i].missing = rows[i].missing;
    return OK;
}

bool saga_waits_end(struct db *db, struct arena *a, const struct saga_wait_id *v, size_t n)
{
    return db_saga_waits_end(db, a, v, n);
}

enum err saga_starts_put(struct db *db, int64_t saga_id, struct slice stream, struct fault *f)
{
    uint8_t reread_id[16];

    return random_uuid(reread_id) ? db_saga_starts_put(db, saga_id, stream, reread_id, f) : ERR_INTERNAL;
}
