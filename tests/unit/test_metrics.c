#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/base/metrics.h"
#include "gateway/base/metrics_table.h"

static const char *const operations[] = { "publishEvents", "readEvents" };

/* The page as it is now; freed by the next call. */
static const char *page(void)
{
    static struct buf b;

    buf_reset(&b);
    metrics_render(&b);
    buf_char(&b, '\0');
    assert_false(b.failed);
    return b.p;
}

/* The value of a sample, named with its labels; fails if there is none. */
static double sample(const char *name)
{
    size_t n = strlen(name);

    for (const char *p = page(); p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (strncmp(p, name, n) == 0 && p[n] == ' ')
            return strtod(p + n, NULL);
    fail_msg("no sample %s", name);
    return 0;
}

static bool matches(const char *pattern, const char *line)
{
    regex_t re;
    bool ok;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ok = regexec(&re, line, 0, NULL, 0) == 0;
    regfree(&re);
    return ok;
}

static void the_table_follows_the_conventions_of_prometheus(void **state)
{
    (void)state;
    for (int m = 0; m < M_END; m++) {
        const struct metric_row *r = &metric_rows[m];
        size_t n;

        assert_non_null(r->name);
        n = strlen(r->name);
        assert_true(matches("^weir_[a-z]+(_[a-z]+)*$", r->name));
        assert_int_equal(r->type == COUNTER, strcmp(r->name + n - 6, "_total") == 0);
        assert_int_equal(r->help[strlen(r->help) - 1], '.');
        assert_int_equal(r->type == HISTOGRAM, r->bounds != NULL);
        for (size_t i = 1; r->bounds && i < r->bounds->n; i++)
            assert_true(r->bounds->at[i - 1] < r->bounds->at[i]);
        for (int other = 0; other < m; other++)
            assert_string_not_equal(metric_rows[other].name, r->name);
    }
}

/* Text format 0.0.4: HELP and TYPE once before the samples of a family, and no sample of another family among them. */
static void the_page_is_in_the_text_format(void **state)
{
    char family[100] = "", *copy, *line, *rest;
    int samples = 0;

    (void)state;
    metric_request(0, 201, 0.003);
    copy = rest = strdup(page());
    while ((line = strsep(&rest, "\n")) && rest) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_true(matches("^# HELP [a-z_]+ [A-Z][^\\]*\\.$", line));
            snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_memory_equal(line + 7, family, strlen(family));
            assert_true(matches("^# TYPE [a-z_]+ (counter|gauge|histogram)$", line));
        } else {
            assert_memory_equal(line, family, strlen(family));
            assert_true(matches("^[a-z_]+(\\{[a-z]+=\"[^\"\\]+\"(,[a-z]+=\"[^\"\\]+\")*\\})? "
                                "-?[0-9]+(\\.[0-9]+)?(e[+-][0-9]+)?$", line));
            samples++;
        }
    }
    assert_string_equal(line, ""); /* the page ends with a line feed */
    assert_true(samples > M_END);
    free(copy);
}

static void counters_and_gauges_move(void **state)
{
    double before = sample("weir_published_events_total");

    (void)state;
    metric_add(M_PUBLISHED_EVENTS, 3);
    metric_add(M_PUBLISHED_EVENTS, 4);
    assert_true(sample("weir_published_events_total") == before + 7);
    metric_set(M_RING_BYTES, INT64_C(1) << 40);
    metric_add(M_RING_BYTES, -1);
    assert_true(sample("weir_ring_bytes") == 1099511627775.0);
}

static void a_bucket_holds_what_is_not_above_its_bound(void **state)
{
    static const double values[] = { 1, 2, 2.5, 10000, 10001 };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        metric_observe(M_COMMIT_BATCH_EVENTS, values[i]);
    assert_true(sample("weir_commit_batch_events_bucket{le=\"1\"}") == 1);
    assert_true(sample("weir_commit_batch_events_bucket{le=\"2\"}") == 2);
    assert_true(sample("weir_commit_batch_events_bucket{le=\"4\"}") == 3);
    assert_true(sample("weir_commit_batch_events_bucket{le=\"10000\"}") == 4);
    assert_true(sample("weir_commit_batch_events_bucket{le=\"+Inf\"}") == 5);
    assert_true(sample("weir_commit_batch_events_count") == 5);
    assert_true(sample("weir_commit_batch_events_sum") == 20006.5);
}

