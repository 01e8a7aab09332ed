#include "gateway/engine/event_draft.h"

#include <openssl/evp.h>
#include <pthread.h>

/* OpenSSL looks an algorithm up by name at every use unless it was fetched, and a context is worth keeping: a fetched
 * digest for all, a context for each thread, freed when the thread ends. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts;
static EVP_MD *sha256;

static void context_free(void *context)
{
    EVP_MD_CTX_free(context);
}

static void setup(void)
{
    if (pthread_key_create(&contexts, context_free) == 0)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

struct hash {
    EVP_MD_CTX *context;
    size_t n;
    bool failed;
    char pending[1024];          /* short pieces go in together */
};

static bool hash_begin(struct hash *h)
{
    pthread_once(&once, setup);
    if (!sha256)
        return false;
    h->n = 0;
    h->failed = false;
    h->context = pthread_getspecific(contexts);
    if (!h->context) {
        h->context = EVP_MD_CTX_new();
        if (!h->context || pthread_setspecific(contexts, h->context)) {
            EVP_MD_CTX_free(h->context);
            return false;
        }
    }
    return EVP_DigestInit_ex2(h->context, sha256, NULL) == 1;
}

static void hash_flush(struct hash *h)
{
    h->failed |= EVP_DigestUpdate(h->context, h->pending, h->n) != 1;
    h->n = 0;
}

static void hash_put(struct hash *h, const void *p, size_t n)
{
    if (n > sizeof h->pending - h->n)
        hash_flush(h);
    if (n > sizeof h->pending) {
        h->failed |= EVP_DigestUpdate(h->context, p, n) != 1;
    } else if (n) {
        memcpy(h->pending + h->n, p, n);
        h->n += n;
    }
}

/* The length first, so that no two lists of fields look alike; absent differs from empty. */
static void hash_field(struct hash *h, struct slice s)
{
    uint64_t n = s.p ? s.n : UINT64_MAX;
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(n >> (8 * i));
    hash_put(h, length, sizeof length);
    if (s.p)
        hash_put(h, s.p, s.n);
}

static bool hash_end(struct hash *h, uint8_t ret[16])
{
    unsigned char digest[32];

    hash_flush(h);
    if (h->failed || EVP_DigestFinal_ex(h->context, digest, NULL) != 1)
        return false;
    memcpy(ret, digest, 16);
    return true;
}

bool event_key(struct slice source, struct slice id, uint8_t ret[16])
{
    struct hash h;

    if (!hash_begin(&h))
        return false;
    hash_put(&h, source.p, source.n);
    hash_put(&h, "", 1);
    hash_put(&h, id.p, id.n);
    return hash_end(&h, ret);
}

/* The extensions that count, in the order of their names. */
static size_t sorted_extensions(const struct draft *d, const struct attribute *ret[EXTENSIONS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_rest; i++) {
        const struct attribute *at = &d->rest[i];
        size_t k = n;

        if (!at->kind || slice_eq(at->name, SLICE("traceparent")) || slice_eq(at->name, SLICE("tracestate")))
            continue;
        for (; k && slice_order(ret[k - 1]->name, at->name) > 0; k--)
            ret[k] = ret[k - 1];
        ret[k] = at;
        n++;
    }
    return n;
}

bool event_fingerprint(const struct draft *d, const struct event *ev, uint8_t ret[16])
{
    static const enum slot slots[] = { SLOT_TYPE, SLOT_SUBJECT, SLOT_DATACONTENTTYPE, SLOT_DATASCHEMA };
    const struct attribute *sorted[EXTENSIONS_MAX];
    size_t n = sorted_extensions(d, sorted);
    struct hash h;

    if (!hash_begin(&h))
        return false;
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        hash_field(&h, d->known[slots[i]].text);
    hash_put(&h, &(unsigned char){ (unsigned char)n }, 1);
    for (size_t i = 0; i < n; i++) { /* partitionkey is among them */
        hash_put(&h, &(unsigned char){ (unsigned char)sorted[i]->kind }, 1);
        hash_field(&h, sorted[i]->name);
        hash_field(&h, sorted[i]->text);
    }
    hash_put(&h, &(unsigned char){ (unsigned char)ev->data_format }, 1);
    hash_field(&h, ev->data);
    return hash_end(&h, ret);
}
