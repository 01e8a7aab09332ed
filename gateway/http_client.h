#ifndef WEIR_HTTP_CLIENT_H
#define WEIR_HTTP_CLIENT_H

#include <stdint.h>

#include "gateway/base/slice.h"

#define HTTP_WHY 1024

/* Calls of a gateway, for commands: they block. One thread, one connection that is kept. */
struct http_client;
struct json_t; /* jansson's */

struct http_call {
    const char *path;               /* after the URL of the gateway, query included, escaped */
    const char *const *headers;     /* "Name: value", NULL at the end; NULL: none */
    struct slice body;              /* p == NULL: GET; else POST */
    bool once;                      /* not by a kept connection: libcurl sends again what was lost with it */
};

struct http_answer {
    long status;
    int64_t retry_after_us;         /* 0: it does not say */
    int64_t date_us;                /* the server's clock, whole seconds; 0: it does not say */
    struct slice body;              /* until the next call */
};

/* url: http:// or https://, without a name or a password. token, ca_file (PEM, instead of the system's authorities) may be NULL.
 * answer_bytes: the most that is taken of one. NULL with a sentence in why. */
struct http_client *http_client_new(const char *url, const char *token, const char *ca_file, size_t answer_bytes,
                                    char why[HTTP_WHY]);
void http_client_free(struct http_client *c);
/* true: there is an answer, whatever its status; false: a sentence in why. Redirects are not followed. */
bool http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *ret, char why[HTTP_WHY]);
/* For a path or a query; free it with http_escape_free. NULL: memory is out. */
char *http_escape(struct http_client *c, struct slice text);
void http_escape_free(char *text);
const char *http_client_url(const struct http_client *c);
/* What an answer says of itself in Confluent's form or as a problem (RFC 9457); body NULL: no JSON. Never NULL. */
const char *http_answer_message(long status, const struct json_t *body);
/* Of what others wrote: nothing that is printed moves the cursor of a terminal. */
char http_plain_char(char c);
void http_plain(char *text);

#endif
