#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/dlq.h"
#include "tests/db/log_support.h"

/* Letters that move, in transactions that meet. What an answer shows is tested in tests/api/test_dlq.py. */
#define STREAM INT64_C(7)
#define GROUPS 3
#define LETTERS 60

static struct db_config config;
static struct db *db;
static struct arena *arena;
static uint8_t ids[LETTERS][16]; /* ascending; letter i is of group i % GROUPS */

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_letters");
    config = test_config();
    db = db_new(&config);
    return db ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    db_free(db);
    log_close();
    return 0;
}

/* Group ids do not follow the order of the names. */
static int64_t group_id(int g)
{
    return 100 - g;
}

static void make_group(int g)
{
    char name[16];
    struct group_row row = { .stream_id = STREAM, .group_id = group_id(g), .types = SLICE("[]"), .dlq_retry_after_us = -1,
                             .created_us = US_PER_S };
    const int64_t next[] = { 1 };
    bool made;

    snprintf(name, sizeof name, "g%d", g);
    row.name = slice_of(name);
    assert_ok(db_group_create(db, arena, &row, next, 1, &made, NULL));
    assert_true(made);
}

static int fresh(void **state)
{
    (void)state;
    arena = arena_new(1 << 26);
    assert_non_null(arena);
    side_do("truncate weir.dead_letters, weir.retries, weir.groups cascade");
    side_do("insert into weir.dead_letters (stream_id, letter_id, group_name, partition, \"offset\", key, state, reason, error,"
            " error_type, error_masked, fingerprint, poison, attempts, dead_at, updated_at, recorded, id, type, subject,"
            " attributes, data_format, data)"
            " select %d, lpad(to_hex(i), 32, '0')::uuid, 'g' || i %% %d, i %% 4, i, i * 10, 0, 'max-retries', '{}', 'E',"
            "  'm', md5('x' || i %% 2)::uuid, i %% 5 = 0, '', to_timestamp(1000 + i), to_timestamp(1000 + i), to_timestamp(i),"
            "  'e' || i, 'T' || i %% 4, 's' || i, '', 1, '{}'"
            " from generate_series(0, %d - 1) i", (int)STREAM, GROUPS, LETTERS);
    for (int i = 0; i < LETTERS; i++) {
        memset(ids[i], 0, sizeof ids[i]);
        ids[i][15] = (uint8_t)i;
    }
    for (int g = 0; g < GROUPS; g++)
        make_group(g);
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static enum err begin(struct db *on)
{
    return db_exec(on, &DB_BEGIN, NULL, NULL, NULL);
}

static enum err commit(struct db *on)
{
    return db_exec(on, &DB_COMMIT, NULL, NULL, NULL);
}

static enum err redrive(const uint8_t (*which)[16], size_t n, bool automatic, struct letter_moves *ret)
{
    enum err e;

    if ((e = begin(db)) || (e = dlq_redrive(db, arena, STREAM, which, n, SLICE("why"), automatic, ret, NULL)))
        return e;
    return commit(db);
}

static void a_redrive_moves_what_is_parked_and_tells_of_the_rest(void **state)
{
    uint8_t asked[6][16];
    struct letter_moves m;

    (void)state;
    side_do("update weir.dead_letters set state = 2 where \"offset\" = 3");
    side_do("delete from weir.groups where name = 'g1'");
    memcpy(asked[0], ids[5], 16); /* out of order */
    memcpy(asked[1], ids[0], 16);
    memcpy(asked[2], ids[3], 16);
    memcpy(asked[3], ids[1], 16);
    memset(asked[4], 0xEE, 16);
    memcpy(asked[5], ids[6], 16);
    assert_ok(redrive((const uint8_t(*)[16])asked, 6, false, &m));
    assert_int_equal(m.moved, 3);
    assert_int_equal(m.fates[0], FATE_MOVED);
    assert_int_equal(m.fates[1], FATE_MOVED);
    assert_int_equal(m.fates[2], FATE_NOT_PARKED);
    assert_int_equal(m.fates[3], FATE_NO_GROUP);
    assert_int_equal(m.fates[4], FATE_UNKNOWN);
    assert_int_equal(m.fates[5], FATE_MOVED);
    assert_int_equal(m.group_n, 2);
    assert_true(m.groups[0] == group_id(2) && m.groups[1] == group_id(0)); /* in the order of their locks */
    assert_int_equal(side_int("select count(*) from weir.retries r join weir.dead_letters d using (stream_id, letter_id, partition,"
                              " \"offset\", key) join weir.groups g on g.group_id = r.group_id and g.name = d.group_name"
                              " where r.round = 1 and d.redrives = 1 and d.state = 1 and d.note = 'why' and d.auto_redrives = 0"
                              " and not d.poison and r.failures = 0 and not r.single and r.history = '' and r.not_before <= now()"),
                     3);
    assert_int_equal(side_int("select sum(seq) from (select max(seq) as seq from weir.group_states group by group_id) s"), 2 + 2);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where state = 0"), LETTERS - 4);
}

static void the_groups_own_redrive_is_counted_and_leaves_poison(void **state)
{
    struct letter_moves m;

    (void)state;
    assert_ok(redrive((const uint8_t(*)[16])ids, 2, true, &m));
    assert_int_equal(m.moved, 2);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where auto_redrives = 1 and redrives = 1"
                              " and poison = (\"offset\" = 0)"), 2);
}

