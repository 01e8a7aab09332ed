/* Issuers of the keys file: what is read, what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "gateway/http/issuers.h"
#include "gateway/http/rights.h"
#include "tests/unit/tokens.h"

#define SECRET_KEY "{\"kid\":\"k\",\"alg\":\"HS256\",\"secret\":\"" TOKEN_SECRET "\"}"
#define BASE "\"issuer\":\"https://id.example\",\"audience\":\"weir\""
#define URL "\"jwks_url\":\"https://id.example/jwks\""

static bool read_list(const char *text, bool allow_http, struct issuers *is, char err[512])
{
    const struct config c = { .auth_jwks_allow_http = allow_http };
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(list);
    *err = '\0';
    bool good = issuers_read(is, list, "/etc/keys.json", &c, err);

    json_decref(list);
    return good;
}

static void each_member_is_read(void **state)
{
    struct issuers is = { .n = 0 };
    char err[512];

    (void)state;
    assert_true(read_list("[{\"issuer\":\"https://id.example/\",\"audiences\":[\"a\",\"b\"]," URL ","
                          "\"algorithms\":[\"PS256\",\"ES256\"],"
                          "\"grants\":\"publish:b.* subscribe:*\",\"require_at_jwt\":true},"
                          "{\"issuer\":\"cron\",\"audiences\":[],\"keys\":[" SECRET_KEY "]},"
                          "{\"issuer\":\"https://id.example/realm\",\"audience\":\"w\",\"discovery\":true}]",
                          false, &is, err));
    assert_int_equal(is.n, 3);
    const struct issuer *a = issuers_find(&is, SLICE("https://id.example/")), *b = issuers_find(&is, SLICE("cron"));
    const struct issuer *c = issuers_find(&is, SLICE("https://id.example/realm"));

    assert_ptr_equal(a, is.v[0]);
    assert_true(a->audience_n == 2 && a->fetched && !a->discovery && a->at_jwt);
    assert_int_equal(a->algs, 1U << KEY_PS256 | 1U << KEY_ES256);
    assert_true(rights_allow(a->ceiling, PERM_PUBLISH, SLICE("b.x")) && !rights_allow(a->ceiling, PERM_PUBLISH, SLICE("a.x")));
    assert_true(b->keys.n == 1 && !b->fetched && !b->ceiling && b->audience_n == 0);
    assert_true(c->fetched && c->discovery && !c->jwks_url && !(c->algs & 1U << KEY_HS256));
    assert_null(issuers_find(&is, SLICE("https://id.example")));
    assert_null(issuers_find(&is, SLICE("")));
    assert_null(issuers_find(&is, SLICE_NONE));
    assert_null(issuers_find(NULL, SLICE("cron")));
    issuers_free(&is);
}

static const struct {
    const char *record, *err;
} unusable[] = {
    { "7", "it is not an object" },
    { "{}", "it has no issuer" },
    { "{\"issuer\":\"\"}", "issuer is a string of 1 to" },
    { "{\"issuer\":\"i\"}", "it has no audience" },
    { "{" BASE "}", "one of jwks_url, discovery and keys" },
    { "{" BASE "," URL ",\"discovery\":true}", "one of jwks_url, discovery and keys" },
    { "{" BASE "," URL ",\"keys\":[" SECRET_KEY "]}", "one of jwks_url, discovery and keys" },
    { "{" BASE "," URL ",\"audiences\":[]}", "both audience and audiences" },
    { "{\"issuer\":\"i\",\"audiences\":[5]," URL "}", "each of audiences is a string" },
    { "{\"issuer\":\"i\",\"audiences\":\"w\"," URL "}", "audiences is an array" },
    { "{" BASE ",\"jwks_url\":7}", "jwks_url is a string" },
    { "{" BASE ",\"jwks_url\":\"http://id.example/\"}", "must be https" },
    { "{" BASE ",\"jwks_url\":\"http://127.0.0.1.example/\"}", "must be https" },
    { "{" BASE ",\"jwks_url\":\"file:///etc/passwd\"}", "not an absolute one" },
    { "{" BASE ",\"jwks_url\":\"https://u:p@id.example/\"}", "a user or a fragment" },
    { "{" BASE ",\"jwks_url\":\"https://id.example/#x\"}", "a user or a fragment" },
    { "{" BASE ",\"jwks_url\":\"/jwks\"}", "not an absolute one" },
    { "{" BASE ",\"discovery\":false}", "discovery is true, or left out" },
    { "{\"issuer\":\"i\",\"audience\":\"w\",\"discovery\":true}", "issuer must be a URL without a query" },
    { "{\"issuer\":\"https://a/?x\",\"audience\":\"w\",\"discovery\":true}", "it has one" },
    { "{" BASE "," URL ",\"algorithms\":[\"HS256\"]}", "algorithms are of" },
    { "{" BASE "," URL ",\"algorithms\":[\"none\"]}", "algorithms are of" },
    { "{" BASE "," URL ",\"algorithms\":[]}", "algorithms is an array" },
    { "{" BASE ",\"keys\":[" SECRET_KEY "],\"algorithms\":[\"RS256\"]}", "algorithms are for fetched keys" },
    { "{" BASE "," URL ",\"grants\":7}", "grants is a string" },
    { "{" BASE "," URL ",\"grants\":\"\"}", "each entry of grants" },
    { "{" BASE "," URL ",\"grants\":\"publish:a  publish:b\"}", "each entry of grants" },
    { "{" BASE "," URL ",\"grants\":\"read:*\"}", "each entry of grants" },
    { "{" BASE "," URL ",\"grants\":\"publish:\"}", "each entry of grants" },
    { "{" BASE "," URL ",\"require_at_jwt\":\"yes\"}", "require_at_jwt is true or false" },
    { "{" BASE ",\"jwks_uri\":\"https://id.example/\"}", "the member jwks_uri is unknown" },
    { "{" BASE ",\"keys\":[]}", "at least one key" },
    { "{" BASE ",\"keys\":[{\"kid\":\"k\",\"alg\":\"HS256\",\"secret\":\"s\"}]}", "key 1 (kid k): the secret has 1 bytes" },
    { "{" BASE ",\"keys\":[{\"alg\":\"HS256\",\"secret\":\"" TOKEN_SECRET "\",\"issuer\":\"j\"}]}", "stands under" },
};

static void what_cannot_be_used_is_named_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        struct issuers is = { .n = 0 };
        char err[512], text[512];

        snprintf(text, sizeof text, "[%s]", unusable[i].record);
        if (read_list(text, false, &is, err) || !strstr(err, unusable[i].err) || !strstr(err, "Issuer 1 (") || is.n)
            fail_msg("%s: \"%s\" instead of \"%s\"", text, err, unusable[i].err);
        issuers_free(&is);
    }
}

static void an_issuer_stands_there_once_and_there_are_not_too_many(void **state)
{
    struct issuers is = { .n = 0 };
    char err[512], text[128];

    (void)state;
    assert_false(read_list("[{" BASE "," URL "},{" BASE "," URL "}]", false, &is, err));
    assert_non_null(strstr(err, "Issuer 2 (https://id.example) of the keys file /etc/keys.json cannot be used: this issuer"));
    issuers_free(&is);
    for (int i = 0; i <= ISSUERS_MAX; i++) {
        snprintf(text, sizeof text, "[{\"issuer\":\"%d\",\"audience\":\"w\"," URL "}]", i);
        assert_int_equal(read_list(text, false, &is, err), i < ISSUERS_MAX);
    }
    assert_non_null(strstr(err, "more than 16 issuers"));
    issuers_free(&is);
}

static void http_is_for_this_machine_unless_it_is_allowed(void **state)
{
    static const struct {
        const char *url;
        bool alone, allowed;
    } rows[] = {
        { "https://id.example/x", true, true },   { "http://127.0.0.1:8/x", true, true }, { "http://127.9.9.9/x", true, true },
        { "http://[::1]:8/x", true, true },       { "http://localhost/x", true, true },   { "HTTP://LOCALHOST/x", true, true },
        { "http://id.example/x", false, true },   { "http://10.0.0.1/x", false, true },
        { "http://localhost.example/x", false, true },
        { "http://[::2]/x", false, true },        { "ftp://127.0.0.1/x", false, false },  { "https://", false, false },
        { "", false, false },                     { "https://a b/", false, false },       { "http://u@127.0.0.1/", false, false },
    };
    char why[KEY_WHY];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (jwks_url_good(rows[i].url, false, why) != rows[i].alone || jwks_url_good(rows[i].url, true, why) != rows[i].allowed)
            fail_msg("%s", rows[i].url);
    }
}

static void the_settings_name_one_issuer(void **state)
{
    const struct config none = { .auth_issuer = "https://i", .auth_audience = "w" };
    struct config c = none;
    struct issuers is = { .n = 0 };
    char err[512];

    (void)state;
    assert_true(issuers_of_settings(&is, &none, err) && is.n == 0);
    c.auth_jwks_url = "https://i/jwks";
    c.auth_require_at_jwt = true;
    assert_true(issuers_of_settings(&is, &c, err));
    assert_true(is.n == 1 && is.v[0]->at_jwt && is.v[0]->fetched && is.v[0]->audience_n == 1);
    assert_false(issuers_of_settings(&is, &c, err)); /* it stands in the keys file already */
    assert_non_null(strstr(err, "auth.jwks_url) cannot be used: this issuer stands there twice"));
    issuers_free(&is);
    c.auth_jwks_url = "http://i/jwks";
    assert_false(issuers_of_settings(&is, &c, err));
    assert_non_null(strstr(err, "must be https"));
}