static void requests_are_told_by_operation_and_status(void **state)
{
    (void)state;
    metric_request(1, 200, 0.0005);
    metric_request(1, 200, 0.75);
    metric_request(1, 404, 20);
    metric_request(SIZE_MAX, 404, 0.001);
    metric_request(2, 404, 0.001); /* beyond the operations */
    metric_request(1, 0, 0.001);   /* no status is a fault of ours */
    assert_true(sample("weir_http_requests_total{operation=\"readEvents\",status=\"200\"}") == 2);
    assert_true(sample("weir_http_requests_total{operation=\"readEvents\",status=\"404\"}") == 1);
    assert_true(sample("weir_http_requests_total{operation=\"readEvents\",status=\"500\"}") == 1);
    assert_true(sample("weir_http_requests_total{operation=\"none\",status=\"404\"}") == 2);
    assert_true(sample("weir_http_request_seconds_bucket{operation=\"readEvents\",le=\"0.0005\"}") == 1);
    assert_true(sample("weir_http_request_seconds_bucket{operation=\"readEvents\",le=\"1\"}") == 3);
    assert_true(sample("weir_http_request_seconds_bucket{operation=\"readEvents\",le=\"10\"}") == 3);
    assert_true(sample("weir_http_request_seconds_bucket{operation=\"readEvents\",le=\"+Inf\"}") == 4);
    assert_true(sample("weir_http_request_seconds_count{operation=\"readEvents\"}") == 4);
    assert_null(strstr(page(), "status=\"503\""));
}

static void groups_and_their_letters_are_told_together(void **state)
{
    static const struct metric_lag lags[] = {
        { { { "orders", 6 }, { "a", 1 } }, 1000, 1500000, 3, 4 },
        { { { "orders", 6 }, { "b", 1 } }, 0, 0, 0, 0 },
    };
    static const struct metric_letters letters[] = {
        { { { "orders", 6 }, { "a.gone", 6 } }, 7, 1 },
        { { { "orders", 6 }, { "b", 1 } }, 12, 0 },
        { { { "orders.eu", 9 }, { "a", 1 } }, 1, 1 },
    };

    (void)state;
    assert_true(sample("weir_group_figures_timestamp_seconds") == 0);
    assert_null(strstr(page(), "weir_dlq_letters{"));
    assert_true(metrics_groups_set(&(struct metric_groups){ lags, 2, letters, 3, 5 }, 1700000000500000));
    assert_true(sample("weir_group_lag_events{stream=\"orders\",group=\"a\"}") == 1000);
    assert_true(sample("weir_group_lag_seconds{stream=\"orders\",group=\"a\"}") == 1.5);
    assert_true(sample("weir_group_in_flight{stream=\"orders\",group=\"a\"}") == 3);
    assert_true(sample("weir_group_retrying{stream=\"orders\",group=\"a\"}") == 4);
    assert_true(sample("weir_dlq_letters{stream=\"orders\",group=\"a\",state=\"parked\"}") == 0);
    assert_true(sample("weir_dlq_letters{stream=\"orders\",group=\"a.gone\",state=\"parked\"}") == 7);
    assert_true(sample("weir_dlq_letters{stream=\"orders\",group=\"b\",state=\"parked\"}") == 12);
    assert_true(sample("weir_dlq_poison_letters{stream=\"orders.eu\",group=\"a\"}") == 1);
    assert_true(sample("weir_group_series_dropped") == 5);
    assert_true(sample("weir_group_figures_timestamp_seconds") == 1700000000.5);
    the_page_is_in_the_text_format(state);
    assert_true(metrics_groups_set(&(struct metric_groups){ 0 }, 1700000001000000));
    assert_null(strstr(page(), "weir_group_lag_events{"));
}

