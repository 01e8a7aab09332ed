/* What operators and services send: the input as outbound.file, as a URL, as Retry-After, and as the body of an answer. */
#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/engine/outbound_answer.h"
#include "gateway/engine/outbound_file.h"
#include "gateway/engine/outbound_mask.h"
#include "gateway/engine/outbound_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "s3cr\"et/"

static void must(bool x)
{
    if (!x)
        abort();
}

static bool look_up(void *arg, bool is_file, struct slice name, struct arena *a, struct slice *ret, char why[200])
{
    (void)arg, (void)name, (void)why;
    *ret = arena_slice(a, is_file ? SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") : SLICE(SECRET));
    return true;
}

/* What was taken of a file is in bounds, found by its name, and a target is written as calls write it. */
static void as_file(struct slice input)
{
    char err[512] = "", target[OUTBOUND_TARGET_MAX];
    struct outbound_file *f = outbound_file_parse(input, look_up, NULL, err);
    const char *why;

    must(f || *err);
    for (size_t i = 0; f && i < f->target_n; i++) {
        const struct outbound_rules *t = &f->targets[i];

        must(outbound_target(t->target, target, &why) && slice_is(t->target, target));
        must(outbound_file_rules(f, t->target) == t && t->concurrency >= 0 && t->concurrency <= 10000);
        must(t->rate >= 0 && t->rate <= 1e6 && t->key_n <= OUTBOUND_SIGNING_SECRETS);
    }
    for (size_t i = 0; f && i < f->secret_n; i++)
        must(f->secrets[i].host_n >= 1 && f->secrets[i].host_n <= OUTBOUND_SECRET_HOSTS && f->secrets[i].value.n);
    outbound_file_free(f);
}

static void as_url(struct slice input)
{
    char target[OUTBOUND_TARGET_MAX], again[OUTBOUND_TARGET_MAX];
    const char *why = NULL;

    if (!outbound_target(input, target, &why)) {
        must(why);
        return;
    }
    must(outbound_target(slice_of(target), again, &why) && !strcmp(target, again));
    must(outbound_host(slice_of(target)).n && !strpbrk(target + 8, "/?#@ \r\n\t\\"));
}

static void is_json(const struct buf *b)
{
    struct json j;
    struct slice raw;

    must(!b->failed);
    json_begin(&j, (struct slice){ b->p, b->n }, OUTBOUND_RESULT_DEPTH + 1);
    must(json_value(&j, &raw) && json_end(&j));
}

static void as_body(struct slice input, int status)
{
    const struct outbound_came came = { OUTBOUND_WHOLE, true, status, -1 };
    struct buf b = { 0 };

    outbound_put_result(&b, input);
    is_json(&b);
    buf_reset(&b);
    outbound_put_answer(&b, &came, input, input, status & 1);
    is_json(&b);
    buf_reset(&b);
    outbound_id(&b, input);
    for (size_t i = 0; i < b.n; i++)
        must(b.p[i] > 0x20 && b.p[i] < 0x7f);
    buf_free(&b);
}

static void as_echo(struct slice input)
{
    const struct slice file = SLICE("{\"secrets\":{\"a\":{\"env\":\"A\",\"hosts\":[\"a.example\"]}}}");
    char err[512], *text = malloc(input.n + 1);
    struct outbound_file *f = outbound_file_parse(file, look_up, NULL, err);

    must(f && text);
    memcpy(text, input.p, input.n);
    outbound_mask(f, SLICE("https://a.example"), text, input.n, input.n & 1);
    must(!memmem(text, input.n, SECRET, sizeof SECRET - 1) && !memmem(text, input.n, "s3cr%22et%2F", 12));
    outbound_file_free(f);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    int64_t us = outbound_retry_after(input, INT64_C(784111700) * 1000000);

    must(us == -1 || (us >= 0 && us <= OUTBOUND_RETRY_AFTER_MAX_US && us % 1000000 == 0));
    must(!outbound_header_good(input) || (size && size <= 256));
    as_file(input);
    as_url(input);
    as_body(input, size ? 100 + data[0] : 200);
    as_echo(input);
    return 0;
}
