#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/http/jwks_set.h"

enum { MAX_AGE_CAP_S = 365 * 24 * 3600 };

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]") ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static bool refuse(char why[KEY_WHY], const char *what)
{
    snprintf(why, KEY_WHY, "%s", what);
    return false;
}

bool jwks_url_good(const char *url, bool allow_http, char why[KEY_WHY])
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL, *fragment = NULL;
    bool good;

    if (!u || curl_url_set(u, CURLUPART_URL, url, 0) || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(u, CURLUPART_HOST, &host, 0)) {
        good = refuse(why, "its URL is not an absolute one");
    } else if (!curl_url_get(u, CURLUPART_USER, &user, 0) || !curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0)) {
        good = refuse(why, "its URL has a user or a fragment");
    } else if (!strcmp(scheme, "https")) {
        good = true;
    } else {
        good = !strcmp(scheme, "http") && (allow_http || is_loopback(host));
        if (!good)
            refuse(why, "its URL must be https (http: on this machine alone, unless auth.jwks_allow_http is set)");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(fragment);
    curl_url_cleanup(u);
    return good;
}

static struct slice trimmed(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (p < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct slice){ p, (size_t)(end - p) };
}

static bool is_word(struct slice s, const char *word)
{
    return s.n == strlen(word) && !strncasecmp(s.p, word, s.n);
}

static int64_t seconds(struct slice digits)
{
    int64_t s = 0;

    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return 0;
        s = s < MAX_AGE_CAP_S ? 10 * s + (digits.p[i] - '0') : s;
    }
    return s < MAX_AGE_CAP_S ? s : MAX_AGE_CAP_S;
}

/* RFC 9111, 5.2.2; of directives that contradict each other the shortest time holds. */
int64_t cache_control_max_age(struct slice value)
{
    int64_t age_us = -1;

    for (const char *p = value.p, *end = value.p + value.n; p && p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma ? comma : end;
        const char *equals = memchr(p, '=', (size_t)(stop - p));
        struct slice name = trimmed(p, equals ? equals : stop);
        int64_t us = -1;

        if (is_word(name, "no-store") || is_word(name, "no-cache"))
            us = 0;
        else if (is_word(name, "max-age"))
            us = equals ? seconds(trimmed(equals + 1, stop)) * US_PER_S : 0;
        if (us >= 0 && (age_us < 0 || us < age_us))
            age_us = us;
        p = stop + 1;
    }
    return age_us;
}
