#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/jsonschema/jsonschema.h"

/* validate SCHEMA PAYLOADS SECONDS: how many payloads a second one thread checks, from their bytes to the verdict. PAYLOADS is the
 * index.json of @octokit/webhooks-examples. Prints a line of JSON as tests/bench/validate.mjs does. */
#define PAYLOADS_MAX 1000
#define SAMPLES (1 << 20)              /* of times, the last ones */
#define WARM_UP_NS 500000000LL

static struct slice payloads[PAYLOADS_MAX];
static size_t payload_count;
static long long samples[SAMPLES];

static long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int by_time(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;

    return (x > y) - (x < y);
}

static bool load_payloads(const char *path)
{
    json_t *index = json_load_file(path, 0, NULL), *one, *payload;
    size_t i, k;

    json_array_foreach(index, i, one) {
        json_array_foreach(json_object_get(one, "examples"), k, payload) {
            char *text = payload_count < PAYLOADS_MAX ? json_dumps(payload, JSON_COMPACT) : NULL;

            if (!text)
                return false;
            payloads[payload_count++] = slice_of(text);
        }
    }
    json_decref(index);
    return payload_count > 0;
}

static struct jsonschema *load_schema(const char *path)
{
    struct jsonschema *s = NULL;
    struct fault f = { 0 };
    json_t *schema = json_load_file(path, 0, NULL);
    char *text = schema ? json_dumps(schema, JSON_COMPACT) : NULL;

    if (!text || jsonschema_compile(slice_of(text), DRAFT_7, NULL, 0, &s, &f))
        fprintf(stderr, "%s: %s\n", path, text ? f.detail : "not a file of JSON");
    free(text);
    json_decref(schema);
    return s;
}

/* All payloads again and again for so long. */
static long long run(const struct jsonschema *s, long long ns, size_t *ret_conform, long long *ret_took)
{
    long long begin = now_ns(), before = begin, after, count = 0;
    struct fault f = { 0 };

    do {
        *ret_conform = 0;
        for (size_t i = 0; i < payload_count; i++) {
            size_t findings = 1;

            if (jsonschema_validate(s, payloads[i], NULL, NULL, 0, &findings, &f))
                exit(1);
            *ret_conform += findings == 0;
            after = now_ns();
            samples[count++ % SAMPLES] = after - before;
            before = after;
        }
    } while (before - begin < ns);
    *ret_took = before - begin;
    return count;
}

int main(int argc, char **argv)
{
    struct jsonschema *s = argc == 4 && load_payloads(argv[2]) ? load_schema(argv[1]) : NULL;
    long long count, took;
    size_t conform, n;

    if (!s) {
        fprintf(stderr, "validate SCHEMA PAYLOADS SECONDS\n");
        return 2;
    }
    run(s, WARM_UP_NS, &conform, &took);
    count = run(s, (long long)(atof(argv[3]) * 1e9), &conform, &took);
    n = count < SAMPLES ? (size_t)count : SAMPLES;
    qsort(samples, n, sizeof *samples, by_time);
    printf("{\"count\":%lld,\"seconds\":%.3f,\"p50\":%.4f,\"p99\":%.4f,\"conform\":%zu}\n", count, (double)took / 1e9,
           (double)samples[n / 2] / 1e6, (double)samples[n * 99 / 100] / 1e6, conform);
    jsonschema_free(s);
    return 0;
}
