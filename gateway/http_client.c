#include "gateway/http_client.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

#define CONNECT_MS 10000L
#define CALL_MS 120000L             /* comparing large schemas takes a while, and so does a page of 8 MiB from far away */

struct http_client {
    CURL *curl;
    char *url;                      /* without slashes at its end */
    char *bearer;                   /* a header; NULL: no token */
    struct buf answer;
    char why[CURL_ERROR_SIZE];
};

static size_t keep(char *bytes, size_t size, size_t count, void *into)
{
    struct buf *b = into;

    buf_put(b, bytes, size * count);
    return b->failed ? CURL_WRITEFUNC_ERROR : size * count;
}

/* A token of a variable or a file may end in a line break, which would be another header. */
static bool is_token(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

static bool usable(const char *url, const char *token, char why[HTTP_WHY])
{
    if (strchr(url, '@')) /* not printed: a log would keep it */
        snprintf(why, HTTP_WHY, "there is an @ in the URL: a name and a password do not belong there");
    else if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
        snprintf(why, HTTP_WHY, "%.200s is not a URL that begins with http:// or https://", url);
    else if (token && !is_token(token))
        snprintf(why, HTTP_WHY, "the token has characters that no token has: a blank or a line break, perhaps");
    else
        return true;
    return false;
}

static bool set_up(struct http_client *c, const char *url, const char *token, const char *ca_file, size_t answer_bytes)
{
    static const char before[] = "Authorization: Bearer ";
    size_t n = strlen(url);

    while (n && url[n - 1] == '/')
        n--;
    if (!(c->curl = curl_easy_init()) || !(c->url = strndup(url, n)))
        return false;
    if (token && !(c->bearer = malloc(sizeof before + strlen(token))))
        return false;
    if (token)
        stpcpy(stpcpy(c->bearer, before), token);
    c->answer.limit = answer_bytes;
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, CALL_MS);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->why);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->answer);
    if (ca_file)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, ca_file);
    return true;
}

struct http_client *http_client_new(const char *url, const char *token, const char *ca_file, size_t answer_bytes,
                                    char why[HTTP_WHY])
{
    struct http_client *c = NULL;

    if (!usable(url, token, why))
        return NULL;
    if (!curl_global_init(CURL_GLOBAL_DEFAULT) && (c = calloc(1, sizeof *c)) && set_up(c, url, token, ca_file, answer_bytes))
        return c;
    snprintf(why, HTTP_WHY, "libcurl cannot be used");
    http_client_free(c);
    return NULL;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    buf_free(&c->answer);
    free(c->bearer);
    free(c->url);
    free(c);
    curl_global_cleanup();
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    *list = longer ? longer : *list;
    return longer;
}

static bool make_headers(const struct http_client *c, const struct http_call *call, struct curl_slist **ret)
{
    bool good = add_header(ret, "Expect:") && (!c->bearer || add_header(ret, c->bearer));

    for (size_t i = 0; good && call->headers && call->headers[i]; i++)
        good = add_header(ret, call->headers[i]);
    return good;
}

static void read_head(CURL *curl, struct http_answer *ret)
{
    struct curl_header *date;
    curl_off_t seconds = 0;
    time_t at;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
    if (!curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds) && seconds > 0)
        ret->retry_after_us = seconds < INT32_MAX ? seconds * US_PER_S : INT32_MAX * US_PER_S;
    if (!curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &date) && (at = curl_getdate(date->value, NULL)) > 0)
        ret->date_us = (int64_t)at * US_PER_S;
}

bool http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *ret, char why[HTTP_WHY])
{
    struct curl_slist *headers = NULL;
    struct buf url = { 0 };
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *ret = (struct http_answer){ 0 };
    c->why[0] = '\0';
    buf_reset(&c->answer);
    buf_printf(&url, "%s%s", c->url, call->path);
    buf_char(&url, '\0');
    if (!url.failed && make_headers(c, call, &headers)) {
        curl_easy_setopt(c->curl, CURLOPT_URL, url.p);
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c->curl, CURLOPT_FRESH_CONNECT, (long)call->once);
        if (call->body.p) {
            curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, call->body.p);
            curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        } else {
            curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
        }
        if (!(code = curl_easy_perform(c->curl)))
            read_head(c->curl, ret);
    }
    buf_free(&url);
    curl_slist_free_all(headers);
    if (c->answer.failed)
        snprintf(why, HTTP_WHY, "the answer of %.200s is larger than %zu MiB", c->url, c->answer.limit >> 20);
    else if (code)
        snprintf(why, HTTP_WHY, "no answer of %.200s: %s", c->url, c->why[0] ? c->why : curl_easy_strerror(code));
    else
        ret->body = (struct slice){ c->answer.n ? c->answer.p : "", c->answer.n };
    return !code && !c->answer.failed;
}

char *http_escape(struct http_client *c, struct slice text)
{
    return curl_easy_escape(c->curl, text.n ? text.p : "", (int)text.n);
}

void http_escape_free(char *text)
{
    curl_free(text);
}

const char *http_client_url(const struct http_client *c)
{
    return c->url;
}

const char *http_answer_message(long status, const json_t *body)
{
    static const char *const names[] = { "message", "detail", "title" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = json_string_value(json_object_get(body, names[i]));

        if (text && *text)
            return text;
    }
    return status / 100 == 3 ? "redirects are not followed" : "it says nothing more";
}

char http_plain_char(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
}

void http_plain(char *text)
{
    for (; *text; text++)
        *text = http_plain_char(*text);
}
