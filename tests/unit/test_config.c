#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/config.h"

#define ARGS(...) ((char *[]){ __VA_ARGS__, NULL })
#define NONE ((char *[]){ NULL })

static bool load(struct config *c, char **argv, char **env, char err[512])
{
    int n = 0;

    while (argv[n])
        n++;
    memset(err, 0, 512);
    return config_load(c, n, argv, env, err);
}

static struct config loaded(char **argv, char **env)
{
    struct config c;
    char err[512];

    if (!load(&c, argv, env, err))
        fail_msg("%s", err);
    return c;
}

static void refused(char **argv, char **env, const char *sentence)
{
    struct config c;
    char err[512];

    assert_false(load(&c, argv, env, err));
    assert_string_equal(err, sentence);
    assert_null(c.state);
}

/* What fn prints; the caller frees. */
static char *printed(void (*fn)(FILE *out))
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    fn(f);
    fclose(f);
    return text;
}

static char *listing(const struct config *c)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    config_print(c, f);
    fclose(f);
    return text;
}

static char path[64];

/* The same path each time, so that sentences can name it. */
static char *file_of(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static char *at_line(int line, const char *rest)
{
    static char sentence[512];

    snprintf(sentence, sizeof sentence, "%s:%d: %s", path, line, rest);
    return sentence;
}

static void the_defaults_hold_among_themselves(void **state)
{
    struct config c = loaded(NONE, NONE);

    (void)state;
    assert_string_equal(c.http_address, "127.0.0.1");
    assert_int_equal(c.http_port, 8080);
    assert_int_equal(c.http_connection_memory, 8192);
    assert_int_equal(c.http_idle_timeout_us, 120 * US_PER_S);
    assert_int_equal(c.request_bytes, 16777216);
    assert_false(c.http_access_log);
    assert_false(c.streams_auto_create);
    assert_false(c.outbound_allow_private);
    assert_string_equal(c.database_url, "");
    config_free(&c);
    config_free(&c);
    config_free(NULL);
}

static void every_row_is_sound_and_has_a_field_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *r = &config_rows[i];

        assert_true(strlen(r->name) < 40);
        assert_int_equal(strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789_."), strlen(r->name));
        assert_true(r->min <= r->max);
        assert_null(strchr(r->help, '|')); /* it stands in a table of the documentation */
        assert_int_equal(r->help[strlen(r->help) - 1], '.');
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(config_rows[j].name, r->name);
            assert_int_not_equal(config_rows[j].offset, r->offset);
        }
    }
}

static void later_wins_of_file_environment_and_command_line(void **state)
{
    char *file = file_of("http.loops = 3\nworker.threads = 5\nread.limit_max=7\n"), var[100];
    struct config c;

    (void)state;
    snprintf(var, sizeof var, "WEIR_CONFIG=%s", file);
    c = loaded(ARGS("--http-loops", "9"), ARGS(var, "WEIR_HTTP_LOOPS=6", "WEIR_WORKER_THREADS=8", "HOME=/"));
    assert_int_equal(c.http_loops, 9);
    assert_int_equal(c.worker_threads, 8);
    assert_int_equal(c.read_limit_max, 7);
    config_free(&c);
    c = loaded(ARGS("--config", file), ARGS("WEIR_CONFIG=/nowhere", "WEIR_HTTP_LOOPS="));
    assert_int_equal(c.http_loops, 3);
    config_free(&c);
}

static void the_file_takes_comments_space_and_any_text(void **state)
{
    char *file = file_of("# a comment\n\n  http.port=1 \r\n\tstreams.auto_create = yes\n"
                         "database.url = host=db password='a # b'\nauth.issuer =\nlog.level = off");
    struct config c = loaded(ARGS("--config", file), NONE);

    (void)state;
    assert_int_equal(c.http_port, 1);
    assert_true(c.streams_auto_create);
    assert_string_equal(c.database_url, "host=db password='a # b'");
    assert_string_equal(c.auth_issuer, "");
    assert_string_equal(c.log_level, "off");
    config_free(&c);
}

static void options_take_their_value_in_either_way(void **state)
{
    struct config c = loaded(ARGS("--port=0", "--address", "::1", "--streams-auto-create", "--metrics-public", "off",
                                  "--database-url=postgresql://u@h/d?a=b", "--http-access-log=0", "--data-dir", "x"),
                             NONE);

    (void)state;
    assert_int_equal(c.http_port, 0);
    assert_string_equal(c.http_address, "::1");
    assert_true(c.streams_auto_create);
    assert_false(c.metrics_public);
    assert_false(c.http_access_log);
    assert_string_equal(c.database_url, "postgresql://u@h/d?a=b");
    assert_string_equal(c.data_dir, "x");
    config_free(&c);
}

