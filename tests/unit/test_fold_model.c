/* Random definitions and events, folded here and by tests/unit/fold_model.py. WEIR_FOLD_CASES and WEIR_FOLD_SEED: other ones. */
#include <unistd.h>

#include "gateway/engine/fold_parts.h"
#include "tests/unit/fold_fixture.h"

enum { CASES = 600, KEYS = 64 };

struct kept {
    struct slice key;
    struct fold_state *live;     /* folds on */
    struct slice text;           /* is opened and closed for each event */
    int64_t version;
};

struct run {
    struct arena *arena;
    struct projection_definition def;
    struct kept kept[KEYS];
    size_t n;
    int64_t offset;
    FILE *judge;
};

static struct kept *kept_of(struct run *r, struct slice key)
{
    size_t i = 0;

    while (i < r->n && !slice_eq(r->kept[i].key, key))
        i++;
    assert_true(i < KEYS);
    if (i == r->n) {
        r->kept[i] = (struct kept){ .key = key, .live = fold_open(r->def.fold, r->arena, SLICE_NONE, 0, SIZE_MAX) };
        r->n++;
    }
    return &r->kept[i];
}

/* What stays in memory and what is stored after each event are the same bytes, and as many as are counted. */
static enum fold_result fold_twice(struct run *r, struct kept *k, const struct fold_event *e)
{
    struct fold_state *again = fold_open(r->def.fold, r->arena, k->text, k->version, SIZE_MAX);
    enum fold_result x = fold_apply(k->live, e, NULL), y = fold_apply(again, e, NULL);
    struct slice text = SLICE_NONE;

    assert_int_equal(x, y);
    assert_true(x == FOLD_DONE || x == FOLD_REFUSED);
    assert_true(k->live->exists == again->exists && k->live->version == again->version);
    assert_true(!again->exists || (fold_text(k->live, &text) && fold_text(again, &k->text) && slice_eq(text, k->text)));
    assert_true(!again->exists || (k->live->tree->bytes == text.n && again->tree->bytes == text.n));
    if (!again->exists)
        k->text = SLICE_NONE;
    k->version = again->version;
    return x;
}

static void fold_event_of(struct run *r, struct slice text)
{
    static const char *const results[] = { "done", "passed", "refused" };
    const struct event_limits most = { .event_bytes = 1 << 20, .request_events = 1, .json_depth = 64 };
    struct events events;
    struct fold_event e;
    struct fault f = { 0 };
    struct kept *k = NULL;
    struct buf line = { 0 };
    enum fold_result result;

    if (event_parse(r->arena, SLICE("orders"), EVENT_JSON, text, SLICE_NONE, &most, NOW, &events, &f))
        fail_msg("%.*s: %s", (int)text.n, text.p, f.detail);
    events.v->partition = 2;
    events.v->offset = ++r->offset;
    events.v->recorded_us = NOW + r->offset;
    events.v->version = events.v->subject.p ? r->offset : 0;
    result = fold_read(r->def.fold, SLICE("orders"), events.v, r->arena, &e, &f);
    if (!result) {
        k = kept_of(r, e.key);
        result = fold_twice(r, k, &e);
    }
    BUF_LIT(&line, "{\"event\":");
    event_render(&line, SLICE("orders"), events.v, true);
    buf_printf(&line, ",\"result\":\"%s\",\"key\":", results[result]);
    buf_json_string(&line, k ? k->key : SLICE(""));
    buf_printf(&line, ",\"version\":%lld,\"state\":", k ? (long long)k->version : 0);
    buf_slice(&line, k && k->text.p ? k->text : SLICE("null"));
    buf_char(&line, '}');
    assert_false(line.failed);
    fprintf(r->judge, "%.*s\n", (int)line.n, line.p);
    buf_free(&line);
}

static void run_case(struct slice line, FILE *judge)
{
    struct run r = { .arena = arena_new(64 << 20), .judge = judge };
    struct fault f = { 0 };
    struct json j;
    struct slice name, raw, list = SLICE_NONE;
    bool escaped;

    json_begin(&j, line, JSON_DEPTH);
    json_object_begin(&j);
    while (json_object_next(&j, &name, &escaped) && json_value(&j, &raw)) {
        if (slice_is(name, "events"))
            list = raw;
        else if (projection_definition_parse(r.arena, raw, SIZE_MAX, &r.def, &f))
            fail_msg("%.*s: %s at %s", (int)raw.n, raw.p, f.detail, f.pointer);
    }
    json_begin(&j, list, JSON_DEPTH);
    json_array_begin(&j);
    while (json_array_next(&j) && json_value(&j, &raw))
        fold_event_of(&r, raw);
    arena_free(r.arena);
}

static void a_naive_fold_makes_the_same_of_random_definitions_and_events(void **state)
{
    const char *cases = getenv("WEIR_FOLD_CASES"), *seed = getenv("WEIR_FOLD_SEED");
    char path[] = "/tmp/weir-fold-XXXXXX", command[200];
    int fd = mkstemp(path);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    (void)state;
    assert_true(fd >= 0);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/unit/fold_model.py make %ld %ld > %s", seed ? atol(seed) : 1,
             cases ? atol(cases) : CASES, path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/unit/fold_model.py judge %s", path);
    FILE *judge = popen(command, "w"), *made = fdopen(fd, "r");

    assert_true(judge && made);
    while ((n = getline(&line, &room, made)) > 0)
        run_case((struct slice){ line, (size_t)n }, judge);
    free(line);
    fclose(made);
    n = pclose(judge);
    unlink(path);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_naive_fold_makes_the_same_of_random_definitions_and_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