static void a_ceiling_cuts_each_action_by_itself(void **state)
{
    struct rights token = { 0 }, ceiling = { 0 };

    (void)state;
    assert_true(rights_read_all(&token, SLICE("publish:a.* subscribe:b.* admin:c")));
    assert_true(rights_read_all(&ceiling, SLICE("publish:b.* subscribe:a.* publish:c")));
    assert_false(rights_allow_both(&token, &ceiling, PERM_ANY, SLICE("a.x")));
    assert_false(rights_allow_both(&token, &ceiling, PERM_PUBLISH, SLICE("a.x")));
    assert_true(rights_allow_both(&token, &ceiling, PERM_PUBLISH, SLICE("c")));
    assert_true(rights_allow_both(&token, &ceiling, PERM_ANY, SLICE("c")));
    assert_false(rights_allow_both(&token, &ceiling, PERM_ADMIN, SLICE("c")));
    rights_free(&token);
    rights_free(&ceiling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_member_is_read),
        cmocka_unit_test(what_cannot_be_used_is_named_with_the_reason),
        cmocka_unit_test(an_issuer_stands_there_once_and_there_are_not_too_many),
        cmocka_unit_test(http_is_for_this_machine_unless_it_is_allowed),
        cmocka_unit_test(the_settings_name_one_issuer),
        cmocka_unit_test(a_ceiling_cuts_each_action_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
