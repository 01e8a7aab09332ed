#include "gateway/http/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/err.h"
#include "gateway/http/issuers.h"
#include "gateway/http/jose.h"

enum { FILE_MAX = 1 << 20 };

bool keys_add(struct keys *ks, struct key *k, char why[KEY_WHY])
{
    bool taken = false;

    for (size_t i = 0; i < ks->n; i++)
        taken = taken || (k->kid && ks->v[i]->kid && !strcmp(k->kid, ks->v[i]->kid));
    if (taken || ks->n == KEYS_MAX) {
        snprintf(why, KEY_WHY, taken ? "another key has this kid" : "there are more than %d keys", KEYS_MAX);
        key_free(k);
        return false;
    }
    ks->v[ks->n++] = k;
    return true;
}

void keys_free(struct keys *ks)
{
    while (ks->n)
        key_free(ks->v[--ks->n]);
}

/* Whether tokens of this issuer may be verified by k; issuer.p == NULL: of any. */
static bool is_bound_to(const struct key *k, struct slice issuer, struct slice all_keys_issuer)
{
    return !issuer.p || slice_eq(k->issuer ? slice_of(k->issuer) : all_keys_issuer, issuer);
}

const struct key *keys_verify_bound(const struct keys *ks, struct slice issuer, struct slice all_keys_issuer, struct slice kid,
                                    enum key_alg alg, struct slice input, struct slice signature)
{
    bool known = false;

    for (size_t i = 0; kid.p && i < ks->n; i++)
        known = known || (ks->v[i]->kid && slice_is(kid, ks->v[i]->kid));
    for (size_t i = 0; i < ks->n; i++) {
        const struct key *k = ks->v[i];

        if (kid.p && (known ? !k->kid || !slice_is(kid, k->kid) : k->kid != NULL))
            continue;
        if (k->alg == alg && is_bound_to(k, issuer, all_keys_issuer) && key_verify(k, input, signature))
            return k;
    }
    return NULL;
}

const struct key *keys_verify(const struct keys *ks, struct slice kid, enum key_alg alg, struct slice input,
                              struct slice signature)
{
    return keys_verify_bound(ks, SLICE_NONE, SLICE_NONE, kid, alg, input, signature);
}

