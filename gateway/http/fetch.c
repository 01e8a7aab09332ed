#include "gateway/http/fetch.h"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/http/jwks_set.h"

bool fetch_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool fetch_ca_good(const char *ca_file)
{
    BIO *bio = BIO_new_file(ca_file, "r");
    X509 *one = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool good = one != NULL;

    X509_free(one);
    BIO_free(bio);
    return good;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct buf *b = arg;

    buf_put(b, p, size * n); /* beyond the limit it fails, and so does the transfer */
    return b->failed ? CURL_WRITEFUNC_ERROR : size * n;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
    static const char name[] = "cache-control:";
    struct fetched *f = arg;
    size_t line = size * n;

    if (line > sizeof name && !strncasecmp(p, name, sizeof name - 1)) {
        while (line && (p[line - 1] == '\n' || p[line - 1] == '\r'))
            line--;
        int64_t us = cache_control_max_age((struct slice){ p + sizeof name - 1, line - (sizeof name - 1) });

        if (us >= 0 && (f->max_age_us < 0 || us < f->max_age_us))
            f->max_age_us = us;
    }
    return size * n;
}

static int should_stop(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    (void)total, (void)now, (void)up_total, (void)up;
    return atomic_load((const atomic_bool *)arg);
}

/* CURLOPT_CAINFO would take the place of the system's authorities. */
static CURLcode add_authorities(CURL *curl, void *ctx, void *arg)
{
    (void)curl;
    return SSL_CTX_load_verify_locations(ctx, arg, NULL) == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static void set_up(CURL *curl, const char *url, const struct fetch_rules *rules, int64_t timeout_us, struct fetched *ret)
{
    long ms = timeout_us > 1000 ? (long)(timeout_us / 1000) : 1;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not even the environment's */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, should_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, rules->stop);
    if (rules->ca_file && *rules->ca_file) {
        curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, add_authorities);
        curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, rules->ca_file);
    }
}

bool fetch_get(const char *url, const struct fetch_rules *rules, int64_t timeout_us, struct fetched *ret, char why[FETCH_WHY])
{
    CURL *curl = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    long status = 0;

    *ret = (struct fetched){ .body.limit = rules->bytes_max, .max_age_us = -1 };
    if (curl) {
        set_up(curl, url, rules, timeout_us, ret);
        code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_easy_cleanup(curl);
    if (ret->body.failed)
        snprintf(why, FETCH_WHY, "the answer has more than %zu bytes", rules->bytes_max);
    else if (code != CURLE_OK)
        snprintf(why, FETCH_WHY, "%s", curl_easy_strerror(code));
    else if (status != 200)
        snprintf(why, FETCH_WHY, "the answer's status is %ld%s", status, status / 100 == 3 ? "; redirects are not followed" : "");
    return code == CURLE_OK && status == 200 && !ret->body.failed;
}
