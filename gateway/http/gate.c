#include "gateway/http/gate.h"

#include <arpa/inet.h>
#include <strings.h>

/* Headers that the server reads itself; one of each at most, unless `many`. */
enum known {
    HOST, CONTENT_LENGTH, TRANSFER_ENCODING, AUTHORIZATION, CONTENT_TYPE, IDEMPOTENCY_KEY, CONTENT_ENCODING, EXPECT, ORIGIN,
    REQUEST_ID, TRACEPARENT, KNOWN_END
};
static const struct {
    const char *name;
    size_t length;
    bool many;
} known[KNOWN_END] = {
    [HOST] = { "host", 4, false },
    [CONTENT_LENGTH] = { "content-length", 14, false },
    [TRANSFER_ENCODING] = { "transfer-encoding", 17, false },
    [AUTHORIZATION] = { "authorization", 13, false },
    [CONTENT_TYPE] = { "content-type", 12, false },
    [IDEMPOTENCY_KEY] = { "idempotency-key", 15, false },
    [CONTENT_ENCODING] = { "content-encoding", 16, false },
    [EXPECT] = { "expect", 6, false },
    [ORIGIN] = { "origin", 6, false },
    [REQUEST_ID] = { "x-request-id", 12, true },
    [TRACEPARENT] = { "traceparent", 11, true },
};

static bool token_char(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c);
}

static bool token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!token_char((unsigned char)s.p[i]))
            return false;
    }
    return s.n > 0;
}

/* Visible ASCII; with `blanks` also space and tab. */
static bool visible(struct slice s, bool blanks)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c <= 0x20 || c >= 0x7f) && !(blanks && (c == ' ' || c == '\t')))
            return false;
    }
    return true;
}

/* An IPv6 address in brackets; zones mean nothing to others and are refused. Returns its length, or 0. */
static size_t literal_length(struct slice s)
{
    const char *end = memchr(s.p, ']', s.n);
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];
    size_t n = end ? (size_t)(end - s.p) - 1 : 0;

    if (n == 0 || n >= sizeof text)
        return 0;
    memcpy(text, s.p + 1, n);
    text[n] = '\0';
    return inet_pton(AF_INET6, text, address) == 1 ? n + 2 : 0;
}

/* Stricter than reg-name of RFC 3986: no escapes, which proxies read differently. */
static size_t name_length(struct slice s)
{
    size_t i = 0;

    while (i < s.n && s.p[i] != ':' && token_char((unsigned char)s.p[i]) && !strchr("#%^`|", s.p[i]))
        i++;
    return i;
}

/* uri-host [ ":" port ] of RFC 9110 7.2, without userinfo. */
static bool host_valid(struct slice s)
{
    size_t i = s.n == 0 ? 0 : s.p[0] == '[' ? literal_length(s) : name_length(s);
    long port = 0;

    if (i == 0)
        return false;
    if (i == s.n)
        return true;
    if (s.p[i++] != ':')
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || (port = port * 10 + (s.p[i] - '0')) > 65535)
            return false;
    }
    return true;
}

static int64_t length_value(struct slice s)
{
    int64_t v = 0;

    if (s.n == 0 || s.n > 18)
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v;
}

static bool hex_run(const char *p, size_t n, bool *ret_zero)
{
    *ret_zero = true;
    for (size_t i = 0; i < n; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
        *ret_zero = *ret_zero && p[i] == '0';
    }
    return true;
}

bool traceparent_valid(struct slice s)
{
    bool zero, zero_trace, zero_parent;

    if (s.n < 55 || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
        return false;
    if (!hex_run(s.p, 2, &zero) || !hex_run(s.p + 3, 32, &zero_trace) || !hex_run(s.p + 36, 16, &zero_parent) ||
        zero_trace || zero_parent || !hex_run(s.p + 53, 2, &zero) || memcmp(s.p, "ff", 2) == 0)
        return false;
    return s.n == 55 || (s.p[55] == '-' && memcmp(s.p, "00", 2) != 0);
}

bool request_id_valid(struct slice s)
{
    return s.n >= 1 && s.n <= 128 && visible(s, false);
}

static void refuse(struct gate *g, const char *sentence)
{
    if (!g->refused)
        g->refused = sentence;
}

void gate_begin(struct gate *g, struct slice method, struct slice target, struct slice version)
{
    *g = (struct gate){ .content_length = -1, .http10 = slice_is(version, "HTTP/1.0") };
    if (!g->http10 && !slice_is(version, "HTTP/1.1"))
        refuse(g, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    if (!token(method) || slice_is(method, "CONNECT"))
        refuse(g, "The method is not one that this server knows.");
    if (target.n == 0 || target.p[0] != '/')
        refuse(g, "The request target must be a path that begins with a slash.");
    if (!visible(target, false) || memchr(target.p ? target.p : "", '#', target.n))
        refuse(g, "The request target has a control, a non-ASCII or a fragment character; percent-encode it.");
}

static enum known lookup(struct slice name)
{
    size_t k = 0;

    while (k < KNOWN_END && (known[k].length != name.n || strncasecmp(known[k].name, name.p, name.n) != 0))
        k++;
    return (enum known)k;
}

static void note(struct gate *g, enum known k, struct slice value)
{
    switch (k) {
    case HOST:
        g->host = value;
        if (!host_valid(value))
            refuse(g, "The Host header is not a host with an optional port.");
        break;
    case CONTENT_LENGTH:
        if ((g->content_length = length_value(value)) < 0)
            refuse(g, "The Content-Length header is not a plain decimal number.");
        break;
    case TRANSFER_ENCODING:
        g->chunked = true;
        if (value.n != 7 || strncasecmp(value.p, "chunked", 7) != 0)
            refuse(g, "The only Transfer-Encoding accepted is chunked.");
        break;
    case EXPECT:
        g->expect_continue = value.n == 12 && strncasecmp(value.p, "100-continue", 12) == 0;
        if (!g->expect_continue)
            refuse(g, "The only expectation that can be met is 100-continue.");
        break;
    case AUTHORIZATION:
        g->authorization = value;
        break;
    case CONTENT_ENCODING:
        g->content_encoding = value;
        break;
    case ORIGIN:
        g->origin = value;
        break;
    case REQUEST_ID:
        if (!g->request_id.p)
            g->request_id = value;
        break;
    case TRACEPARENT:
        g->traceparent = g->seen & 1u << k ? SLICE_NONE : value; /* twice is as good as none (W3C 3.2) */
        break;
    case CONTENT_TYPE:
    case IDEMPOTENCY_KEY:
    case KNOWN_END:
        break;
    }
}

void gate_header(struct gate *g, struct slice name, struct slice value)
{
    enum known k;

    if (!token(name))
        refuse(g, "A header name has a character that names may not have.");
    if (!visible(value, true))
        refuse(g, "A header value has a control or non-ASCII character.");
    if ((k = lookup(name)) == KNOWN_END)
        return;
    if (g->seen & 1u << k && !known[k].many)
        refuse(g, "A header that may come once only came twice.");
    note(g, k, value);
    g->seen |= 1u << k;
}

enum err gate_end(struct gate *g, struct fault *f)
{
    if (!g->http10 && !(g->seen & 1u << HOST))
        refuse(g, "A request must have a Host header.");
    if (g->chunked && (g->content_length >= 0 || g->http10))
        refuse(g, "Transfer-Encoding goes neither with Content-Length nor with HTTP/1.0.");
    return g->refused ? fault(f, ERR_BAD_REQUEST, "%s", g->refused) : OK;
}