/* The whole file, wiped and freed by the caller. */
static bool read_file(const char *path, char **ret, size_t *ret_n, char *why, size_t why_n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(FILE_MAX + 1) : NULL;
    size_t n = 0;
    ssize_t got = fd >= 0 && text ? 1 : -1;

    while (got > 0 && n <= FILE_MAX) {
        got = read(fd, text + n, FILE_MAX + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        snprintf(why, why_n, "cannot read %s: %s", path, strerror(errno));
    else if (got > 0)
        snprintf(why, why_n, "%s is larger than 1 MiB", path);
    if (fd >= 0)
        close(fd);
    if (got == 0) {
        *ret = text;
        *ret_n = n;
        return true;
    }
    if (text)
        OPENSSL_cleanse(text, n);
    free(text);
    return false;
}

static void wipe(char *text, size_t n)
{
    if (text)
        OPENSSL_cleanse(text, n);
    free(text);
}

static struct slice string_of(const json_t *v)
{
    return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE_NONE;
}

/* Where key material may stand in a record. Each takes the member's value; dir is the keys file's directory. */
static struct key *from_secret(enum key_alg alg, const json_t *v, const char *dir, char why[KEY_WHY])
{
    (void)dir;
    if (alg == KEY_HS256 && json_is_string(v))
        return key_from_secret(string_of(v), why);
    snprintf(why, KEY_WHY, "a secret is a string, and for HS256 alone");
    return NULL;
}

static struct key *from_secret_base64(enum key_alg alg, const json_t *v, const char *dir, char why[KEY_WHY])
{
    struct slice text = string_of(v), raw;
    struct arena *a = text.n ? arena_new(FILE_MAX) : NULL;
    struct key *k = NULL;

    (void)dir;
    if (alg == KEY_HS256 && a && jose_base64(a, text, &raw)) {
        k = key_from_secret(raw, why);
        OPENSSL_cleanse((char *)raw.p, raw.n);
    } else {
        snprintf(why, KEY_WHY, "secret_base64 is padded standard base64, and for HS256 alone");
    }
    arena_free(a);
    return k;
}

static struct key *from_pem(enum key_alg alg, const json_t *v, const char *dir, char why[KEY_WHY])
{
    (void)dir;
    return key_from_pem(alg, json_is_string(v) ? string_of(v) : SLICE(""), why);
}

static struct key *from_file(enum key_alg alg, const json_t *v, const char *dir, char why[KEY_WHY])
{
    const char *name = json_string_value(v);
    char *path = NULL, *text = NULL;
    size_t n = 0;
    struct key *k = NULL;

    if (!name)
        snprintf(why, KEY_WHY, "file is the path of a PEM file");
    else if (asprintf(&path, "%s%s", *name == '/' ? "" : dir, name) < 0)
        snprintf(why, KEY_WHY, "memory is out"), path = NULL;
    else if (read_file(path, &text, &n, why, KEY_WHY))
        k = key_from_pem(alg, (struct slice){ text, n }, why);
    wipe(text, n);
    free(path);
    return k;
}

static struct key *from_jwk(enum key_alg alg, const json_t *v, const char *dir, char why[KEY_WHY])
{
    const json_t *own = json_object_get(v, "alg");
    enum key_alg named;

    (void)dir;
    if (own && (!key_alg_parse(string_of(own), &named) || named != alg)) {
        snprintf(why, KEY_WHY, "the JWK's alg is not the record's alg");
        return NULL;
    }
    return key_from_jwk(alg, v, why);
}

static const struct {
    const char *name;
    struct key *(*make)(enum key_alg alg, const json_t *v, const char *dir, char why[KEY_WHY]);
} members[] = {
    { "kid", NULL },         { "alg", NULL },
    { "issuer", NULL },      { "audience", NULL },
    { "secret", from_secret }, { "secret_base64", from_secret_base64 },
    { "pem", from_pem },     { "file", from_file },
    { "jwk", from_jwk },
};

/* Exactly one member holds the material, and none is unknown: a misspelt "issuer" must not go unnoticed. */
static struct key *material(const json_t *record, enum key_alg alg, const char *dir, char why[KEY_WHY])
{
    struct key *(*make)(enum key_alg, const json_t *, const char *, char *) = NULL;
    const json_t *from = NULL;
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)record, name, v) {
        size_t i = 0;

        while (i < sizeof members / sizeof *members && strcmp(name, members[i].name) != 0)
            i++;
        if (i == sizeof members / sizeof *members) {
            snprintf(why, KEY_WHY, "the member %.40s is unknown", name);
            return NULL;
        }
        if (members[i].make && make) {
            snprintf(why, KEY_WHY, "it has more than one of secret, secret_base64, pem, file and jwk");
            return NULL;
        }
        if (members[i].make) {
            make = members[i].make;
            from = v;
        }
    }
    if (make)
        return make(alg, from, dir, why);
    snprintf(why, KEY_WHY, "it needs one of secret, secret_base64, pem, file and jwk");
    return NULL;
}

/* A copy of an optional, non-empty string member. */
static bool text_member(const json_t *record, const char *name, char **ret, char why[KEY_WHY])
{
    const json_t *v = json_object_get(record, name);

    if (!v)
        return true;
    if (string_of(v).n && (*ret = strdup(json_string_value(v))))
        return true;
    snprintf(why, KEY_WHY, "%s is a string that is not empty", name);
    return false;
}

static bool add_record(struct keys *ks, const json_t *record, const char *dir, bool own_issuer, char why[KEY_WHY])
{
    enum key_alg alg;
    struct key *k;

    if (!json_is_object(record)) {
        snprintf(why, KEY_WHY, "it is not an object");
        return false;
    }
    if (!key_alg_parse(string_of(json_object_get(record, "alg")), &alg)) {
        snprintf(why, KEY_WHY, "alg is one of HS256, RS256, PS256, ES256 and EdDSA");
        return false;
    }
    if (!own_issuer && (json_object_get(record, "issuer") || json_object_get(record, "audience"))) {
        snprintf(why, KEY_WHY, "issuer and audience are those of the issuer that it stands under");
        return false;
    }
    if (!(k = material(record, alg, dir, why)))
        return false;
    if (!text_member(record, "kid", &k->kid, why) || !text_member(record, "issuer", &k->issuer, why) ||
        !text_member(record, "audience", &k->audience, why) ||
        (!k->kid && !text_member(json_object_get(record, "jwk"), "kid", &k->kid, why))) {
        key_free(k);
        return false;
    }
    return keys_add(ks, k, why);
}

