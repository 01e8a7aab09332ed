#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine/in_flight.h"
#include "handlers/publishing.h"
#include "tests/unit/commit_fixture.h"

/* Idempotency-Keys in a batch: lot_decide is asked without a database. */
static struct publish_key keys[BATCH_MAX];
static enum err render_as;

/* The answer tells the offsets, so an answer that is not the first one's is seen. */
static enum err render(struct publish *p)
{
    struct publish_key *key = p->key;

    for (size_t i = 0; i < p->events.n; i++)
        buf_printf(&key->answer, "%lld,", (long long)p->events.v[i].offset);
    snprintf(key->cursor, sizeof key->cursor, "c%lld", (long long)p->events.v[0].offset);
    key->status = p->events.v[0].duplicate ? 200 : 201;
    return render_as;
}

static struct publish *keyed(char name, char content)
{
    struct publish *p = request(-1);
    struct publish_key *key = &keys[w.batch.n - 1];

    *key = (struct publish_key){ .key = { (uint8_t)name }, .fingerprint = { (uint8_t)content }, .render = render };
    p->key = key;
    return p;
}

static struct slot_key *slot(char name)
{
    const uint8_t key[16] = { (uint8_t)name };

    return lot_key(w.g, key);
}

/* As the look-up gives it: the answer only if it is the asked request's. */
static void stored(char name, char content, const char *answer)
{
    struct slot_key *k = slot(name);

    assert_non_null(k);
    k->known = true;
    k->fingerprint[0] = (uint8_t)content;
    k->status = 201;
    k->answer = k->wanted[0] == (uint8_t)content ? slice_of(answer) : SLICE_NONE;
    k->cursor = SLICE("stored");
}

static int end(void **state)
{
    for (size_t i = 0; i < BATCH_MAX; i++)
        buf_free(&keys[i].answer);
    memset(keys, 0, sizeof keys);
    render_as = OK;
    return world_end(state);
}

static void assert_answer(size_t i, const char *answer, bool replayed)
{
    assert_int_equal(w.pub[i].err, OK);
    assert_true(slice_is((struct slice){ keys[i].answer.p, keys[i].answer.n }, answer));
    assert_int_equal(keys[i].replayed, replayed);
}

static void what_is_kept_is_answered_before_ids_and_locks(void **state)
{
    (void)state;
    world_begin(1);
    keyed('k', 'x')->if_version = 7;
    add("id", "other", "s", 3, 0);
    keyed('n', 'x');
    add(NULL, "x", NULL, -1, 0);
    looked(10);
    stored('k', 'x', "first");
    stored_id("id", "content", 0, 3, 1);
    stored_subject("s", 0, 5);
    lot_decide(w.g, NOW);
    assert_answer(0, "first", true);
    assert_string_equal(keys[0].cursor, "stored");
    assert_answer(1, "11,", false);
    assert_int_equal(w.g->accepted_n, 1);
    assert_int_equal(w.g->kept_n, 1);
    assert_ptr_equal(slot('n')->ours, &w.pub[1]);
    assert_null(slot('k')->ours);
    assert_no_gap();
}

static void two_requests_under_one_key_are_one(void **state)
{
    (void)state;
    world_begin(2);
    for (int i = 0; i < 3; i++) {
        keyed('k', i < 2 ? 'x' : 'y');
        add(NULL, "x", "s", -1, i % 2);
    }
    looked(0);
    lot_decide(w.g, NOW);
    assert_answer(0, "1,", false);
    assert_answer(1, "1,", true);
    assert_int_equal(w.pub[2].err, ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(w.g->accepted_n, 1);
    assert_int_equal(w.g->kept_n, 1);
}

static void an_answer_that_was_not_asked_for_is_waited_for(void **state)
{
    (void)state;
    world_begin(1);
    for (int i = 0; i < 2; i++) {
        keyed('k', i ? 'y' : 'x');
        add(NULL, "x", NULL, -1, 0);
    }
    looked(0);
    stored('k', 'y', "kept");
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(w.pub[1].err, ERR_IDEMPOTENCY_IN_FLIGHT);
    assert_true(w.pub[1].fault.retry_after > 0);
    assert_int_equal(w.g->accepted_n, 0);
}

static void a_refused_request_leaves_its_key_free(void **state)
{
    (void)state;
    world_begin(1);
    keyed('k', 'x');
    add(NULL, "x", "s", 4, 0);
    keyed('k', 'y');
    add(NULL, "x", "s", 0, 0);
    looked(0);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_VERSION_CONFLICT);
    assert_answer(1, "1,", false);
    assert_int_equal(w.g->kept_n, 1);
    assert_no_gap();
}