static void sizes_and_durations_have_units(void **state)
{
    static const struct {
        char *text;
        int64_t bytes; /* -1: refused */
    } sizes[] = { { "65536", 65536 }, { "64KiB", 65536 }, { "1MiB", 1048576 }, { "64GiB", INT64_C(68719476736) },
                  { "65GiB", -1 },    { "64kb", -1 },     { "64 KiB", -1 },    { "-1", -1 },
                  { "", -1 },         { "KiB", -1 },      { "1023", -1 },      { "1.5MiB", -1 },
                  { "9223372036854775807GiB", -1 },       { "17179869185GiB", -1 } }; /* 2^64 and a GiB */
    struct config c;
    char err[512];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool ok = load(&c, ARGS("--commit-queue-bytes", sizes[i].text, "--publish-request-bytes=1KiB",
                                "--commit-batch-bytes=1KiB", "--publish-event-bytes=1KiB"), NONE, err);

        assert_int_equal(ok, sizes[i].bytes >= 0);
        if (ok)
            assert_int_equal(c.commit_queue_bytes, sizes[i].bytes);
        config_free(&c);
    }
    c = loaded(ARGS("--tail-poll", "250ms", "--tail-idle", "1d"), NONE);
    assert_int_equal(c.tail_poll_us, 250000);
    assert_int_equal(c.tail_idle_us, 86400 * US_PER_S);
    config_free(&c);
}

static void a_wrong_value_is_refused_with_its_source_and_what_is_allowed(void **state)
{
    (void)state;
    refused(ARGS("--http-port", "65536"), NONE,
            "command line --http-port: \"65536\" is not valid for http.port, which takes an integer from 0 to 65535.");
    refused(ARGS("--port", "99999999999999999999"), NONE,
            "command line --http-port: \"99999999999999999999\" is not valid for http.port, which takes an integer "
            "from 0 to 65535.");
    refused(NONE, ARGS("WEIR_TAIL_POLL=5"),
            "environment WEIR_TAIL_POLL: \"5\" is not valid for tail.poll, which takes a duration from 10ms to 1m.");
    refused(NONE, ARGS("WEIR_STREAMS_AUTO_CREATE=maybe"),
            "environment WEIR_STREAMS_AUTO_CREATE: \"maybe\" is not valid for streams.auto_create, which takes true "
            "or false.");
    refused(ARGS("--log-level", "debug info"), NONE,
            "command line --log-level: \"debug info\" is not valid for log.level, which takes one of: debug info warn "
            "error off.");
    refused(ARGS("--config", file_of("\nhttp.connection_memory = 1KiB\n")), NONE,
            at_line(2, "\"1KiB\" is not valid for http.connection_memory, which takes a size from 4KiB to 1MiB."));
    refused(ARGS("--address", "localhost"), NONE,
            "command line --http-address: http.address must be a numeric IPv4 or IPv6 address.");
    refused(ARGS("--port"), NONE, "command line: --port needs a value.");
    refused(ARGS("--port", "--address=::"), NONE, "command line: --port needs a value.");
    refused(ARGS("8080"), NONE, "command line: \"8080\" is not an option; options are --name value.");
}

static void an_unknown_name_is_refused_with_the_nearest(void **state)
{
    (void)state;
    refused(ARGS("--http-prot", "1"), NONE,
            "command line: there is no setting --http-prot; did you mean --http-port?");
    refused(NONE, ARGS("WEIR_STREAM_AUTOCREATE=true"),
            "environment: there is no setting WEIR_STREAM_AUTOCREATE; did you mean WEIR_STREAMS_AUTO_CREATE?");
    refused(ARGS("--config", file_of("publish.max_event_bytes = 1\n")), NONE,
            at_line(1, "there is no setting publish.max_event_bytes; did you mean publish.event_bytes?"));
    refused(ARGS("--config", file_of("--http-port = 1\n")), NONE,
            at_line(1, "there is no setting --http-port; did you mean http.port?"));
}