static void sagas_are_counted_by_name_and_step(void **state)
{
    static const struct metric_saga_now now[] = { { { "idle", 4 }, { 0 } }, { { "orders", 6 }, { 1, 2, 3, 4 } } };
    char name[32];

    (void)state;
    assert_non_null(strstr(page(), "# TYPE weir_saga_started_total counter"));
    metric_saga(SLICE("orders"), METRIC_SAGA_STARTED, 0);
    metric_saga(SLICE("orders"), METRIC_SAGA_BACK, 0);
    metric_saga(SLICE("orders"), METRIC_SAGA_PAUSED, 0);
    metric_saga(SLICE("orders"), METRIC_SAGA_COMPENSATED, 2.5);
    metric_saga(SLICE("orders"), METRIC_SAGA_COMPLETED, 1e9);
    metric_saga(SLICE("a"), METRIC_SAGA_STARTED, 0);
    metric_saga_step(SLICE("orders"), SLICE("pay"), "action", METRIC_STEP_AGAIN, 7);
    metric_saga_step(SLICE("orders"), SLICE("pay"), "action", METRIC_STEP_SUCCEEDED, 1.5);
    metric_saga_step(SLICE("orders"), SLICE("pay"), "compensation", METRIC_STEP_SKIPPED, 9);
    assert_true(sample("weir_saga_started_total{saga=\"orders\"}") == 1);
    assert_true(sample("weir_saga_compensating_total{saga=\"orders\"}") == 1);
    assert_true(sample("weir_saga_compensating_total{saga=\"a\"}") == 0);
    assert_true(sample("weir_saga_paused_total{saga=\"orders\"}") == 1);
    assert_true(sample("weir_saga_ended_total{saga=\"orders\",state=\"completed\"}") == 1);
    assert_true(sample("weir_saga_ended_total{saga=\"orders\",state=\"compensated\"}") == 1);
    assert_true(sample("weir_saga_ended_total{saga=\"orders\",state=\"failed\"}") == 0);
    assert_true(sample("weir_saga_seconds_bucket{saga=\"orders\",le=\"1\"}") == 0);
    assert_true(sample("weir_saga_seconds_bucket{saga=\"orders\",le=\"5\"}") == 1);
    assert_true(sample("weir_saga_seconds_count{saga=\"orders\"}") == 2);
    assert_true(sample("weir_saga_seconds_sum{saga=\"orders\"}") == 1e9 + 2.5);
    assert_true(sample("weir_saga_steps_total{saga=\"orders\",step=\"pay\",kind=\"action\",outcome=\"again\"}") == 1);
    assert_true(sample("weir_saga_steps_total{saga=\"orders\",step=\"pay\",kind=\"compensation\",outcome=\"skipped\"}") == 1);
    assert_true(sample("weir_saga_step_seconds_total{saga=\"orders\",step=\"pay\",kind=\"action\"}") == 1.5);
    assert_true(sample("weir_saga_step_seconds_total{saga=\"orders\",step=\"pay\",kind=\"compensation\"}") == 0);
    assert_true(metrics_sagas_set(now, 2, 5, 1700000000500000));
    assert_true(sample("weir_saga_instances{saga=\"orders\",state=\"compensating\"}") == 4);
    assert_true(sample("weir_saga_instances{saga=\"idle\",state=\"paused\"}") == 0);
    assert_true(sample("weir_saga_series_dropped") == 5);
    for (int i = 0; i < 2 * METRICS_SAGAS; i++) {
        snprintf(name, sizeof name, "many-%d", i);
        metric_saga(slice_of(name), METRIC_SAGA_STARTED, 0);
    }
    assert_true(sample("weir_saga_started_total{saga=\"many-0\"}") == 1);
    assert_true(sample("weir_saga_started_total{saga=\"_other\"}") == METRICS_SAGAS + 2);
    the_page_is_in_the_text_format(state);
}

static void process_figures_are_plausible(void **state)
{
    double now = (double)time(NULL), files;
    FILE *f;

    (void)state;
    assert_in_range((int)sample("process_threads"), 1, 3); /* a sanitizer may have its own */
    assert_true(sample("process_resident_memory_bytes") > 100e3);
    assert_true(sample("process_virtual_memory_bytes") > sample("process_resident_memory_bytes"));
    assert_true(sample("process_start_time_seconds") > now - 600);
    assert_true(sample("process_start_time_seconds") <= now + 1);
    assert_true(sample("process_max_fds") >= sample("process_open_fds"));
    files = sample("process_open_fds");
    f = fopen("/dev/null", "r");
    assert_true(sample("process_open_fds") == files + 1);
    fclose(f);
    while (sample("process_cpu_seconds_total") <= 0)
        ;
}

#define TURNS 50000

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        metric_add(M_DELIVERED_EVENTS, 1);
        metric_observe(M_COMMIT_BATCH_REQUESTS, 2);
        metric_request(0, 429, 0.001);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    page();
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(sample("weir_delivered_events_total") == 4 * TURNS);
    assert_true(sample("weir_commit_batch_requests_count") == 4 * TURNS);
    assert_true(sample("weir_commit_batch_requests_sum") == 8 * TURNS);
    assert_true(sample("weir_http_requests_total{operation=\"publishEvents\",status=\"429\"}") == 4 * TURNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_follows_the_conventions_of_prometheus),
        cmocka_unit_test(the_page_is_in_the_text_format),
        cmocka_unit_test(counters_and_gauges_move),
        cmocka_unit_test(a_bucket_holds_what_is_not_above_its_bound),
        cmocka_unit_test(requests_are_told_by_operation_and_status),
        cmocka_unit_test(groups_and_their_letters_are_told_together),
        cmocka_unit_test(sagas_are_counted_by_name_and_step),
        cmocka_unit_test(process_figures_are_plausible),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    metrics_routes(operations, sizeof operations / sizeof *operations);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