static void what_is_rolled_back_has_not_happened(void **state)
{
    struct letter_moves m;

    (void)state;
    assert_ok(begin(db));
    assert_ok(dlq_redrive(db, arena, STREAM, (const uint8_t(*)[16])ids, 5, SLICE_NONE, false, &m, NULL));
    assert_int_equal(m.moved, 5);
    db_rollback(db);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where state = 0 and redrives = 0"), LETTERS);
    assert_int_equal(side_int("select count(*) from weir.retries"), 0);
    assert_int_equal(side_int("select max(seq) from weir.group_states"), 1);
}

/* A letter that died again is redriven in its next round, beside what is left of an earlier one. */
static void each_redrive_is_another_round(void **state)
{
    struct letter_moves m;

    (void)state;
    for (int round = 1; round <= 3; round++) {
        assert_ok(redrive((const uint8_t(*)[16])ids, 1, false, &m));
        assert_int_equal(m.moved, 1);
        side_do("update weir.dead_letters set state = 0 where letter_id = '00000000-0000-0000-0000-000000000000'");
    }
    assert_int_equal(side_int("select count(distinct round) from weir.retries where letter_id is not null"), 3);
    assert_int_equal(side_int("select redrives from weir.dead_letters order by letter_id limit 1"), 3);
}

static void a_discard_needs_no_group(void **state)
{
    struct letter_moves m;

    (void)state;
    side_do("delete from weir.groups");
    assert_ok(begin(db));
    assert_ok(dlq_discard(db, arena, STREAM, (const uint8_t(*)[16])ids, 4, SLICE_NONE, &m, NULL));
    assert_ok(commit(db));
    assert_true(m.moved == 4 && m.group_n == 0);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where state = 3 and note is null"), 4);
    assert_ok(begin(db));
    assert_ok(dlq_discard(db, arena, STREAM, (const uint8_t(*)[16])(ids + 3), 2, SLICE_NONE, &m, NULL));
    assert_ok(commit(db));
    assert_true(m.moved == 1 && m.fates[0] == FATE_NOT_PARKED && m.fates[1] == FATE_MOVED);
}

/* --- many at once --- */

#define MOVERS 4
#define BATCH 7

struct mover {
    unsigned seed;
    size_t moved, redriven;
};

/* One transaction over some letters of all groups, in any order. */
static enum err move_some(struct db *mine, struct arena *a, struct mover *me, struct letter_moves *m)
{
    uint8_t some[BATCH][16];
    bool away = rand_r(&me->seed) % 3 == 0;
    int from = (int)(rand_r(&me->seed) % LETTERS);
    enum err e;

    for (int i = 0; i < BATCH; i++)
        memcpy(some[i], ids[(from + i * 11) % LETTERS], 16);
    if ((e = begin(mine)))
        return e;
    e = away ? dlq_discard(mine, a, STREAM, (const uint8_t(*)[16])some, BATCH, SLICE_NONE, m, NULL) :
               dlq_redrive(mine, a, STREAM, (const uint8_t(*)[16])some, BATCH, SLICE_NONE, false, m, NULL);
    if (e || (e = commit(mine)))
        return e;
    me->moved += m->moved;
    me->redriven += away ? 0 : m->moved;
    return OK;
}

static void *move_many(void *arg)
{
    struct mover *me = arg;
    struct db *mine = db_new(&config);

    for (int i = 0; i < 40; i++) {
        struct arena *a = arena_new(1 << 20);
        struct letter_moves m;
        enum err e = ERR_DB_UNIQUE;

        for (int t = 0; t < DLQ_TRIES && (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY); t++) {
            db_rollback(mine);
            e = move_some(mine, a, me, &m);
        }
        assert_ok(e);
        arena_free(a);
    }
    db_free(mine);
    return NULL;
}

