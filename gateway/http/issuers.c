#include "gateway/http/issuers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http/rights.h"

enum { PUBLIC_ALGS = 1 << KEY_RS256 | 1 << KEY_PS256 | 1 << KEY_ES256 | 1 << KEY_EDDSA, NAME_MAX_BYTES = 1024 };

/* What a member's reader may need: the issuer in the making and where it stands. */
struct reading {
    struct issuer *is;
    const char *path;               /* of the keys file */
    const struct config *c;
    char why[400];
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reading *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return false;
}

static bool text(struct reading *r, const char *name, const json_t *v, char **ret)
{
    const char *s = json_string_value(v);

    if (!s || !*s || strlen(s) > NAME_MAX_BYTES)
        return refuse(r, "%s is a string of 1 to %d bytes", name, NAME_MAX_BYTES);
    return (*ret = strdup(s)) || refuse(r, "memory is out");
}

static bool read_issuer(struct reading *r, const json_t *v)
{
    return text(r, "issuer", v, &r->is->name);
}

static bool read_audience(struct reading *r, const json_t *v)
{
    if (r->is->audience_n)
        return refuse(r, "it has both audience and audiences");
    if (!text(r, "audience", v, &r->is->audiences[0]))
        return false;
    r->is->audience_n = 1;
    return true;
}

static bool read_audiences(struct reading *r, const json_t *v)
{
    if (r->is->audience_n)
        return refuse(r, "it has both audience and audiences");
    if (!json_is_array(v) || json_array_size(v) > ISSUER_AUDIENCES_MAX)
        return refuse(r, "audiences is an array of at most %d strings (empty: any audience)", ISSUER_AUDIENCES_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!text(r, "each of audiences", json_array_get(v, i), &r->is->audiences[i]))
            return false;
        r->is->audience_n++;
    }
    return true;
}

static bool read_jwks_url(struct reading *r, const json_t *v)
{
    char why[KEY_WHY];

    if (!text(r, "jwks_url", v, &r->is->jwks_url))
        return false;
    return jwks_url_good(r->is->jwks_url, r->c->auth_jwks_allow_http, why) || refuse(r, "%s", why);
}

static bool read_discovery(struct reading *r, const json_t *v)
{
    r->is->discovery = json_is_true(v);
    return json_is_true(v) || refuse(r, "discovery is true, or left out");
}

static bool read_keys(struct reading *r, const json_t *v)
{
    char err[300];

    if (!json_array_size(v))
        return refuse(r, "keys is an array of at least one key");
    return keys_read(&r->is->keys, v, r->path, false, err, sizeof err) || refuse(r, "%s", err);
}

static bool read_algorithms(struct reading *r, const json_t *v)
{
    const json_t *name;
    enum key_alg alg;
    size_t i;

    json_array_foreach(v, i, name) {
        struct slice s = slice_of(json_string_value(name));

        if (!s.p || !key_alg_parse(s, &alg) || alg == KEY_HS256)
            return refuse(r, "algorithms are of RS256, PS256, ES256 and EdDSA");
        r->is->algs |= 1U << alg;
    }
    return r->is->algs || refuse(r, "algorithms is an array of at least one of RS256, PS256, ES256 and EdDSA");
}

static bool read_grants(struct reading *r, const json_t *v)
{
    struct slice grants = slice_of(json_string_value(v));

    if (!grants.p)
        return refuse(r, "grants is a string like \"publish:team-b.* subscribe:*\"");
    if (!(r->is->ceiling = calloc(1, sizeof *r->is->ceiling)))
        return refuse(r, "memory is out");
    return rights_read_all(r->is->ceiling, grants) ||
           refuse(r, "each entry of grants is <action>:<pattern> with an action of Weir, separated by single spaces");
}

static bool read_at_jwt(struct reading *r, const json_t *v)
{
    r->is->at_jwt = json_is_true(v);
    return json_is_boolean(v) || refuse(r, "require_at_jwt is true or false");
}

static const struct {
    const char *name;
    bool (*read)(struct reading *r, const json_t *v);
} members[] = {
    { "issuer", read_issuer },         { "audience", read_audience }, { "audiences", read_audiences },
    { "jwks_url", read_jwks_url },     { "discovery", read_discovery }, { "keys", read_keys },
    { "algorithms", read_algorithms }, { "grants", read_grants },     { "require_at_jwt", read_at_jwt },
};

