#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "gateway/http/addresses.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = { 0 };

    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&a)->sin_addr) == 1)
        a.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a)->sin6_addr) == 1)
        a.ss_family = AF_INET6;
    return a;
}

static bool enter(struct addresses *as, const char *text, struct address **ret)
{
    struct sockaddr_storage a = address(text);

    assert_int_not_equal(a.ss_family, 0);
    return addresses_enter(as, (struct sockaddr *)&a, ret);
}

static void without_a_bound_everybody_enters(void **state)
{
    struct address *a = NULL;

    (void)state;
    assert_true(enter(NULL, "192.0.2.1", &a));
    assert_null(a);
    addresses_leave(NULL, NULL);
}

static void one_more_than_the_bound_is_refused_until_one_leaves(void **state)
{
    struct addresses *as = addresses_new(2, 1);
    struct address *a, *b, *c, *other;

    (void)state;
    assert_true(enter(as, "192.0.2.1", &a));
    assert_true(enter(as, "192.0.2.1", &b));
    assert_false(enter(as, "192.0.2.1", &c));
    assert_null(c);
    assert_true(enter(as, "192.0.2.2", &other));
    addresses_leave(as, a);
    assert_true(enter(as, "192.0.2.1", &c));
    addresses_leave(as, b);
    addresses_leave(as, c);
    addresses_leave(as, other);
    addresses_free(as);
}

static bool same(const char *one, const char *two)
{
    struct addresses *as = addresses_new(1, 100);
    struct address *a, *b;
    bool both;

    assert_true(enter(as, one, &a));
    both = enter(as, two, &b);
    addresses_leave(as, a);
    addresses_leave(as, b);
    addresses_free(as);
    return !both;
}

static void ipv6_counts_by_its_64_and_mapped_ipv4_as_ipv4(void **state)
{
    (void)state;
    assert_true(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
    assert_false(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_true(same("::ffff:192.0.2.1", "192.0.2.1"));
    assert_false(same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_false(same("0.0.0.0", "::1"));
}

#define THREADS 4
#define ROUNDS 20000
#define BOUND 3

struct crowd {
    struct addresses *as;
    size_t entered;
};

static void *come_and_go(void *arg)
{
    struct crowd *crowd = arg;
    struct address *a, *b;

    for (int i = 0; i < ROUNDS || !crowd->entered; i++) { /* the others may stand still inside for a while */
        char text[32];
        bool first = enter(crowd->as, "192.0.2.1", &a);

        snprintf(text, sizeof text, "2001:db8:0:%x::1", i % 7);
        if (enter(crowd->as, text, &b))
            addresses_leave(crowd->as, b);
        if (first)
            addresses_leave(crowd->as, a);
        else
            sched_yield();
        crowd->entered += first;
    }
    return NULL;
}

static void threads_that_come_and_go_leave_nothing_behind(void **state)
{
    struct addresses *as = addresses_new(BOUND, 4);
    struct crowd crowd[THREADS];
    pthread_t threads[THREADS];
    struct address *held[BOUND], *more;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){ .as = as };
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < BOUND; i++)
        assert_true(enter(as, "192.0.2.1", &held[i]));
    assert_false(enter(as, "192.0.2.1", &more));
    for (int i = 0; i < BOUND; i++)
        addresses_leave(as, held[i]);
    addresses_free(as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_bound_everybody_enters),
        cmocka_unit_test(one_more_than_the_bound_is_refused_until_one_leaves),
        cmocka_unit_test(ipv6_counts_by_its_64_and_mapped_ipv4_as_ipv4),
        cmocka_unit_test(threads_that_come_and_go_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
