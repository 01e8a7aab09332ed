#include <stdlib.h>
#include <strings.h>

#include "gateway/http/gate.h"

/* Input: "METHOD TARGET VERSION", then a header a line, "name:value". What the gate lets through is looked at again, by rules
 * written down a second time: RFC 9110 and 9112 for a server that wants no ambiguity. */

#define HEADERS_MAX 40

struct head {
    struct slice method, target, version;
    struct slice names[HEADERS_MAX], values[HEADERS_MAX];
    size_t n;
};

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static struct slice cut(struct slice *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct slice part = { rest->p, end ? (size_t)(end - rest->p) : rest->n };

    rest->p += part.n + !!end;
    rest->n -= part.n + !!end;
    return part;
}

static void read_head(struct slice text, struct head *ret)
{
    struct slice line = cut(&text, '\n');

    ret->method = cut(&line, ' ');
    ret->target = cut(&line, ' ');
    ret->version = line;
    for (ret->n = 0; text.n && ret->n < HEADERS_MAX; ret->n++) {
        line = cut(&text, '\n');
        ret->names[ret->n] = cut(&line, ':');
        ret->values[ret->n] = line;
    }
}

static enum err pass(const struct head *h, bool backwards, struct gate *ret, struct fault *f)
{
    gate_begin(ret, h->method, h->target, h->version);
    for (size_t i = 0; i < h->n; i++) {
        size_t k = backwards ? h->n - 1 - i : i;
        gate_header(ret, h->names[k], h->values[k]);
    }
    return gate_end(ret, f);
}

/* How often a header comes; its last value. */
static size_t count(const struct head *h, const char *name, struct slice *ret)
{
    size_t n = 0, length = strlen(name);

    for (size_t i = 0; i < h->n; i++) {
        if (h->names[i].n == length && strncasecmp(h->names[i].p, name, length) == 0) {
            *ret = h->values[i];
            n++;
        }
    }
    return n;
}

static bool within(struct slice s, const char *set)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr(set, s.p[i]))
            return false;
    }
    return true;
}

static bool has_below_or_above(struct slice s, unsigned char least, unsigned char most)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < least || c > most) && !(least == ' ' && c == '\t'))
            return true;
    }
    return false;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void check_bytes(const struct head *h)
{
    demand(h->method.n && within(h->method, LETTERS DIGITS "!#$%&'*+-.^_`|~"));
    demand(h->target.n && h->target.p[0] == '/' && !has_below_or_above(h->target, '!', '~') &&
           !memchr(h->target.p, '#', h->target.n));
    for (size_t i = 0; i < h->n; i++) {
        demand(h->names[i].n && within(h->names[i], LETTERS DIGITS "!#$%&'*+-.^_`|~"));
        demand(!has_below_or_above(h->values[i], ' ', '~'));
    }
}

static void check_framing(const struct head *h, const struct gate *g)
{
    struct slice length = SLICE_NONE, coding = SLICE_NONE;
    size_t lengths = count(h, "Content-Length", &length), codings = count(h, "Transfer-Encoding", &coding);

    demand(lengths + codings <= 1);
    demand(g->chunked == (codings == 1) && (g->content_length >= 0) == (lengths == 1));
    if (codings)
        demand(coding.n == 7 && strncasecmp(coding.p, "chunked", 7) == 0 && slice_is(h->version, "HTTP/1.1"));
    if (lengths) {
        char text[32] = "";
        demand(length.n && length.n < sizeof text && within(length, DIGITS));
        memcpy(text, length.p, length.n);
        demand(g->content_length == strtoll(text, NULL, 10));
    }
}

static void check_host(const struct head *h, const struct gate *g)
{
    struct slice host = SLICE_NONE;
    size_t n = count(h, "host", &host);

    demand(n == 1 || (n == 0 && slice_is(h->version, "HTTP/1.0")));
    demand(slice_eq(host, g->host));
    if (n)
        demand(host.n && within(host, LETTERS DIGITS "-._~!$&'*+[]:"));
}

static void check_once(const struct head *h)
{
    static const char *const once[] = { "Authorization", "Content-Type", "Idempotency-Key", "Content-Encoding", "Expect",
                                        "Origin" };
    struct slice value;

    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        demand(count(h, once[i], &value) <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head h = { 0 };
    struct gate g, backwards;
    struct fault f = { 0 };
    enum err e;

    read_head((struct slice){ size ? (const char *)data : "", size }, &h);
    e = pass(&h, false, &g, &f);
    demand(e == OK || (e == ERR_BAD_REQUEST && f.detail[0]));
    demand(pass(&h, true, &backwards, NULL) == e); /* the order of headers decides nothing */
    if (e)
        return 0;
    demand(slice_is(h.version, "HTTP/1.1") || slice_is(h.version, "HTTP/1.0"));
    check_bytes(&h);
    check_framing(&h, &g);
    check_host(&h, &g);
    check_once(&h);
    traceparent_valid(g.traceparent);
    request_id_valid(g.request_id);
    return 0;
}