static void an_answer_that_cannot_be_kept_takes_its_events_back(void **state)
{
    (void)state;
    world_begin(1);
    keyed('k', 'x');
    add("id", "x", "s", -1, 0);
    looked(0);
    render_as = ERR_BODY_TOO_LARGE;
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_BODY_TOO_LARGE);
    assert_false(slot('k')->known);
    assert_int_equal(w.g->accepted_n + w.g->kept_n, 0);
    assert_int_equal(lot_subject(w.g, SLICE("s"))->version, 0);
    assert_no_gap();
    render_as = OK; /* the next attempt begins anew */
    lot_decide(w.g, NOW);
    assert_answer(0, "1,", false);
}

static void a_key_takes_a_request_off_the_plain_way(void **state)
{
    (void)state;
    world_begin(1);
    for (int i = 0; i < PARTITIONS_MAX; i++)
        w.stream->lane[i] = (struct lane_partition){ 0, month_index(NOW) };
    request(-1);
    add(NULL, "x", NULL, -1, 0);
    assert_int_equal(batch_sort_out(&w.batch), OK);
    assert_true(w.batch.plain);
    keyed('k', 'x');
    add(NULL, "x", NULL, -1, 0);
    assert_int_equal(batch_sort_out(&w.batch), OK);
    assert_false(w.batch.plain);
}

/* --- against one request after the other --- */
enum { NAMES = 6, REQUESTS = 10, BATCHES = 4, RUNS = 400 };

struct model {
    int64_t head, version;
    char content[NAMES];      /* 0: nothing is kept */
    char answer[NAMES][64];
};

static unsigned seed;

static int pick(int n)
{
    seed = seed * 1103515245 + 12345;
    return (int)(seed >> 16) % n;
}

static enum err model_request(struct model *m, const struct publish *p, char *ret_answer)
{
    int name = p->key ? p->key->key[0] - 1 : -1;
    int64_t expected = p->events.v[0].expected_version;

    ret_answer[0] = '\0';
    if (name >= 0 && m->content[name]) {
        strcpy(ret_answer, m->answer[name]);
        return m->content[name] == p->key->fingerprint[0] ? OK : ERR_IDEMPOTENCY_KEY_REUSED;
    }
    if (expected >= 0 && expected != m->version)
        return ERR_VERSION_CONFLICT;
    for (size_t i = 0; i < p->events.n; i++) {
        m->version++;
        snprintf(ret_answer + strlen(ret_answer), 64 - strlen(ret_answer), "%lld,", (long long)++m->head);
    }
    if (name >= 0) {
        m->content[name] = (char)p->key->fingerprint[0];
        strcpy(m->answer[name], ret_answer);
    }
    return OK;
}

static void random_batch(const struct model *m)
{
    for (int r = 0, n = 1 + pick(REQUESTS); r < n; r++) {
        int events = 1 + pick(3);

        if (pick(4))
            keyed((char)(1 + pick(NAMES)), "xxxy"[pick(4)]);
        else
            request(-1);
        for (int k = 0; k < events; k++)
            add(NULL, "x", "s", k == 0 && pick(2) ? m->version + pick(3) : -1, 0);
    }
    looked(m->head);
    stored_subject("s", 0, m->version);
    for (int i = 0; i < NAMES; i++)
        if (m->content[i] && slot((char)(1 + i)))
            stored((char)(1 + i), m->content[i], m->answer[i]);
}