bool keys_read(struct keys *ks, const json_t *list, const char *path, bool own_issuer, char *err, size_t err_n)
{
    const char *slash = strrchr(path, '/');
    char *dir = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    char why[KEY_WHY] = "memory is out";
    bool good = dir != NULL;

    for (size_t i = 0; good && i < json_array_size(list); i++) {
        const json_t *record = json_array_get(list, i);
        const char *kid = json_string_value(json_object_get(record, "kid"));

        good = add_record(ks, record, dir, own_issuer, why);
        if (!good)
            snprintf(err, err_n, "key %zu (kid %.60s): %s", i + 1, kid ? kid : "absent", why);
    }
    if (!dir)
        snprintf(err, err_n, "%s", why);
    free(dir);
    return good;
}

static bool is_list(const json_t *root, const char *name, size_t *ret_known)
{
    const json_t *v = json_object_get(root, name);

    *ret_known += v != NULL;
    return !v || json_is_array(v);
}

static bool load_file(struct keys *ks, struct issuers *is, const struct config *c, char err[512])
{
    const char *path = c->auth_keys_file;
    char *text = NULL, why[300];
    size_t n = 0, known = 0;
    json_error_t at;

    if (!read_file(path, &text, &n, why, sizeof why))
        return err_tell(err, "The keys file (auth.keys_file) cannot be used: %s.", why);

    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &at);
    bool good = false;

    if (!root)
        err_tell(err, "The keys file %.120s is not JSON: line %d, column %d: %s.", path, at.line, at.column, at.text);
    else if (!is_list(root, "keys", &known) || !is_list(root, "issuers", &known) || !is_list(root, "clients", &known) || !known ||
             json_object_size(root) != known)
        err_tell(err, "The keys file %.120s is not of the form {\"keys\":[…],\"issuers\":[…],\"clients\":[…]}, %s.", path,
               "of which some may be left out");
    else if (!keys_read(ks, json_object_get(root, "keys"), path, true, why, sizeof why))
        err_tell(err, "The keys file %.120s cannot be used: %s.", path, why);
    else
        good = issuers_read(is, json_object_get(root, "issuers"), path, c, err);
    json_decref(root);
    wipe(text, n);
    return good;
}

/* Environment files hold one line a variable: there a PEM is written with \n for its line ends. */
static struct key *key_of_one_line_pem(enum key_alg alg, const char *pem, char why[KEY_WHY])
{
    char *text = strdup(pem);
    size_t n = 0;
    struct key *k;

    if (!text) {
        snprintf(why, KEY_WHY, "memory is out");
        return NULL;
    }
    for (const char *p = pem; *p; p++) {
        bool line_end = p[0] == '\\' && p[1] == 'n';

        text[n++] = line_end ? '\n' : *p;
        p += line_end;
    }
    k = key_from_pem(alg, (struct slice){ text, n }, why);
    free(text);
    return k;
}

static bool is_set(const char *s)
{
    return s && *s;
}

bool keys_load(struct keys *ks, struct issuers *is, const struct config *c, char err[512])
{
    char why[KEY_WHY];
    struct key *k;
    enum key_alg alg;

    if (is_set(c->auth_keys_file) && !load_file(ks, is, c, err))
        return false;
    if (is_set(c->auth_hs256_secret)) {
        if (!(k = key_from_secret(slice_of(c->auth_hs256_secret), why)) || !keys_add(ks, k, why))
            return err_tell(err, "The key auth.hs256_secret cannot be used: %s.", why);
    }
    if (is_set(c->auth_public_key)) {
        if (!key_alg_parse(slice_of(c->auth_public_key_alg), &alg) || alg == KEY_HS256)
            return err_tell(err, "With auth.public_key, auth.public_key_alg must be RS256, PS256, ES256 or EdDSA.");
        if (!(k = key_of_one_line_pem(alg, c->auth_public_key, why)) || !keys_add(ks, k, why))
            return err_tell(err, "The key auth.public_key cannot be used: %s.", why);
    }
    return issuers_of_settings(is, c, err);
}
