#include <arpa/inet.h>
#include <stdio.h>

#include "gateway/base/config_value.h"

/* `less` must not be above `more`; both are rows of the table. */
static const struct bound {
    const char *less, *more, *why;
} bounds[] = {
    { "publish.event_bytes", "publish.request_bytes", "an event comes in a request" },
    { "publish.event_bytes", "tail.ring_bytes", "an event must fit in memory once" },
    { "tail.ring_bytes", "tail.memory", "one stream's events are part of all" },
    { "publish.request_bytes", "http.body_memory", "a request's body is kept while it is in process" },
    { "publish.request_bytes", "commit.queue_bytes", "a whole request waits for its transaction" },
    { "publish.request_events", "commit.queue_events", "a whole request waits for its transaction" },
    { "commit.batch_events", "commit.queue_events", "a transaction is filled from the queue" },
    { "commit.batch_bytes", "commit.queue_bytes", "a transaction is filled from the queue" },
    { "auth.jwks_min_age", "auth.jwks_max_age", "they bound the same time" },
    { "http.loops", "http.connections", "the connections are shared out among the loops" },
};

static const struct config_row *row(const char *name)
{
    const struct config_row *r = config_rows;

    while (strcmp(r->name, name))
        r++;
    return r;
}

static int64_t number(const struct config *c, const struct config_row *r)
{
    int64_t v;

    memcpy(&v, (const char *)c + r->offset, sizeof v);
    return v;
}

static bool check_bounds(const struct config *c, char err[512])
{
    char less[CONFIG_TEXT], more[CONFIG_TEXT], from_less[512], from_more[512];

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const struct config_row *a = row(bounds[i].less), *b = row(bounds[i].more);

        if (number(c, a) <= number(c, b))
            continue;
        config_format(a, c, less);
        config_format(b, c, more);
        config_source(c, (size_t)(a - config_rows), from_less);
        config_source(c, (size_t)(b - config_rows), from_more);
        snprintf(err, 512, "%s = %.40s (%.100s) must not be above %s = %.40s (%.100s): %s.", a->name, less, from_less,
                 b->name, more, from_more, bounds[i].why);
        return false;
    }
    return true;
}

static bool broken(const struct config *c, const char *name, const char *what, char err[512])
{
    char from[512];

    config_source(c, (size_t)(row(name) - config_rows), from);
    snprintf(err, 512, "%.200s: %s %s.", from, name, what);
    return false;
}

static bool check_address(const struct config *c, char err[512])
{
    struct in6_addr addr;

    if (inet_pton(AF_INET, c->http_address, &addr) == 1 || inet_pton(AF_INET6, c->http_address, &addr) == 1)
        return true;
    return broken(c, "http.address", "must be a numeric IPv4 or IPv6 address", err);
}

static bool check_keys(const struct config *c, char err[512])
{
    size_t n = strlen(c->auth_hs256_secret);
    bool key = *c->auth_public_key, alg = *c->auth_public_key_alg;

    if (n > 0 && n < 32) /* RFC 7518 §3.2: a key at least as long as the hash */
        return broken(c, "auth.hs256_secret", "must have at least 32 bytes", err);
    if (key && !alg)
        return broken(c, "auth.public_key", "needs auth.public_key_alg, the one algorithm that it is good for", err);
    if (alg && !key)
        return broken(c, "auth.public_key_alg", "is of no use without auth.public_key", err);
    return true;
}

static bool check_issuer(const struct config *c, char err[512])
{
    const char *from = *c->auth_jwks_url ? "auth.jwks_url" : "auth.discovery";

    if (!*c->auth_jwks_url && !c->auth_discovery)
        return !c->auth_require_at_jwt ||
               broken(c, "auth.require_at_jwt", "is of no use without auth.jwks_url or auth.discovery", err);
    if (*c->auth_jwks_url && c->auth_discovery)
        return broken(c, from, "and auth.discovery exclude each other", err);
    if (!*c->auth_issuer)
        return broken(c, from, "needs auth.issuer: keys are good for the tokens of one issuer", err);
    return *c->auth_audience ||
           broken(c, from, "needs auth.audience, or tokens for other programs of the issuer would open Weir", err);
}

static bool check_tls(const struct config *c, char err[512])
{
    bool clients = strcmp(c->tls_client_auth, "off") != 0;

    if (*c->tls_certificate && !*c->tls_key)
        return broken(c, "tls.certificate", "needs tls.key, the file of its private key", err);
    if (*c->tls_key && !*c->tls_certificate)
        return broken(c, "tls.key", "is of no use without tls.certificate", err);
    if (clients && !*c->tls_certificate)
        return broken(c, "tls.client_auth", "needs TLS: set tls.certificate and tls.key", err);
    if (clients && !*c->tls_client_ca)
        return broken(c, "tls.client_auth", "needs tls.client_ca, whose certificates are accepted", err);
    if (!clients && *c->tls_client_ca)
        return broken(c, "tls.client_ca", "is of no use while tls.client_auth is off", err);
    return true;
}

bool config_check(const struct config *c, char err[512])
{
    return check_address(c, err) && check_bounds(c, err) && check_keys(c, err) && check_issuer(c, err) && check_tls(c, err);
}
