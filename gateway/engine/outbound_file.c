#include "gateway/engine/outbound_file.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/glob.h"
#include "gateway/base/json_tree.h"
#include "gateway/engine/outbound.h"
#include "gateway/engine/outbound_sign.h"

#define DEPTH 8
#define ARENA_BYTES ((size_t)64 << 20)
#define NAME_MAX_BYTES 64              /* of a secret */
#define POINTER_SHOWN 200

struct reading {
    struct outbound_file *file;
    outbound_lookup *look_up;
    void *arg;
    char *err;
};

/* Never with a value, nor with the name of a variable or file: somebody may have written the secret itself there. */
static bool __attribute__((format(printf, 3, 4))) refuse(struct reading *r, const struct json_node *n, const char *fmt, ...)
{
    struct slice at = json_tree_pointer(n, r->file->arena);
    char why[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    at.n = at.n < POINTER_SHOWN ? at.n : POINTER_SHOWN;
    return err_tell(r->err, "%.*s%s%s.", (int)at.n, at.p ? at.p : "", at.n ? ": " : "", why);
}

static bool no_memory(struct reading *r)
{
    return err_tell(r->err, "Memory is out.");
}

static bool is_number(const struct json_node *n, int64_t min, int64_t max, int64_t *ret)
{
    return n->type == JSON_NUMBER && json_int64(n->text, ret) && *ret >= min && *ret <= max;
}

bool outbound_rate_parse(struct slice s, double *ret)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = { { "s", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 } };
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    struct slice number = { s.p, slash ? (size_t)(slash - s.p) : 0 };
    int64_t calls;

    if (!slash || number.n > 7 || !json_int64(number, &calls) || calls < 1 || calls > 1000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_is((struct slice){ slash + 1, s.n - number.n - 1 }, units[i].unit)) {
            *ret = (double)calls / units[i].seconds;
            return true;
        }
    return false;
}

/* {"env":…} or {"file":…}; in `secrets` it has hosts beside. */
static bool read_source(struct reading *r, const struct json_node *n, unsigned others, struct slice *ret)
{
    const struct json_node *env = json_tree_get(n, "env"), *file = json_tree_get(n, "file"), *one = env ? env : file;
    char why[200];

    if (!one || n->n != 1 + others || one->type != JSON_STRING || !one->text.n)
        return refuse(r, n, "%s", others ? "it has one of env and file, and hosts, and nothing else"
                                         : "a signing secret is {\"env\":…} or {\"file\":…}");
    return r->look_up(r->arg, one == file, one->text, r->file->arena, ret, why) || refuse(r, one, "%s", why);
}

static bool read_signing(struct reading *r, const struct json_node *n, struct outbound_rules *t)
{
    struct json_node *const *v = n->type == JSON_ARRAY ? n->child : (struct json_node *const *)&n;
    size_t count = n->type == JSON_ARRAY ? n->n : 1;
    struct slice text;

    if (!count || count > OUTBOUND_SIGNING_SECRETS)
        return refuse(r, n, "it is one secret, or a list of at most %d", OUTBOUND_SIGNING_SECRETS);
    for (; t->key_n < count; t->key_n++) {
        if (!read_source(r, v[t->key_n], 0, &text))
            return false;
        bool good = outbound_key_parse(text, r->file->arena, &t->keys[t->key_n]);

        OPENSSL_cleanse((char *)text.p, text.n);
        if (!good)
            return refuse(r, v[t->key_n], "what it names is not whsec_ and the base64 of 24 to 64 bytes");
    }
    return true;
}