static void a_file_that_is_none_is_refused(void **state)
{
    (void)state;
    refused(ARGS("--config", "/nowhere/weir.conf"), NONE,
            "The configuration file /nowhere/weir.conf cannot be read: No such file or directory.");
    refused(ARGS("--config", "/"), NONE, "The configuration file / cannot be read: Is a directory.");
    refused(ARGS("--config"), NONE, "command line: --config needs a file name.");
    refused(ARGS("--config", file_of("http.port 80\n")), NONE,
            at_line(1, "a line is `name = value`, a comment that begins with #, or empty."));
    refused(ARGS("--config", file_of("http.port = 80\n#\nhttp.port = 81\n")), NONE,
            at_line(3, "http.port is set a second time, after line 1."));
}

static void settings_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    refused(ARGS("--publish-event-bytes", "32MiB"), NONE,
            "publish.event_bytes = 32MiB (command line --publish-event-bytes) must not be above publish.request_bytes = "
            "16MiB (default): an event comes in a request.");
    refused(NONE, ARGS("WEIR_COMMIT_QUEUE_EVENTS=1999", "WEIR_PUBLISH_REQUEST_EVENTS=10"),
            "commit.batch_events = 2000 (default) must not be above commit.queue_events = 1999 (environment "
            "WEIR_COMMIT_QUEUE_EVENTS): a transaction is filled from the queue.");
    refused(NONE, ARGS("WEIR_AUTH_PUBLIC_KEY=x"),
            "environment WEIR_AUTH_PUBLIC_KEY: auth.public_key needs auth.public_key_alg, the one algorithm that it is "
            "good for.");
    refused(NONE, ARGS("WEIR_AUTH_PUBLIC_KEY_ALG=RS256"),
            "environment WEIR_AUTH_PUBLIC_KEY_ALG: auth.public_key_alg is of no use without auth.public_key.");
    refused(NONE, ARGS("WEIR_AUTH_HS256_SECRET=0123456789012345678901234567890"),
            "environment WEIR_AUTH_HS256_SECRET: auth.hs256_secret must have at least 32 bytes.");
}

static void what_kubernetes_makes_of_services_is_ignored(void **state)
{
    struct config c = loaded(NONE, ARGS("WEIR_SERVICE_HOST=10.0.0.1", "WEIR_SERVICE_PORT=8080",
                                        "WEIR_SERVICE_PORT_HTTP=8080", "WEIR_PORT=tcp://10.0.0.1:8080",
                                        "WEIR_PORT_8080_TCP=tcp://10.0.0.1:8080", "WEIR_PORT_8080_TCP_ADDR=10.0.0.1",
                                        "WEIR_HTTP_PORT=tcp://10.0.0.1:80", "WEIR_UI_PORT_80_TCP_PROTO=tcp"));

    (void)state;
    assert_int_equal(c.http_port, 8080);
    assert_false(config_is_set(&c, "http.port"));
    config_free(&c);
}

static void what_clients_read_is_ignored(void **state)
{
    struct config c = loaded(NONE, ARGS("WEIR_URL=http://127.0.0.1:8080", "WEIR_TOKEN=t", "WEIR_STREAM=s", "WEIR_GROUP=g",
                                        "WEIR_WAIT=5s"));

    (void)state;
    assert_int_equal(c.http_port, 8080);
    config_free(&c);
}

static void a_command_changes_defaults_but_not_what_is_set(void **state)
{
    struct config c = loaded(ARGS("--port", "9"), NONE);
    char *text;

    (void)state;
    assert_true(config_is_set(&c, "http.port"));
    assert_false(config_is_set(&c, "streams.auto_create"));
    assert_false(config_is_set(&c, "no.such"));
    assert_true(config_set_default(&c, "http.port", "10"));
    assert_true(config_set_default(&c, "streams.auto_create", "true"));
    assert_int_equal(c.http_port, 9);
    assert_true(c.streams_auto_create);
    assert_false(config_is_set(&c, "streams.auto_create"));
    assert_false(config_set_default(&c, "no.such", "true"));
    assert_false(config_set_default(&c, "streams.auto_create", "perhaps"));
    text = listing(&c);
    assert_non_null(strstr(text, "# default of this command\nstreams.auto_create = true\n"));
    assert_non_null(strstr(text, "# command line --http-port\nhttp.port = 9\n"));
    free(text);
    config_free(&c);
}

