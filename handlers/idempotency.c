#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <strings.h>

#include "handlers/publishing.h"

/* RFC 8941 3.3.3 for the quoted form; the header is an Item without parameters (draft-ietf-httpapi-idempotency-key-header). */
bool idempotency_key_parse(struct slice header, char ret[IDEMPOTENCY_KEY_MAX + 1])
{
    bool quoted = header.n >= 2 && header.p[0] == '"' && header.p[header.n - 1] == '"';
    size_t n = 0, end = header.n - quoted;

    for (size_t i = quoted; i < end; i++) {
        bool escaped = quoted && header.p[i] == '\\';

        if (escaped && (++i == end || (header.p[i] != '"' && header.p[i] != '\\')))
            return false;
        if (header.p[i] <= 0x20 || header.p[i] >= 0x7f || (header.p[i] == '"' && !escaped) || n == IDEMPOTENCY_KEY_MAX)
            return false;
        ret[n++] = header.p[i];
    }
    ret[n] = '\0';
    return n > 0;
}

struct digest {
    EVP_MD_CTX *context;
    bool ok;
};

static struct digest digest_begin(void)
{
    struct digest d = { .context = EVP_MD_CTX_new() };

    d.ok = d.context && EVP_DigestInit_ex(d.context, EVP_sha256(), NULL) == 1;
    return d;
}

/* Each piece with its length before it, so that no two sequences of pieces are the same bytes; an absent one has a length of its own. */
static void digest_put(struct digest *d, struct slice s)
{
    uint64_t n = s.p ? s.n : UINT64_MAX;

    d->ok = d->ok && EVP_DigestUpdate(d->context, &n, sizeof n) == 1 &&
            (!s.p || EVP_DigestUpdate(d->context, s.p, s.n) == 1);
}

static enum err digest_end(struct digest *d, uint8_t ret_half[16])
{
    uint8_t whole[32];

    d->ok = d->ok && EVP_DigestFinal_ex(d->context, whole, NULL) == 1;
    if (d->ok)
        memcpy(ret_half, whole, 16);
    EVP_MD_CTX_free(d->context);
    return d->ok ? OK : ERR_NO_MEMORY;
}

enum err idempotency_digest(struct request *rq, uint8_t ret[16], bool *ret_there)
{
    struct slice header = request_header(rq, "Idempotency-Key");
    char text[IDEMPOTENCY_KEY_MAX + 1];
    struct digest d;

    if (!(*ret_there = header.p))
        return OK;
    if (!idempotency_key_parse(header, text))
        return fault(&rq->fault, ERR_BAD_REQUEST,
                     "Idempotency-Key takes one string of 1 to %d visible ASCII characters, in double quotes or bare.",
                     IDEMPOTENCY_KEY_MAX);
    d = digest_begin();
    digest_put(&d, principal_issuer(rq->who));
    digest_put(&d, principal_subject(rq->who));
    /* without sub it is not known who calls: such keys are the token's alone */
    digest_put(&d, principal_subject(rq->who).n ? SLICE_NONE : request_header(rq, "Authorization"));
    digest_put(&d, slice_of(rq->route->method));
    digest_put(&d, slice_of(rq->route->path));
    digest_put(&d, request_path(rq, request_path(rq, "saga").p ? "saga" : "stream"));
    digest_put(&d, slice_of(text));
    return digest_end(&d, ret);
}

enum err idempotency_key(struct request *rq, struct publish_key **ret)
{
    struct publish_key *key = arena_zalloc(rq->arena, sizeof *key);
    bool there;
    enum err e = key ? idempotency_digest(rq, key->key, &there) : ERR_NO_MEMORY;

    if (e || !there)
        return e;
    key->render = receipt_render;
    key->limit = (size_t)rq->config->idempotency_bytes;
    *ret = key;
    return OK;
}

/* By name in any case, then by value: the order in which they came says nothing. */
static int by_header(const void *a, const void *b)
{
    const struct event_header *x = a, *y = b;
    size_t name = x->name.n < y->name.n ? x->name.n : y->name.n, value = x->value.n < y->value.n ? x->value.n : y->value.n;
    int c = strncasecmp(x->name.p, y->name.p, name);

    if (!c)
        c = (x->name.n > y->name.n) - (x->name.n < y->name.n);
    if (!c)
        c = memcmp(x->value.p, y->value.p, value);
    return c ? c : (x->value.n > y->value.n) - (x->value.n < y->value.n);
}

static bool put_ce_headers(struct request *rq, struct digest *d, struct ce_headers *h)
{
    qsort(h->v, h->n, sizeof *h->v, by_header);
    for (size_t i = 0; i < h->n; i++) {
        char *name = arena_strndup(rq->arena, h->v[i].name.p, h->v[i].name.n);

        if (!name)
            return false;
        for (size_t k = 0; k < h->v[i].name.n; k++)
            name[k] = (char)tolower((unsigned char)name[k]);
        digest_put(d, slice_of(name));
        digest_put(d, h->v[i].value);
    }
    return true;
}

enum err idempotency_fingerprint(struct request *rq, struct publish_key *key)
{
    static const char *const headers[] = { "Content-Type", "If-Match", "If-None-Match" };
    const char *query = memchr(rq->target.p, '?', rq->target.n);
    struct ce_headers ce;
    struct digest d;
    enum err e;

    if ((e = collect_ce_headers(rq, &ce)))
        return e;
    d = digest_begin();
    digest_put(&d, query ? (struct slice){ query, rq->target.n - (size_t)(query - rq->target.p) } : SLICE_NONE);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        digest_put(&d, request_header(rq, headers[i]));
    d.ok = put_ce_headers(rq, &d, &ce) && d.ok;
    digest_put(&d, rq->body);
    return digest_end(&d, key->fingerprint);
}