static bool read_rule(struct reading *r, const struct json_node *n, struct outbound_rules *t)
{
    int64_t number;

    if (slice_is(n->name, "signing_secret"))
        return read_signing(r, n, t);
    if (slice_is(n->name, "concurrency")) {
        if (!is_number(n, 1, 10000, &number))
            return refuse(r, n, "it is an integer from 1 to 10000");
        t->concurrency = (int)number;
        return true;
    }
    if (slice_is(n->name, "rate"))
        return (n->type == JSON_STRING && outbound_rate_parse(n->text, &t->rate)) ||
               refuse(r, n, "it is a number of calls a second, minute or hour: \"100/s\", \"2/m\", \"1000/h\"");
    if (slice_is(n->name, "allow_private")) {
        t->allow_private = n->type == JSON_TRUE;
        return n->type == JSON_TRUE || n->type == JSON_FALSE || refuse(r, n, "it is true or false");
    }
    return refuse(r, n, "it is none of signing_secret, concurrency, rate and allow_private");
}

/* A path, query or fragment follows the host. */
static bool more_than_target(struct slice url)
{
    const char *host = (const char *)memmem(url.p, url.n, "://", 3) + 3;
    size_t n = url.n - (size_t)(host - url.p);

    return memchr(host, '/', n) || memchr(host, '?', n) || memchr(host, '#', n);
}

static bool read_target(struct reading *r, const struct json_node *n)
{
    struct outbound_rules *t = &r->file->targets[r->file->target_n++];
    char name[OUTBOUND_TARGET_MAX];
    const char *why;

    *t = (struct outbound_rules){ .target = SLICE_NONE };
    if (!outbound_target(n->name, name, &why))
        return refuse(r, n, "%s", why);
    if (more_than_target(n->name))
        return refuse(r, n, "it is more than scheme, host and port");
    for (size_t i = 0; i + 1 < r->file->target_n; i++)
        if (slice_is(r->file->targets[i].target, name))
            return refuse(r, n, "it stands there twice");
    if (n->type != JSON_OBJECT)
        return refuse(r, n, "it is not an object");
    if (!(t->target = arena_slice(r->file->arena, slice_of(name))).p)
        return no_memory(r);
    for (unsigned i = 0; i < n->n; i++)
        if (!read_rule(r, n->child[i], t))
            return false;
    return true;
}

static bool good_name(struct slice s)
{
    bool good = s.n && s.n <= NAME_MAX_BYTES;

    for (size_t i = 0; good && i < s.n; i++)
        good = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
               (i && memchr("_.-", s.p[i], 3));
    return good;
}

static bool read_hosts(struct reading *r, const struct json_node *n, struct outbound_named_secret *s)
{
    if (n->type != JSON_ARRAY || !n->n || n->n > OUTBOUND_SECRET_HOSTS)
        return refuse(r, n, "it is a list of 1 to %d patterns", OUTBOUND_SECRET_HOSTS);
    for (; s->host_n < n->n; s->host_n++) {
        const struct json_node *one = n->child[s->host_n];

        if (one->type != JSON_STRING || !one->text.n)
            return refuse(r, one, "it is a string that is not empty");
        if (!(s->hosts[s->host_n] = arena_slice(r->file->arena, one->text)).p)
            return no_memory(r);
    }
    return true;
}

static bool read_secret(struct reading *r, const struct json_node *n)
{
    struct outbound_named_secret *s = &r->file->secrets[r->file->secret_n++];
    const struct json_node *hosts = json_tree_get(n, "hosts");

    *s = (struct outbound_named_secret){ .name = arena_slice(r->file->arena, n->name) };
    if (!good_name(n->name) || !s->name.p)
        return refuse(r, n, "a name is 1 to 64 letters, digits and, not first, '_', '.', '-'");
    if (!hosts)
        return refuse(r, n, "hosts is missing, a list of patterns of the hosts that may get it");
    return read_hosts(r, hosts, s) && read_source(r, n, 1, &s->value);
}

/* All members of `n` by `read`, into a list of as many. */
static bool read_all(struct reading *r, const struct json_node *n, size_t max, size_t size, void *ret_list,
                     bool (*read)(struct reading *r, const struct json_node *n))
{
    void *list;

    if (!n)
        return true;
    if (n->type != JSON_OBJECT || n->n > max)
        return refuse(r, n, "it is an object of at most %zu members", max);
    if (!(list = arena_zalloc(r->file->arena, (n->n + 1) * size)))
        return no_memory(r);
    memcpy(ret_list, &list, sizeof list);
    for (unsigned i = 0; i < n->n; i++)
        if (!read(r, n->child[i]))
            return false;
    return true;
}

