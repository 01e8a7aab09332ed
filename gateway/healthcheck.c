#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/commands.h"

#define ANSWER_MS 5000L  /* from the connection to the last byte */
#define ANSWER_BYTES 4096 /* what is shown of an answer */

struct answer {
    char text[ANSWER_BYTES];
    size_t n;
};

static size_t keep(char *bytes, size_t size, size_t count, void *into)
{
    struct answer *a = into;
    size_t n = size * count, room = sizeof a->text - a->n, kept = n < room ? n : room;

    memcpy(a->text + a->n, bytes, kept);
    a->n += kept;
    return n;
}

/* Where a gateway with these settings can be called on this machine. */
static void ready_url(const struct config *c, char *url, size_t size)
{
    const char *address = c->http_address;
    bool v6 = strchr(address, ':');

    if (strcmp(address, "0.0.0.0") == 0)
        address = "127.0.0.1";
    else if (strcmp(address, "::") == 0)
        address = "::1";
    snprintf(url, size, v6 ? "%s://[%s]:%" PRId64 "/readyz" : "%s://%s:%" PRId64 "/readyz",
             c->tls_certificate[0] ? "https" : "http", address, c->http_port);
}

static CURLcode ask(const char *url, struct answer *a, long *ret_status, char why[CURL_ERROR_SIZE])
{
    CURL *curl = curl_easy_init();
    CURLcode e;

    if (!curl)
        return CURLE_OUT_OF_MEMORY;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");        /* never by way of the environment's */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L); /* the certificate is not made for this address, and nothing is told */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    if (!(e = curl_easy_perform(curl)))
        e = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    curl_easy_cleanup(curl);
    return e;
}

int command_healthcheck(struct call *call)
{
    struct answer a = { .n = 0 };
    char url[96], why[CURL_ERROR_SIZE] = "", sentence[sizeof url + sizeof why + 32];
    long status = 0;
    CURLcode e;

    if (call->config.http_port == 0)
        return complain("http.port is 0, any free one: say which port to ask with --port");
    ready_url(&call->config, url, sizeof url);
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return complain("libcurl cannot be used");
    e = ask(url, &a, &status, why);
    curl_global_cleanup();
    if (e) {
        snprintf(sentence, sizeof sentence, "no answer of %s: %s", url, why[0] ? why : curl_easy_strerror(e));
        return complain(sentence);
    }
    printf("%ld %.*s\n", status, (int)a.n, a.text);
    return status == 200 ? 0 : 1;
}