static void however_many_move_a_letter_it_moves_once(void **state)
{
    pthread_t threads[MOVERS];
    struct mover movers[MOVERS];
    size_t moved = 0, redriven = 0;

    (void)state;
    for (unsigned i = 0; i < MOVERS; i++) {
        movers[i] = (struct mover){ .seed = 41 + i };
        assert_int_equal(pthread_create(&threads[i], NULL, move_many, &movers[i]), 0);
    }
    for (int i = 0; i < MOVERS; i++) {
        pthread_join(threads[i], NULL);
        moved += movers[i].moved;
        redriven += movers[i].redriven;
    }
    assert_int_equal(moved, LETTERS);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where state = 0"), 0);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where state = 1"), redriven);
    assert_int_equal(side_int("select count(*) from weir.retries"), redriven);
}

/* --- choosing --- */

static void letters_are_walked_through_in_the_order_of_their_ids(void **state)
{
    const struct letter_filter odd = { .type = SLICE("T*"), .subject = SLICE("s*"), .state = LETTER_PARKED,
                                       .from_us = 1010 * US_PER_S, .to_us = 1050 * US_PER_S, .has_fingerprint = true };
    struct letter_filter f = odd;
    uint8_t at[16] = { 0 }, last[16], (*v)[16];
    int64_t count;
    size_t n, seen = 0;

    (void)state;
    hex16_parse(SLICE("12e44b8dd1e96a2b95b3ee73ed0f2ba5"), f.fingerprint);
    assert_ok(db_letters_count(db, arena, STREAM, &f, &count, last, NULL));
    assert_int_equal(count, 0);
    side_do("update weir.dead_letters set fingerprint = '12e44b8d-d1e9-6a2b-95b3-ee73ed0f2ba5' where \"offset\" %% 2 = 1");
    assert_ok(db_letters_count(db, arena, STREAM, &f, &count, last, NULL));
    assert_true(count == 20 && last[15] == 49);
    do {
        assert_ok(db_letters_match(db, arena, STREAM, &f, at, ids[45], 3, &v, &n, NULL));
        for (size_t i = 0; i < n; i++, seen++) {
            assert_int_equal(v[i][15], 11 + 2 * seen);
            memcpy(at, v[i], 16);
        }
    } while (n);
    assert_int_equal(seen, 18); /* 11, 13 … 45 */
    assert_ok(db_letters_match(db, arena, STREAM + 1, &f, NULL, NULL, 3, &v, &n, NULL));
    assert_int_equal(n, 0);
}

static void a_page_has_an_end_by_count_and_by_bytes(void **state)
{
    const struct letter_filter any = { .state = -1 };
    struct letter_page page;

    (void)state;
    assert_ok(dlq_list(db, arena, STREAM, &any, NULL, LETTERS, 1 << 20, &page, NULL));
    assert_true(page.n == LETTERS && !page.more && page.v[0].letter_id[15] == LETTERS - 1);
    assert_ok(dlq_list(db, arena, STREAM, &any, NULL, LETTERS - 1, 1 << 20, &page, NULL));
    assert_true(page.n == LETTERS - 1 && page.more);
    assert_ok(dlq_list(db, arena, STREAM, &any, ids[10], 100, 4000, &page, NULL));
    assert_true(page.n > 1 && page.n < 10 && page.more && page.v[0].letter_id[15] == 9);
    assert_ok(dlq_list(db, arena, STREAM, &any, ids[1], 100, 1, &page, NULL));
    assert_true(page.n == 1 && !page.more);
    assert_ok(dlq_list(db, arena, STREAM, &any, ids[0], 100, 1, &page, NULL));
    assert_true(page.n == 0 && !page.more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
        TEST(a_redrive_moves_what_is_parked_and_tells_of_the_rest),
        TEST(the_groups_own_redrive_is_counted_and_leaves_poison),
        TEST(what_is_rolled_back_has_not_happened),
        TEST(each_redrive_is_another_round),
        TEST(a_discard_needs_no_group),
        TEST(however_many_move_a_letter_it_moves_once),
        TEST(letters_are_walked_through_in_the_order_of_their_ids),
        TEST(a_page_has_an_end_by_count_and_by_bytes),
#undef TEST
    };

    return cmocka_run_group_tests_name("letters", tests, open_all, close_all);
}