static bool read_root(struct reading *r, const struct json_node *root)
{
    const struct json_node *targets = json_tree_get(root, "targets"), *secrets = json_tree_get(root, "secrets");

    if (root->type != JSON_OBJECT || root->n != (unsigned)!!targets + (unsigned)!!secrets)
        return err_tell(r->err, "It is not of the form {\"targets\":{…},\"secrets\":{…}}, of which either may be left out.");
    return read_all(r, targets, OUTBOUND_FILE_TARGETS, sizeof *r->file->targets, &r->file->targets, read_target) &&
           read_all(r, secrets, OUTBOUND_FILE_SECRETS, sizeof *r->file->secrets, &r->file->secrets, read_secret);
}

struct outbound_file *outbound_file_parse(struct slice text, outbound_lookup *look_up, void *arg, char err[512])
{
    struct outbound_file *f = calloc(1, sizeof *f);
    struct reading r = { f, look_up, arg, err };
    struct json_node *root;
    struct fault fault = { 0 };
    bool good = false;

    if (!f || !(f->arena = arena_new(ARENA_BYTES))) {
        err_tell(err, "Memory is out.");
    } else if (json_tree_parse(text, DEPTH, f->arena, &root, &fault)) {
        err_tell(err, "It is not JSON: %s%s%.300s", fault.pointer, *fault.pointer ? ": " : "", fault.detail);
    } else {
        good = read_root(&r, root);
    }
    if (f)
        atomic_init(&f->references, 1);
    if (good)
        return f;
    outbound_file_free(f);
    return NULL;
}

struct outbound_file *outbound_file_ref(struct outbound_file *f)
{
    atomic_fetch_add(&f->references, 1);
    return f;
}

void outbound_file_free(struct outbound_file *f)
{
    if (!f || atomic_fetch_sub(&f->references, 1) > 1)
        return;
    for (size_t i = 0; i < f->secret_n; i++)
        OPENSSL_cleanse((char *)f->secrets[i].value.p, f->secrets[i].value.n);
    for (size_t i = 0; i < f->target_n; i++)
        for (size_t k = 0; k < f->targets[i].key_n; k++)
            OPENSSL_cleanse((char *)f->targets[i].keys[k].p, f->targets[i].keys[k].n);
    arena_free(f->arena);
    free(f);
}

const struct outbound_rules *outbound_file_rules(const struct outbound_file *f, struct slice target)
{
    for (size_t i = 0; i < f->target_n; i++)
        if (slice_eq(f->targets[i].target, target))
            return &f->targets[i];
    return NULL;
}

struct slice outbound_host(struct slice target)
{
    const char *from = memmem(target.p, target.n, "://", 3), *end = target.p + target.n, *colon;

    from = from ? from + 3 : target.p;
    colon = memrchr(from, ':', (size_t)(end - from));
    if (colon && !memchr(colon, ']', (size_t)(end - colon)))
        end = colon;
    return (struct slice){ from, (size_t)(end - from) };
}

bool outbound_secret_for(const struct outbound_named_secret *s, struct slice target)
{
    struct slice host = outbound_host(target);
    bool found = false;

    for (size_t i = 0; i < s->host_n; i++)
        found |= glob_match(s->hosts[i], memmem(s->hosts[i].p, s->hosts[i].n, "://", 3) ? target : host);
    return found;
}

const struct outbound_named_secret *outbound_file_secret(const struct outbound_file *f, struct slice name, struct slice target,
                                                         const char **ret_why)
{
    *ret_why = "no secret of this name is configured";
    for (size_t i = 0; i < f->secret_n; i++)
        if (slice_eq(f->secrets[i].name, name)) {
            *ret_why = "the secret is not for this host";
            return outbound_secret_for(&f->secrets[i], target) ? &f->secrets[i] : NULL;
        }
    return NULL;
}
