/* Calls of a gateway that has no more files, or cannot watch a socket: they say nothing of their targets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/outbound_trial.h"

/* The system's, but that it refuses as many sockets as the test says. */
static atomic_int refusals;

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    if (op == EPOLL_CTL_ADD && atomic_load(&refusals) > 0 && atomic_fetch_sub(&refusals, 1) > 0) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

static void fails_for_lack_of_something(struct outbound_client *client, const char *url)
{
    struct trial t = { .done = false };

    send_to(client, &t, url);
    wait_for(&t);
    if (t.answer.class != OUTBOUND_AGAIN || t.answer.unknown || !strstr(t.error, "\"gateway\"") || said != BREAKER_VOID)
        fail_msg("%s: %d %s %d", url, t.answer.class, t.error, said);
}

static void what_the_gateway_lacks_is_not_held_against_the_target(void **state)
{
    struct outbound_client *client =
        client_with((struct outbound_client_config){ .allow_private = true, .ca_file = "/nowhere/authorities.pem" });
    struct rlimit before, none;
    struct trial t = { .done = false };
    char url[200];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ 3, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fails_for_lack_of_something(client, "/ok");
    fails_for_lack_of_something(client, "http://no-such-host.invalid/");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok", server.port);
    fails_for_lack_of_something(client, url);
    send_to(client, &t, "/ok");
    wait_for(&t);
    assert_int_equal(t.answer.class, OUTBOUND_OK);
    assert_int_equal(said, BREAKER_GOOD);
    outbound_client_stop(client);
}

static void a_socket_that_cannot_be_watched_ends_no_call(void **state)
{
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    struct trial runs = { .done = false }, unwatched = { .done = false }, after = { .done = false };
    int before;

    (void)state;
    pthread_mutex_lock(&server.lock);
    before = server.requests;
    pthread_mutex_unlock(&server.lock);
    send_to(client, &runs, "/trickle");
    for (int now = before; now == before; usleep(1000)) {
        pthread_mutex_lock(&server.lock);
        now = server.requests;
        pthread_mutex_unlock(&server.lock);
    }
    atomic_store(&refusals, 1);
    send_to(client, &unwatched, "/ok");
    wait_for(&unwatched);
    assert_int_equal(atomic_load(&refusals), 0);
    assert_int_equal(unwatched.answer.class, OUTBOUND_OK);
    send_to(client, &after, "/ok");
    wait_for(&after);
    assert_int_equal(after.answer.class, OUTBOUND_OK);
    outbound_client_stop(client);
    wait_for(&runs);
    assert_int_equal(runs.answer.class, OUTBOUND_AGAIN); /* aborted, or over by itself on a slow machine */
    assert_null(strstr(runs.error, "\"gateway\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_gateway_lacks_is_not_held_against_the_target),
        cmocka_unit_test(a_socket_that_cannot_be_watched_ends_no_call),
    };

    return cmocka_run_group_tests(tests, trials_begin, trials_end);
}
