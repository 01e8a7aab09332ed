#include <stdio.h>

#include "gateway/base/json_tree.h"
#include "handlers/link.h"
#include "handlers/sagas.h"

/* What bodies and paths of sagas have in common. */

#define TREE_ARENA ((size_t)64 << 20) /* of a body of 256 KiB */

static enum err malformed(struct request *rq, const struct json *j)
{
    return fault(&rq->fault, ERR_BAD_JSON, "The body is not valid JSON at byte %zu: %s", (size_t)(j->p - j->start),
                 j->error ? j->error : "something follows the value");
}

static enum err wrong(struct request *rq, const char *name, const char *what)
{
    snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "/%s", name);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", what);
}

static struct raw_member *find(struct raw_member *v, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(name, v[i].name))
            return &v[i];
    return NULL;
}

static enum err stranger(struct request *rq, struct slice name)
{
    struct buf b = { 0 };

    buf_pointer_token(&b, name);
    snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "/%.*s", b.n < 190 ? (int)b.n : 0, b.n ? b.p : "");
    buf_free(&b);
    return fault(&rq->fault, ERR_BAD_BODY, "There is no such member.");
}

enum err raw_members(struct request *rq, struct raw_member *v, size_t n)
{
    struct slice key, name;
    struct raw_member *m;
    enum json_type type;
    struct json j;
    bool escaped;
    enum err e;

    if (!rq->body.n)
        return OK;
    if ((e = request_json(rq)))
        return e;
    json_begin(&j, rq->body, (unsigned)rq->config->json_depth);
    if (json_peek(&j, &type) && type != JSON_OBJECT)
        return fault(&rq->fault, ERR_BAD_BODY, "The body must be an object.");
    if (!json_object_begin(&j))
        return malformed(rq, &j);
    while (json_object_next(&j, &key, &escaped)) {
        if (!json_unescape(rq->arena, key, escaped, &name))
            return ERR_NO_MEMORY;
        if (!(m = find(v, n, name)))
            return stranger(rq, name);
        if (m->raw.p)
            return wrong(rq, m->name, "The member is there twice.");
        if (!json_value(&j, &m->raw))
            return malformed(rq, &j);
    }
    return j.error || !json_end(&j) ? malformed(rq, &j) : OK;
}

enum err raw_text(struct request *rq, const struct raw_member *m, size_t max, struct slice *ret)
{
    char why[60];

    *ret = SLICE_NONE;
    if (!m->raw.p || slice_is(m->raw, "null"))
        return OK;
    snprintf(why, sizeof why, "It must be a string of 1 to %zu bytes.", max);
    if (*m->raw.p != '"')
        return wrong(rq, m->name, why);
    if (!json_text(rq->arena, m->raw, ret))
        return ERR_NO_MEMORY;
    if (!ret->n || ret->n > max)
        return wrong(rq, m->name, why);
    return memchr(ret->p, '\0', ret->n) ? wrong(rq, m->name, "It must not hold U+0000.") : OK;
}

enum err raw_json(struct request *rq, const struct raw_member *m, struct arena *a, struct slice *ret)
{
    struct arena *scratch = arena_new(TREE_ARENA);
    struct slice raw = m->raw.p ? m->raw : SLICE("null");
    struct json_node *tree;
    struct buf b = { 0 };
    enum err e = scratch ? json_tree_parse(raw, (unsigned)rq->config->json_depth, scratch, &tree, &rq->fault) : ERR_NO_MEMORY;

    if (!e) {
        json_tree_write(tree, false, &b);
        *ret = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
        e = ret->p ? OK : ERR_NO_MEMORY;
    }
    buf_free(&b);
    arena_free(scratch);
    return e;
}

const char *saga_instance_path(struct request *rq, struct arena *a, struct slice id)
{
    struct slice name = request_path(rq, "saga");
    const char *path = NULL;
    struct buf b = { 0 };

    BUF_LIT(&b, "/v1/sagas/");
    buf_slice(&b, name);
    BUF_LIT(&b, "/instances/");
    link_encode(&b, id.p ? id : request_path(rq, "id"));
    if (!b.failed)
        path = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return path;
}

bool saga_state_read(struct slice word, int *ret)
{
    for (int s = SAGA_RUNNING; s < SAGA_STATES; s++)
        if (slice_is(word, saga_state_names[s])) {
            *ret = s;
            return true;
        }
    return false;
}

enum err saga_period_check(struct request *rq, const struct saga_filter *q)
{
    if (q->from_us && q->to_us && q->from_us >= q->to_us)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "from must be before to.");
    return OK;
}
