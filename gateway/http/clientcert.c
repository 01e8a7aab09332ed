#include "gateway/http/clientcert.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/http/principal.h"
#include "gateway/http/rights.h"

enum { FILE_MAX = 1 << 20, SUBJECT_MAX = 4096 };

enum name_kind { NAME_SUBJECT, NAME_DNS, NAME_URI, NAME_KINDS };
static const char *const kind_names[NAME_KINDS] = { "subject", "dns", "uri" };

struct clientcert {
    enum name_kind kind;
    struct slice name;     /* in claims */
    json_t *claims;        /* sub, iss, scope: what principal_new takes; never changed, so any thread may read it */
};

struct clientcerts {
    size_t n;
    struct clientcert v[CLIENTCERTS_MAX];
};

static struct slice string_of(const json_t *v)
{
    return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE_NONE;
}

static bool names_equal(enum name_kind kind, struct slice a, struct slice b)
{
    if (kind == NAME_DNS) /* RFC 4343: names of hosts have no case */
        return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
    return slice_eq(a, b);
}

/* Exactly one of subject, dns and uri, with scope, and nothing else. The sentence goes on after "cannot be used: ". */
static const char *read_entry(const json_t *entry, struct clientcert *ret)
{
    struct slice scope = string_of(json_object_get(entry, "scope"));
    int found = 0;

    if (!json_is_object(entry))
        return "it is not an object";
    for (int kind = 0; kind < NAME_KINDS; kind++) {
        const json_t *v = json_object_get(entry, kind_names[kind]);

        if (!v)
            continue;
        found++;
        ret->kind = (enum name_kind)kind;
        ret->name = string_of(v);
    }
    if (found != 1 || !ret->name.n || !scope.n || json_object_size(entry) != 2)
        return "it has scope and one of subject, dns and uri, strings that are not empty, and nothing else";
    if (ret->kind == NAME_SUBJECT && !memchr(ret->name.p, '=', ret->name.n))
        return "subject is a distinguished name, such as CN=billing,O=Example";
    if (!rights_scope_known(scope))
        return "scope is a list of <action>:<pattern>, separated by single spaces";
    return NULL;
}

static const char *add_entry(struct clientcerts *cs, const json_t *entry)
{
    struct clientcert c = { 0 };
    const char *why = read_entry(entry, &c);

    if (why)
        return why;
    for (size_t i = 0; i < cs->n; i++) {
        if (cs->v[i].kind == c.kind && names_equal(c.kind, cs->v[i].name, c.name))
            return "another entry has this name";
    }
    if (cs->n == CLIENTCERTS_MAX)
        return "there are too many entries";
    c.claims = json_pack("{s:s%,s:s,s:O}", "sub", c.name.p, c.name.n, "iss", CLIENTCERT_ISSUER, "scope",
                         json_object_get(entry, "scope"));
    if (!c.claims)
        return "memory is out";
    c.name = string_of(json_object_get(c.claims, "sub"));
    cs->v[cs->n++] = c;
    return NULL;
}

static bool add_list(struct clientcerts *cs, const char *path, const json_t *root, char err[512])
{
    const json_t *list = json_object_get(root, "clients");

    if (list && !json_is_array(list))
        return err_tell(err, "In the keys file %.200s, clients is not an array.", path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *why = add_entry(cs, json_array_get(list, i));

        if (why)
            return err_tell(err, "Client %zu of the keys file %.200s cannot be used: %s.", i + 1, path, why);
    }
    return true;
}

/* The file holds secrets beside the list: the text is wiped. */
static json_t *read_json(const char *path, char err[512])
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(FILE_MAX + 1) : NULL;
    json_t *root = NULL;
    json_error_t at;

    if (!text) {
        err_tell(err, "The keys file (auth.keys_file) cannot be read: %.200s: %s.", path, strerror(errno));
    } else {
        size_t n = fread(text, 1, FILE_MAX + 1, file);

        if (n > FILE_MAX || ferror(file))
            err_tell(err, "The keys file %.200s cannot be read, or is larger than 1 MiB.", path);
        else if (!(root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &at)))
            err_tell(err, "The keys file %.120s is not JSON: line %d, column %d: %s.", path, at.line, at.column, at.text);
        OPENSSL_cleanse(text, n);
    }
    free(text);
    if (file)
        fclose(file);
    return root;
}

struct clientcerts *clientcerts_load(const char *path, char err[512])
{
    struct clientcerts *cs = calloc(1, sizeof *cs);
    json_t *root = NULL;
    bool good = cs && !*path;

    if (!cs)
        err_tell(err, "Memory is out.");
    else if (*path && (root = read_json(path, err)))
        good = add_list(cs, path, root, err);
    json_decref(root);
    if (good)
        return cs;
    clientcerts_free(cs);
    return NULL;
}

void clientcerts_free(struct clientcerts *cs)
{
    if (!cs)
        return;
    while (cs->n)
        json_decref(cs->v[--cs->n].claims);
    free(cs);
}

static X509 *parse(struct slice der)
{
    const unsigned char *p = (const unsigned char *)der.p;

    return d2i_X509(NULL, &p, (long)der.n);
}

int64_t clientcert_expires_us(struct slice der)
{
    X509 *x = parse(der);
    struct tm tm;
    int64_t us = 0;

    if (x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
        us = (int64_t)timegm(&tm) * US_PER_S;
    X509_free(x);
    return us;
}

/* As `openssl x509 -noout -subject -nameopt RFC2253` prints it. */
static struct slice subject_of(X509 *x, BIO *text)
{
    char *p;
    long n;

    if (!text || X509_NAME_print_ex(text, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) < 0)
        return SLICE_NONE;
    n = BIO_get_mem_data(text, &p);
    return n > 0 && n <= SUBJECT_MAX ? (struct slice){ p, (size_t)n } : SLICE_NONE;
}

static bool has_alternative(const GENERAL_NAMES *names, const struct clientcert *c)
{
    const int type = c->kind == NAME_DNS ? GEN_DNS : GEN_URI;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const ASN1_IA5STRING *s = name->type == type ? name->d.ia5 : NULL;

        if (s && names_equal(c->kind, c->name, (struct slice){ (const char *)ASN1_STRING_get0_data(s),
                                                                (size_t)ASN1_STRING_length(s) }))
            return true;
    }
    return false;
}

struct principal *clientcerts_find(const struct clientcerts *cs, struct slice der, int64_t expires_us)
{
    X509 *x = parse(der);
    BIO *text = BIO_new(BIO_s_mem());
    GENERAL_NAMES *names = x ? X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL) : NULL;
    struct slice subject = x ? subject_of(x, text) : SLICE_NONE;
    struct principal *p = NULL;
    const char *why;

    for (size_t i = 0; x && !p && i < cs->n; i++) {
        const struct clientcert *c = &cs->v[i];

        if (c->kind == NAME_SUBJECT ? slice_eq(subject, c->name) : has_alternative(names, c))
            p = principal_new(c->claims, expires_us, &why);
    }
    GENERAL_NAMES_free(names);
    BIO_free(text);
    X509_free(x);
    return p;
}
