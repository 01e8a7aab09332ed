#include "gateway/registry_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/buf.h"

#define CONNECT_MS 10000L
#define CALL_MS 120000L             /* comparing large schemas takes a while */
#define ANSWER_BYTES (32UL << 20)
#define URL_BYTES (16UL << 10)

struct registry_client {
    CURL *curl;
    struct curl_slist *headers;
    char *base;                     /* ends in /registry */
    char why[CURL_ERROR_SIZE];
};

static size_t keep(char *bytes, size_t size, size_t count, void *into)
{
    struct buf *b = into;

    buf_put(b, bytes, size * count);
    return b->failed ? CURL_WRITEFUNC_ERROR : size * count;
}

static bool add_header(struct registry_client *c, const char *name, const char *value)
{
    struct buf line = { 0 };
    struct curl_slist *longer;

    buf_printf(&line, "%s: %s", name, value);
    buf_char(&line, '\0');
    longer = line.failed ? NULL : curl_slist_append(c->headers, line.p);
    buf_free(&line);
    c->headers = longer ? longer : c->headers;
    return longer;
}

/* A token of a variable or a file may end in a line break, which would be another header. */
static bool is_token(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

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

static void set_up(struct registry_client *c, const char *ca_file)
{
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, CALL_MS);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->why);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, keep);
    if (ca_file)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, ca_file);
}

struct registry_client *registry_client_new(const char *url, const char *token, const char *ca_file, char why[REGISTRY_WHY])
{
    struct registry_client *c = NULL;
    struct buf bearer = { 0 };
    bool good = false;

    if (strchr(url, '@')) /* not printed: a log would keep it */
        snprintf(why, REGISTRY_WHY, "there is an @ in the URL: a name and a password do not belong there");
    else if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
        snprintf(why, REGISTRY_WHY, "%.200s is not a URL that begins with http:// or https://", url);
    else if (token && !is_token(token))
        snprintf(why, REGISTRY_WHY, "the token has characters that no token has: a blank or a line break, perhaps");
    else if (!curl_global_init(CURL_GLOBAL_DEFAULT) && (c = calloc(1, sizeof *c)) && (c->curl = curl_easy_init())) {
        buf_printf(&bearer, "Bearer %s", token ? token : "");
        buf_char(&bearer, '\0');
        good = (c->base = base_of(url)) && !bearer.failed &&
               add_header(c, "Content-Type", "application/vnd.schemaregistry.v1+json") &&
               add_header(c, "Accept", "application/vnd.schemaregistry.v1+json, application/json") && add_header(c, "Expect", "") &&
               (!token || add_header(c, "Authorization", bearer.p));
        if (good)
            set_up(c, ca_file);
    }
    if (!good && !why[0])
        snprintf(why, REGISTRY_WHY, "libcurl cannot be used");
    buf_free(&bearer);
    if (good)
        return c;
    registry_client_free(c);
    return NULL;
}

void registry_client_free(struct registry_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    free(c->base);
    free(c);
    curl_global_cleanup();
}

bool registry_client_post(struct registry_client *c, const char *before, struct slice subject, const char *after, struct slice body,
                          struct registry_answer *ret, char why[REGISTRY_WHY])
{
    struct buf url = { .limit = URL_BYTES }, answer = { .limit = ANSWER_BYTES };
    char *escaped = curl_easy_escape(c->curl, subject.p, (int)subject.n);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *ret = (struct registry_answer){ 0 };
    c->why[0] = '\0';
    buf_printf(&url, "%s%s%s%s", c->base, before, escaped ? escaped : "", after);
    buf_char(&url, '\0');
    curl_free(escaped);
    if (escaped && !url.failed) {
        curl_easy_setopt(c->curl, CURLOPT_URL, url.p);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &answer);
        if (!(code = curl_easy_perform(c->curl)))
            code = curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    }
    if (answer.failed)
        snprintf(why, REGISTRY_WHY, "the answer of %s is larger than %lu MiB", c->base, ANSWER_BYTES >> 20);
    else if (code)
        snprintf(why, REGISTRY_WHY, "no answer of %s: %s", c->base, c->why[0] ? c->why : curl_easy_strerror(code));
    else if (answer.n)
        ret->body = json_loadb(answer.p, answer.n, JSON_DECODE_ANY, NULL);
    buf_free(&url);
    buf_free(&answer);
    return !code && !answer.failed;
}

const char *registry_answer_message(const struct registry_answer *a)
{
    static const char *const names[] = { "message", "detail", "title" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = json_string_value(json_object_get(a->body, names[i]));

        if (text && *text)
            return text;
    }
    return a->status / 100 == 3 ? "redirects are not followed" : "it says nothing more";
}

int registry_answer_error_code(const struct registry_answer *a)
{
    json_int_t code = json_integer_value(json_object_get(a->body, "error_code"));

    return code > 0 && code < 1000000 ? (int)code : 0;
}