static void every_batch_is_decided_as_one_request_after_the_other(void **state)
{
    static const enum err kinds[] = { OK, ERR_IDEMPOTENCY_KEY_REUSED, ERR_VERSION_CONFLICT };
    size_t seen[ERR_END] = { 0 }, replayed = 0, kept = 0;

    for (unsigned run = 0; run < RUNS; run++) {
        struct model m = { .head = 0 };

        seed = run * 7919 + 1;
        for (int batch = 0; batch < BATCHES; batch++) {
            world_begin(1);
            random_batch(&m);
            lot_decide(w.g, NOW);
            for (size_t r = 0; r < w.batch.n; r++) {
                char answer[64];
                enum err e = model_request(&m, &w.pub[r], answer);

                if (e == OK && w.pub[r].err == ERR_IDEMPOTENCY_IN_FLIGHT) /* may always be said of the second of a batch */
                    continue;
                if (w.pub[r].err != e)
                    fail_msg("run %u, batch %d, request %zu: %d, not %d", run, batch, r, (int)w.pub[r].err, (int)e);
                seen[e]++;
                if (e == OK && w.pub[r].key)
                    assert_answer(r, answer, w.pub[r].key->replayed);
                replayed += w.pub[r].key && w.pub[r].key->replayed;
            }
            kept += w.g->kept_n;
            assert_int_equal(w.g->part[0].head + w.g->part[0].n, m.head);
            assert_no_gap();
            end(state);
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_true(seen[kinds[i]] > 300);
    assert_true(replayed > 300 && kept > 300);
}

/* --- the keys in process, and the header --- */

static void a_key_is_in_flight_once_in_each_stream(void **state)
{
    static struct in_flight t;
    struct stream *other = stream_made("other", 8, 1);

    (void)state;
    world_begin(1);
    for (int i = 0; i < 40; i++) /* all of one chain */
        keyed('k', 'x')->key->key[15] = (uint8_t)(i / 2);
    for (int i = 0; i < 40; i++)
        assert_int_equal(in_flight_add(&t, &w.pub[i]), i % 2 == 0);
    w.pub[1].stream = other;
    assert_true(in_flight_add(&t, &w.pub[1]));
    for (int i = 38; i >= 0; i -= 2) {
        in_flight_remove(&t, &w.pub[i]);
        assert_int_equal(in_flight_add(&t, &w.pub[i]), true);
        in_flight_remove(&t, &w.pub[i]);
    }
    assert_false(in_flight_add(&t, &w.pub[1]));
    in_flight_remove(&t, &w.pub[1]);
    for (size_t i = 0; i < IN_FLIGHT_CHAINS; i++)
        assert_null(t.chain[i]);
    stream_unref(other);
}

static void a_key_is_a_quoted_string_or_bare(void **state)
{
    static const struct {
        const char *header, *key; /* NULL: refused */
    } rows[] = {
        { "a", "a" }, { "\"a\"", "a" }, { "8e03978e-40d5", "8e03978e-40d5" }, { "a\\b", "a\\b" }, { "\"a\\\\b\"", "a\\b" },
        { "\"a\\\"b\"", "a\"b" }, { "~!", "~!" }, { "", NULL }, { "\"\"", NULL }, { "\"", NULL }, { "\"a", NULL },
        { "a\"", NULL }, { "a\"b", NULL }, { "\"a\\\"", NULL }, { "\"a\\b\"", NULL }, { "\"a\"b\"", NULL }, { "a b", NULL },
        { "\"a b\"", NULL }, { "a\tb", NULL }, { "\"a\";x", NULL }, { "\x7f", NULL }, { "\xc3\xa4", NULL }, { "\\", "\\" },
        { "\"\\\"\"", "\"" }, { "\"\\\\\"", "\\" },
    };
    char key[IDEMPOTENCY_KEY_MAX + 1], text[IDEMPOTENCY_KEY_MAX + 4];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *copy = strdup(rows[i].header); /* so that a sanitizer sees a look before or behind it */
        struct slice s = { copy, strlen(copy) };
        bool good = idempotency_key_parse(s, key);

        if (good != (rows[i].key != NULL) || (good && strcmp(key, rows[i].key)))
            fail_msg("%s: %d %s", rows[i].header, good, key);
        free(copy);
    }
    for (size_t n = IDEMPOTENCY_KEY_MAX; n <= IDEMPOTENCY_KEY_MAX + 1; n++) {
        memset(text, 'x', sizeof text);
        assert_int_equal(idempotency_key_parse((struct slice){ text, n }, key), n == IDEMPOTENCY_KEY_MAX);
        text[0] = text[n + 1] = '"';
        assert_int_equal(idempotency_key_parse((struct slice){ text, n + 2 }, key), n == IDEMPOTENCY_KEY_MAX);
    }
}

#define T(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_kept_is_answered_before_ids_and_locks),
        T(two_requests_under_one_key_are_one),
        T(an_answer_that_was_not_asked_for_is_waited_for),
        T(a_refused_request_leaves_its_key_free),
        T(an_answer_that_cannot_be_kept_takes_its_events_back),
        T(a_key_takes_a_request_off_the_plain_way),
        cmocka_unit_test(every_batch_is_decided_as_one_request_after_the_other),
        T(a_key_is_in_flight_once_in_each_stream),
        cmocka_unit_test(a_key_is_a_quoted_string_or_bare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
