#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#include "gateway/engine/outbound.h"

/* What a definition may say of a call: pure. */

#define HOST_MAX 255
#define HOST_TEXT (HOST_MAX + 1)

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

/* The authority's host, and what follows it. Names are of letters, digits, '.', '-', '_'; IPv6 stands in brackets, without a zone. */
static bool split_host(struct slice authority, struct slice *ret_host, struct slice *ret_port, const char **ret_why)
{
    bool bracket = authority.n && authority.p[0] == '[';
    const char *end = bracket ? memchr(authority.p, ']', authority.n) : memchr(authority.p, ':', authority.n);
    size_t n = end ? (size_t)(end - authority.p) + bracket : authority.n;

    if (bracket && !end)
        return refuse(ret_why, "its host has a bracket that is not closed");
    if (!n || n > HOST_MAX)
        return refuse(ret_why, "it has no host, or one of more than 255 characters");
    for (size_t i = bracket; i < n - bracket; i++) {
        char c = authority.p[i];

        if (bracket ? !(is_alnum(c) || c == ':' || c == '.') : !(is_alnum(c) || c == '.' || c == '-' || c == '_'))
            return refuse(ret_why, "its host is not a plain name or address (templates are for what comes after it)");
    }
    *ret_host = (struct slice){ authority.p, n };
    *ret_port = (struct slice){ authority.p + n, authority.n - n };
    return true;
}

/* Whether a resolver takes a name for an IPv4 address in whatever spelling (127.1, 0x7f.1, 2130706433): its last label is a number. */
static bool ends_in_number(const char *host)
{
    size_t end = strlen(host), at, digits;

    end -= end && host[end - 1] == '.';
    for (at = end; at && host[at - 1] != '.';)
        at--;
    digits = strspn(host + at, "0123456789");
    return at < end && (digits == end - at || (host[at] == '0' && (host[at + 1] | 0x20) == 'x'));
}

/* One address has one name, or it would have more breakers, limits and connections than one. */
static bool write_host(struct slice host, char ret[HOST_TEXT], const char **ret_why)
{
    uint8_t at[16];
    bool bracket = *host.p == '[';
    size_t n = host.n - 2 * bracket;

    memcpy(ret, host.p + bracket, n);
    ret[n] = '\0';
    if (bracket && inet_pton(AF_INET6, ret, at) != 1)
        return refuse(ret_why, "its host is not an address, though it stands in brackets");
    if (bracket) {
        *ret = '[';
        inet_ntop(AF_INET6, at, ret + 1, INET6_ADDRSTRLEN);
        strcat(ret, "]");
    }
    if (!bracket && ends_in_number(ret) && inet_pton(AF_INET, ret, at) != 1)
        return refuse(ret_why, "its host is an address that is not written as four decimal numbers");
    return true;
}

/* ":8080", or nothing; 0: the scheme's own. */
static bool read_port(struct slice text, int own, int *ret)
{
    int port = 0;

    *ret = 0;
    if (!text.n)
        return true;
    if (text.p[0] != ':' || text.n < 2 || text.n > 6)
        return false;
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        port = port * 10 + (text.p[i] - '0');
    }
    *ret = port == own ? 0 : port;
    return port > 0 && port < 65536;
}

bool outbound_target(struct slice url, char ret[OUTBOUND_TARGET_MAX], const char **ret_why)
{
    bool tls = url.n >= 8 && !strncasecmp(url.p, "https://", 8);
    size_t skip = tls ? 8 : 7, n;
    struct slice authority = SLICE_NONE, host, port;
    char name[HOST_TEXT];
    int number;

    if (!tls && (url.n < 7 || strncasecmp(url.p, "http://", 7)))
        return refuse(ret_why, "it does not begin with http:// or https://");
    authority = (struct slice){ url.p + skip, 0 };
    while (skip + authority.n < url.n && !memchr("/?#", authority.p[authority.n], 3))
        authority.n++;
    if (memchr(authority.p, '@', authority.n))
        return refuse(ret_why, "it has a user or password before its host");
    if (!split_host(authority, &host, &port, ret_why) || !write_host(host, name, ret_why))
        return false;
    if (!read_port(port, tls ? 443 : 80, &number))
        return refuse(ret_why, "its port is not a number from 1 to 65535");
    n = (size_t)snprintf(ret, OUTBOUND_TARGET_MAX, "%s://%s", tls ? "https" : "http", name);
    if (number)
        snprintf(ret + n, OUTBOUND_TARGET_MAX - n, ":%d", number);
    for (char *c = ret; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + ('a' - 'A')) : *c;
    return true;
}

bool outbound_method_good(struct slice method)
{
    return slice_is(method, "GET") || slice_is(method, "POST") || slice_is(method, "PUT") || slice_is(method, "PATCH") ||
           slice_is(method, "DELETE");
}

/* What frames the request or says who sends it is Weir's. A name that ends in '-' stands for all that begin so. */
static const char *const own_headers[] = {
    "Connection", "Content-Length", "Expect", "Host", "Idempotency-Key", "Keep-Alive", "Proxy-", "TE", "Trailer",
    "Traceparent", "Transfer-Encoding", "Upgrade", "Webhook-",
};

bool outbound_header_good(struct slice name)
{
    bool good = name.n && name.n <= 256;

    for (size_t i = 0; good && i < name.n; i++)
        good = is_alnum(name.p[i]) || (name.p[i] && strchr("!#$%&'*+-.^_`|~", name.p[i]));
    for (size_t i = 0; good && i < sizeof own_headers / sizeof *own_headers; i++) {
        size_t n = strlen(own_headers[i]);
        bool family = own_headers[i][n - 1] == '-';

        good = !(family ? name.n >= n : name.n == n) || strncasecmp(name.p, own_headers[i], n) != 0;
    }
    return good;
}