static bool read_members(struct reading *r, const json_t *record)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)record, name, v) {
        size_t i = 0;

        while (i < sizeof members / sizeof *members && strcmp(name, members[i].name) != 0)
            i++;
        if (i == sizeof members / sizeof *members)
            return refuse(r, "the member %.40s is unknown", name);
        if (!members[i].read(r, v))
            return false;
    }
    return true;
}

/* What the members must be together, and the address that discovery begins with. */
static bool is_whole(struct reading *r, const json_t *record)
{
    struct issuer *i = r->is;
    char why[KEY_WHY], *url;

    if (!i->name)
        return refuse(r, "it has no issuer");
    if (!json_object_get(record, "audience") && !json_object_get(record, "audiences"))
        return refuse(r, "it has no audience, and tokens for other programs would open Weir (\"audiences\": [] lets them)");
    if ((i->jwks_url != NULL) + i->discovery + (i->keys.n > 0) != 1)
        return refuse(r, "it needs one of jwks_url, discovery and keys");
    if (i->keys.n && i->algs)
        return refuse(r, "algorithms are for fetched keys; those under keys have an alg each");
    if (i->discovery) {
        if (!(url = discovery_url(i->name)))
            return refuse(r, "memory is out");
        bool good = jwks_url_good(url, r->c->auth_jwks_allow_http, why);

        free(url);
        if (!good || strchr(i->name, '?'))
            return refuse(r, "for discovery the issuer must be a URL without a query: %s", good ? "it has one" : why);
    }
    i->fetched = !i->keys.n;
    i->algs = i->algs ? i->algs : PUBLIC_ALGS;
    return true;
}

static void issuer_free(struct issuer *i)
{
    if (!i)
        return;
    for (size_t n = 0; n < ISSUER_AUDIENCES_MAX; n++)
        free(i->audiences[n]);
    if (i->ceiling)
        rights_free(i->ceiling);
    free(i->ceiling);
    keys_free(&i->keys);
    jwks_set_free(i->set);
    free(i->jwks_url);
    free(i->name);
    free(i);
}

static bool add(struct issuers *is, struct reading *r, const json_t *record)
{
    if (!json_is_object(record))
        return refuse(r, "it is not an object");
    if (is->n == ISSUERS_MAX)
        return refuse(r, "there are more than %d issuers", ISSUERS_MAX);
    if (!(r->is = calloc(1, sizeof *r->is)))
        return refuse(r, "memory is out");
    if (!read_members(r, record) || !is_whole(r, record) ||
        (issuers_find(is, slice_of(r->is->name)) && !refuse(r, "this issuer stands there twice"))) {
        issuer_free(r->is);
        return false;
    }
    is->v[is->n++] = r->is;
    return true;
}

bool issuers_read(struct issuers *is, const json_t *list, const char *path, const struct config *c, char err[512])
{
    const json_t *record;
    size_t i;

    json_array_foreach(list, i, record) {
        struct reading r = { .path = path, .c = c };

        if (add(is, &r, record))
            continue;
        const char *name = json_string_value(json_object_get(record, "issuer"));

        snprintf(err, 512, "Issuer %zu (%.60s) of the keys file %.80s cannot be used: %.300s.", i + 1,
                 name ? name : "unnamed", path, r.why);
        return false;
    }
    return true;
}

bool issuers_of_settings(struct issuers *is, const struct config *c, char err[512])
{
    bool url = c->auth_jwks_url && *c->auth_jwks_url;
    struct reading r = { .c = c };
    json_t *record;
    bool good;

    if (!url && !c->auth_discovery)
        return true;
    record = json_pack("{s:s, s:s, s:b, s:s*, s:o*}", "issuer", c->auth_issuer, "audience", c->auth_audience, "require_at_jwt",
                       c->auth_require_at_jwt, "jwks_url", url ? c->auth_jwks_url : NULL, "discovery",
                       c->auth_discovery ? json_true() : NULL);
    good = record ? add(is, &r, record) : refuse(&r, "memory is out");
    json_decref(record);
    if (!good)
        snprintf(err, 512, "The issuer of the settings (auth.issuer with auth.%s) cannot be used: %.300s.",
                 url ? "jwks_url" : "discovery", r.why);
    return good;
}

void issuers_free(struct issuers *is)
{
    while (is->n)
        issuer_free(is->v[--is->n]);
}

struct issuer *issuers_find(const struct issuers *is, struct slice name)
{
    for (size_t i = 0; is && name.p && i < is->n; i++) {
        if (slice_is(name, is->v[i]->name))
            return is->v[i];
    }
    return NULL;
}