static void secrets_are_never_printed(void **state)
{
    static char url[] = "WEIR_DATABASE_URL=postgresql://weir:hunter2@h/d", secret[6000];
    struct config c = loaded(NONE, ARGS(url, "WEIR_AUTH_HS256_SECRET=hunter2-hunter2-hunter2-hunter2-"));
    char *text = listing(&c), err[512];

    (void)state;
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "# environment WEIR_DATABASE_URL\ndatabase.url = ***\n"));
    free(text);
    config_free(&c);
    c = loaded(NONE, ARGS("WEIR_DATABASE_URL=x"));
    text = listing(&c);
    assert_non_null(strstr(text, "database.url = ***\n")); /* nor its length */
    free(text);
    config_free(&c);
    memset(secret, 'h', sizeof secret - 1);
    assert_false(load(&c, ARGS("--database-url", secret), NONE, err));
    assert_null(strstr(err, "hhh"));
    assert_non_null(strstr(err, "a text, or none, of at most 4096 bytes"));
}

/* Takes the comments out, which tell the sources. */
static char *bare(char *text)
{
    char *to = text, *rest = text, *line;

    while ((line = strsep(&rest, "\n")) && rest)
        if (*line != '#') {
            size_t n = strlen(line);

            memmove(to, line, n);
            to[n] = '\n';
            to += n + 1;
        }
    *to = '\0';
    return text;
}

static void what_is_printed_can_be_read_again(void **state)
{
    struct config a = loaded(ARGS("--port", "0", "--tail-poll", "1500ms", "--read-page-bytes", "65537",
                                  "--auth-issuer", "a  b"), NONE);
    char *text = listing(&a), *again;
    struct config b = loaded(ARGS("--config", file_of(text)), NONE);

    (void)state;
    assert_int_equal(b.tail_poll_us, 1500000);
    assert_int_equal(b.read_page_bytes, 65537);
    assert_string_equal(b.auth_issuer, "a  b");
    again = listing(&b);
    assert_string_equal(bare(text), bare(again));
    free(text);
    free(again);
    config_free(&a);
    config_free(&b);
}

static void a_key_of_several_lines_is_printed_by_its_first(void **state)
{
    struct config c = loaded(NONE, ARGS("WEIR_AUTH_PUBLIC_KEY=-----BEGIN PUBLIC KEY-----\nMIIB\n",
                                        "WEIR_AUTH_PUBLIC_KEY_ALG=ES256"));
    char *text = listing(&c);

    (void)state;
    assert_non_null(strstr(text, "auth.public_key = -----BEGIN PUBLIC KEY----- …\n"));
    free(text);
    config_free(&c);
}

static void help_and_documentation_name_every_setting(void **state)
{
    char *help = printed(config_help), *markdown = printed(config_markdown);

    (void)state;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *r = &config_rows[i];
        char line[200];

        snprintf(line, sizeof line, "\n%s =%s%s\n    %s\n", r->name, *r->dflt ? " " : "", r->dflt, r->help);
        assert_non_null(strstr(help, line));
        snprintf(line, sizeof line, "\n| `%s` | `WEIR_", r->name);
        assert_non_null(strstr(markdown, line));
    }
    assert_non_null(strstr(markdown, "| `http.port` | `WEIR_HTTP_PORT` | `8080` | an integer from 0 to 65535 | TCP"));
    free(help);
    free(markdown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_hold_among_themselves),
        cmocka_unit_test(every_row_is_sound_and_has_a_field_of_its_own),
        cmocka_unit_test(later_wins_of_file_environment_and_command_line),
        cmocka_unit_test(the_file_takes_comments_space_and_any_text),
        cmocka_unit_test(options_take_their_value_in_either_way),
        cmocka_unit_test(sizes_and_durations_have_units),
        cmocka_unit_test(a_wrong_value_is_refused_with_its_source_and_what_is_allowed),
        cmocka_unit_test(an_unknown_name_is_refused_with_the_nearest),
        cmocka_unit_test(a_file_that_is_none_is_refused),
        cmocka_unit_test(settings_that_contradict_each_other_are_refused),
        cmocka_unit_test(what_kubernetes_makes_of_services_is_ignored),
        cmocka_unit_test(what_clients_read_is_ignored),
        cmocka_unit_test(a_command_changes_defaults_but_not_what_is_set),
        cmocka_unit_test(secrets_are_never_printed),
        cmocka_unit_test(what_is_printed_can_be_read_again),
        cmocka_unit_test(a_key_of_several_lines_is_printed_by_its_first),
        cmocka_unit_test(help_and_documentation_name_every_setting),
    };
    int failed;

    snprintf(path, sizeof path, "/tmp/weir-test-config-%d", (int)getpid());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
