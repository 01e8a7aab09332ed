#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "db/conn.h"
#include "gateway/base/clock.h"
#include "tests/db/support.h"

#define CHANNEL "weir \"test\" channel"
#define QUOTED "\"weir \"\"test\"\" channel\""

static struct db_config config;

/* What was heard: the payloads, each followed by a comma. */
struct heard {
    char text[256];
};

static void hear(void *arg, struct slice payload)
{
    struct heard *h = arg;
    size_t n = strlen(h->text);

    snprintf(h->text + n, sizeof h->text - n, "%.*s,", (int)payload.n, payload.p);
}

static int open_all(void **state)
{
    (void)state;
    config = test_config();
    config.application_name = "weir test listen";
    side_open("weir_test_listen");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    side_close();
    return 0;
}

static void come_up(struct listen *l)
{
    const int64_t until = clock_mono_us() + 60 * US_PER_S;
    struct heard h = { "" };

    while (!listen_wait(l, 5 * US_PER_S, -1, hear, &h))
        assert_true(clock_mono_us() < until);
    assert_string_equal(h.text, "");
}

static void hear_next(struct listen *l, const char *payload)
{
    const int64_t until = clock_mono_us() + 60 * US_PER_S;
    struct heard h = { "" };

    for (; !*h.text; assert_true(clock_mono_us() < until)) { /* on a slow machine a connection may be given up */
        side_do("notify " QUOTED ", '%s'", payload);
        listen_wait(l, 5 * US_PER_S, -1, hear, &h);
    }
    assert_true(strncmp(h.text, payload, strlen(payload)) == 0);
}

static void notifications_are_handed_on(void **state)
{
    struct listen *l = listen_new(&config, CHANNEL);
    struct heard h = { "" };

    (void)state;
    come_up(l);
    side_do("begin; notify " QUOTED ", 'a'; notify " QUOTED ", 'b'; commit");
    assert_true(listen_wait(l, 60 * US_PER_S, -1, hear, &h));
    assert_string_equal(h.text, "a,b,");
    listen_free(l);
}

static void a_wait_without_notifications_ends_in_time(void **state)
{
    struct listen *l = listen_new(&config, CHANNEL);
    struct heard h = { "" };
    int64_t began;

    (void)state;
    come_up(l);
    began = clock_mono_us();
    assert_true(listen_wait(l, 100000, -1, hear, &h));
    assert_in_range(clock_mono_us() - began, 100000, 30 * US_PER_S);
    listen_free(l);
}

static void an_eventfd_ends_the_wait(void **state)
{
    struct listen *l = listen_new(&config, CHANNEL);
    struct heard h = { "" };
    int64_t began;
    int fd = eventfd(1, 0);

    (void)state;
    come_up(l);
    began = clock_mono_us();
    assert_true(listen_wait(l, 60 * US_PER_S, fd, hear, &h));
    assert_in_range(clock_mono_us() - began, 0, 30 * US_PER_S);
    close(fd);
    listen_free(l);
}

static void a_killed_connection_is_told_and_comes_back(void **state)
{
    struct listen *l = listen_new(&config, CHANNEL);
    struct heard h = { "" };

    (void)state;
    come_up(l);
    side_do("select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'weir test listen'");
    assert_false(listen_wait(l, 60 * US_PER_S, -1, hear, &h));
    come_up(l);
    hear_next(l, "again");
    listen_free(l);
}

static void a_silent_connection_probes_itself_unheard_by_the_caller(void **state)
{
    const int64_t until = clock_mono_us() + 60 * US_PER_S;
    struct listen *l = listen_new(&config, CHANNEL);
    struct heard h = { "" };

    (void)state;
    listen_set_silence(l, 20000);
    come_up(l);
    side_do("listen " QUOTED);
    do {
        assert_true(clock_mono_us() < until);
        assert_true(listen_wait(l, 200000, -1, hear, &h));
        assert_string_equal(h.text, "");
    } while (!side_was_notified()); /* probes were sent indeed */
    hear_next(l, "heard");
    side_do("unlisten *");
    listen_free(l);
}

static void a_connection_that_died_silently_is_found_out_and_replaced(void **state)
{
    struct proxy *p = proxy_new();
    struct db_config via = config;
    struct listen *l;
    struct heard h = { "" };
    int64_t began;

    (void)state;
    via.url = proxy_url(p);
    via.statement_timeout_us = 200000;
    l = listen_new(&via, CHANNEL);
    listen_set_silence(l, 100000);
    come_up(l);
    proxy_set(p, PROXY_MUTE);
    began = clock_mono_us();
    assert_false(listen_wait(l, 60 * US_PER_S, -1, hear, &h));
    assert_in_range(clock_mono_us() - began, 200000, 30 * US_PER_S);
    proxy_set(p, PROXY_PASS);
    come_up(l);
    hear_next(l, "again");
    listen_free(l);
    proxy_free(p);
}

static void a_server_that_is_away_is_tried_again_with_growing_pauses(void **state)
{
    struct db_config nowhere = config;
    struct listen *l;
    struct heard h = { "" };
    int64_t began = clock_mono_us();

    (void)state;
    nowhere.url = "host=/nowhere";
    l = listen_new(&nowhere, CHANNEL);
    assert_false(listen_wait(l, 500000, -1, hear, &h));
    assert_in_range(clock_mono_us() - began, 500000, 30 * US_PER_S);
    nowhere.url = config.url; /* it is there now: the next try is at most 400 ms away */
    began = clock_mono_us();
    come_up(l);
    assert_in_range(clock_mono_us() - began, 0, 30 * US_PER_S);
    listen_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_are_handed_on),
        cmocka_unit_test(a_wait_without_notifications_ends_in_time),
        cmocka_unit_test(an_eventfd_ends_the_wait),
        cmocka_unit_test(a_killed_connection_is_told_and_comes_back),
        cmocka_unit_test(a_silent_connection_probes_itself_unheard_by_the_caller),
        cmocka_unit_test(a_connection_that_died_silently_is_found_out_and_replaced),
        cmocka_unit_test(a_server_that_is_away_is_tried_again_with_growing_pauses),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
