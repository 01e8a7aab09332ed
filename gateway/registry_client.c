#include "gateway/registry_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/http_client.h"

#define ANSWER_BYTES (32UL << 20)
#define URL_BYTES (16UL << 10)

struct registry_client {
    struct http_client *http;
};

/* With /registry at its end. */
static char *base_of(const char *url)
{
    static const char path[] = "/registry";
    size_t n = strlen(url), p = sizeof path - 1;
    char *base = malloc(n + sizeof path);

    while (n && url[n - 1] == '/')
        n--;
    if (base) {
        memcpy(base, url, n);
        memcpy(base + n, path, sizeof path);
        if (n > p && memcmp(url + n - p, path, p) == 0)
            base[n] = '\0';
    }
    return base;
}

struct registry_client *registry_client_new(const char *url, const char *token, const char *ca_file, char why[REGISTRY_WHY])
{
    struct registry_client *c = calloc(1, sizeof *c);
    char *base = base_of(url);

    if (c && base)
        c->http = http_client_new(base, token, ca_file, ANSWER_BYTES, why);
    else
        snprintf(why, REGISTRY_WHY, "memory is out");
    free(base);
    if (c && c->http)
        return c;
    free(c);
    return NULL;
}

void registry_client_free(struct registry_client *c)
{
    if (c)
        http_client_free(c->http);
    free(c);
}

bool registry_client_post(struct registry_client *c, const char *before, struct slice subject, const char *after, struct slice body,
                          struct registry_answer *ret, char why[REGISTRY_WHY])
{
    static const char *const headers[] = { "Content-Type: application/vnd.schemaregistry.v1+json",
                                           "Accept: application/vnd.schemaregistry.v1+json, application/json", NULL };
    struct buf path = { .limit = URL_BYTES };
    struct http_answer answer = { 0 };
    char *escaped = http_escape(c->http, subject);
    bool answered = false;

    *ret = (struct registry_answer){ 0 };
    buf_printf(&path, "%s%s%s", before, escaped ? escaped : "", after);
    buf_char(&path, '\0');
    if (!escaped || path.failed)
        snprintf(why, REGISTRY_WHY, "memory is out");
    else
        answered = http_client_call(c->http, &(struct http_call){ path.p, headers, body, false }, &answer, why);
    ret->status = answer.status;
    if (answered && answer.body.n)
        ret->body = json_loadb(answer.body.p, answer.body.n, JSON_DECODE_ANY, NULL);
    http_escape_free(escaped);
    buf_free(&path);
    return answered;
}

const char *registry_answer_message(const struct registry_answer *a)
{
    return http_answer_message(a->status, a->body);
}

int registry_answer_error_code(const struct registry_answer *a)
{
    json_int_t code = json_integer_value(json_object_get(a->body, "error_code"));

    return code > 0 && code < 1000000 ? (int)code : 0;
}
