#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"

#define LINE_MOST 8192

/* Standard error is a socket that keeps every write() apart. */
static int reader, stderr_saved;

static int capture(void **state)
{
    int pair[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
        return -1;
    stderr_saved = dup(STDERR_FILENO);
    reader = pair[0];
    return dup2(pair[1], STDERR_FILENO) < 0 || close(pair[1]) ? -1 : 0;
}

static int release(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    dup2(stderr_saved, STDERR_FILENO);
    return close(stderr_saved) || close(reader) ? -1 : 0;
}

/* The next write, or NULL. */
static const char *next_line(void)
{
    static char line[2 * LINE_MOST];
    ssize_t n = recv(reader, line, sizeof line - 1, MSG_DONTWAIT);

    if (n < 0)
        return NULL;
    line[n] = '\0';
    assert_int_equal(strlen(line), n);
    assert_int_equal(line[n - 1], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    assert_true(n <= LINE_MOST);
    return line;
}

/* jansson judges: it refuses what is not JSON or not UTF-8. */
static json_t *next_json(void)
{
    const char *line = next_line();
    json_error_t error;
    json_t *object;

    assert_non_null(line);
    object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s: %s", error.text, line);
    return object;
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    assert_non_null(s);
    return s;
}

static void a_line_is_one_object_with_every_kind_of_field(void **state)
{
    int64_t us, before = clock_unix_us();
    json_t *o;

    (void)state;
    log_warn("disk is filling", L_STR("volume", "data"), L_SLICE("part", ((struct slice){ "abcdef", 3 })),
             L_INT("free", INT64_MIN), L_REAL("ratio", 0.25), L_BOOL("full", false), L_STR("owner", NULL),
             L_REAL("bad", NAN));
    o = next_json();
    assert_true(clock_parse(slice_of(text(o, "time")), &us));
    assert_in_range(us, before, clock_unix_us());
    assert_string_equal(text(o, "level"), "warn");
    assert_string_equal(text(o, "msg"), "disk is filling");
    assert_string_equal(text(o, "volume"), "data");
    assert_string_equal(text(o, "part"), "abc");
    assert_true(json_integer_value(json_object_get(o, "free")) == INT64_MIN);
    assert_true(json_real_value(json_object_get(o, "ratio")) == 0.25);
    assert_true(json_is_false(json_object_get(o, "full")));
    assert_true(json_is_null(json_object_get(o, "owner")));
    assert_true(json_is_null(json_object_get(o, "bad")));
    json_decref(o);
    assert_null(next_line());
}

static void nothing_below_the_level_is_written(void **state)
{
    (void)state;
    log_debug("no", L_INT("n", 1));
    log_line(LOG_DEBUG, "no");
    assert_null(next_line());
    log_setup(LOG_ERROR, false);
    log_warn("no", L_INT("n", 1));
    assert_null(next_line());
    log_error("yes", L_INT("n", 1));
    assert_non_null(next_line());
    log_setup(LOG_OFF, false);
    log_error("no", L_INT("n", 1));
    assert_false(log_on(LOG_ERROR));
    assert_false(log_on(LOG_OFF));
    assert_null(next_line());
    log_setup(LOG_DEBUG, false);
    log_line(LOG_DEBUG, "yes");
    assert_non_null(next_line());
}

static void strings_are_escaped_and_read_back_the_same(void **state)
{
    static const char odd[] = "\"\\/ \b\t\n\v\f\r\x01\x1f\x7f \xC2\x80\xC2\x9B[2J é € 𝄞";
    const char *line;
    json_t *o;

    (void)state;
    log_info(odd, L_STR("odd", odd));
    o = next_json();
    assert_string_equal(text(o, "msg"), odd);
    assert_string_equal(text(o, "odd"), odd);
    json_decref(o);
    log_info("x", L_STR("odd", odd));
    line = next_line();
    assert_null(strstr(line, "\xC2\x9B"));
    assert_null(strchr(line, '\x7f'));
    assert_non_null(strstr(line, "\\u009b[2J"));
}

static void invalid_utf8_is_replaced(void **state)
{
    static const struct {
        const char *sent, *logged;
    } cases[] = {
        { "a\xFFz", "a\uFFFDz" },                         /* never a first byte */
        { "a\x80z", "a\uFFFDz" },                         /* a continuation alone */
        { "\xC0\xAF", "\uFFFD\uFFFD" },                   /* overlong */
        { "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD" },         /* a surrogate */
        { "\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD" }, /* above U+10FFFF */
        { "\xE2\x82", "\uFFFD\uFFFD" },                   /* cut off */
        { "\xE2\x82z", "\uFFFD\uFFFDz" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *o;

        log_info("utf8", L_STR("s", cases[i].sent));
        o = next_json();
        assert_string_equal(text(o, "s"), cases[i].logged);
        json_decref(o);
    }
}

static void a_long_value_is_cut_with_an_ellipsis(void **state)
{
    char *big = calloc(1, 100001);
    json_t *o;
    size_t n;

    (void)state;
    memset(big, 'x', 100000);
    log_info("big", L_STR("big", big), L_INT("after", 1));
    o = next_json();
    n = strlen(text(o, "big"));
    assert_true(n > LINE_MOST - 200);
    assert_string_equal(text(o, "big") + n - 3, "…");
    assert_null(json_object_get(o, "after"));
    assert_true(json_is_true(json_object_get(o, "cut")));
    json_decref(o);
    free(big);
}

/* Wherever the bound falls, in a key, a quote, an escape, a number: the line stays whole. */
static void a_line_is_whole_wherever_it_is_cut(void **state)
{
    char fill[LINE_MOST + 1];

    (void)state;
    for (int human = 0; human < 2; human++)
        for (int n = LINE_MOST - 400; n < LINE_MOST; n++) {
            struct slice s = { fill, (size_t)n };

            log_setup(LOG_INFO, human);
            memset(fill, 'y', sizeof fill);
            log_info("cut", L_SLICE("fill", s), L_STR("quoted", "\"\n é"), L_INT("number", 1234567890),
                     L_STR("none", NULL), L_BOOL("flag", true), L_STR("last", "plain"));
            if (human) {
                const char *line = next_line();

                assert_true(strstr(line, " last=plain\n") || strstr(line, " …\n"));
            } else {
                json_t *o = next_json();

                assert_true(json_object_get(o, "last") || json_object_get(o, "cut"));
                json_decref(o);
            }
        }
}

static void human_lines_quote_only_what_could_be_misread(void **state)
{
    const char *line;

    (void)state;
    log_setup(LOG_INFO, true);
    log_info("serving", L_STR("url", "http://127.0.0.1:8080"), L_INT("loops", 2), L_STR("empty", ""),
             L_STR("two", "a b"), L_STR("tricky", "x=1"), L_STR("ctl", "\x1b[2J"), L_STR("none", NULL));
    line = next_line();
    assert_int_equal(line[2], ':');
    assert_int_equal(line[8], '.');
    assert_string_equal(line + 12, " info  serving url=http://127.0.0.1:8080 loops=2 empty=\"\" two=\"a b\" "
                                   "tricky=\"x=1\" ctl=\"\\u001b[2J\" none=null\n");
}

static void errno_survives(void **state)
{
    (void)state;
    close(reader);
    errno = ENOENT;
    log_line(LOG_ERROR, "nobody reads this");
    assert_int_equal(errno, ENOENT);
    reader = dup(STDERR_FILENO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, capture, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_one_object_with_every_kind_of_field),
        TEST(nothing_below_the_level_is_written),
        TEST(strings_are_escaped_and_read_back_the_same),
        TEST(invalid_utf8_is_replaced),
        TEST(a_long_value_is_cut_with_an_ellipsis),
        TEST(a_line_is_whole_wherever_it_is_cut),
        TEST(human_lines_quote_only_what_could_be_misread),
        TEST(errno_survives),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
