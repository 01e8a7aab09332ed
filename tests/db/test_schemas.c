#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/db/registry_support.h"

/* The registry's transactions where they meet. What an answer shows is tested in tests/api/test_registry.py. */
static const struct schema_subject others = { { ".", 1 }, { "others", 6 } };

static int open_all(void **state)
{
    (void)state;
    return registry_open("weir_test_schemas");
}

static enum err begin(struct db *on)
{
    return db_exec(on, &DB_BEGIN, NULL, NULL, NULL);
}

static enum err put(struct db *on, struct arena *a, const struct schema_subject *s, const char *text, struct schema_row *ret,
                    bool *ret_made)
{
    const struct schema_body body = { .text = slice_of(text), .type = SCHEMA_AVRO };
    struct schema_candidate c;
    struct fault f = { 0 };
    enum err e = schema_prepare(&config, on, a, s, &body, false, &c, &f);

    if (!e && !(e = begin(on)))
        e = registry_end(on, schemas_register(&config, on, a, &c, &body, NULL, false, ret_made, &f));
    *ret = c.row;
    return e;
}

static void one_content_has_one_id_and_is_told_once(void **state)
{
    struct schema_row first, again, other;
    bool made;

    (void)state;
    assert_ok(put(db, arena, &orders, "\"string\"", &first, &made));
    assert_true(made && first.id == 1 && first.version == 1);
    assert_ok(put(db, arena, &orders, " \"string\" ", &again, &made));
    assert_true(!made && again.id == 1 && again.version == 1);
    assert_ok(put(db, arena, &others, "{\"type\":\"string\"}", &other, &made));
    assert_true(made && other.id == 1 && other.version == 1);
    assert_ok(put(db, arena, &orders, "\"int\"", &other, &made));
    assert_true(made && other.id == 2 && other.version == 2);
    assert_int_equal(side_int("select changes from weir.registry"), 3);
    assert_int_equal(side_int("select count(*) from weir.outbox where stream = '_schemas' and type = 'SchemaRegistered'"), 3);
}

/* By the counter alone: nobody tells this gateway. */
static void a_change_elsewhere_is_known_here(void **state)
{
    struct schema_row row;
    struct schemas *here;
    bool made;

    (void)state;
    assert_true(config_set_default(&config, "registry.poll", "20ms"));
    here = schemas_start(&config, &database, NULL);
    assert_non_null(here);
    for (int64_t n = 1; n <= 3; n++) {
        char text[40];

        snprintf(text, sizeof text, "{\"type\":\"fixed\",\"name\":\"F\",\"size\":%d}", (int)n);
        assert_ok(put(db, arena, &orders, text, &row, &made));
        for (int i = 0; i < 1000 && schemas_changes(here) < n; i++)
            usleep(10000);
        assert_int_equal(schemas_changes(here), n);
    }
    schemas_stop(here);
}

static void what_is_rolled_back_has_used_no_id(void **state)
{
    const struct schema_body body = { .text = SLICE("\"long\""), .type = SCHEMA_AVRO };
    struct schema_candidate c;
    struct schema_row row;
    bool made;

    (void)state;
    assert_ok(schema_prepare(&config, db, arena, &orders, &body, false, &c, NULL));
    assert_ok(begin(db));
    assert_ok(schemas_register(&config, db, arena, &c, &body, NULL, false, &made, NULL));
    assert_true(made && c.row.id == 1);
    db_rollback(db);
    assert_int_equal(side_int("select count(*) from weir.schema_subjects") + side_int("select count(*) from weir.outbox"), 0);
    assert_ok(put(db, arena, &orders, "\"int\"", &row, &made));
    assert_true(row.id == 1 && row.version == 1);
}

/* Each registers all contents in an order of its own, and deletes its subject now and then, which is dropped under the others' wait. */
#define THREADS 4
#define CONTENTS 12

static void *work(void *arg)
{
    const struct schema_subject shared = { SLICE("."), SLICE("shared") }, brief = { SLICE("."), SLICE("brief") };
    struct db *own = db_new(&database);
    int n = *(const int *)arg;

    for (int i = 0; own && i < CONTENTS; i++) {
        struct arena *a = arena_new(1 << 22);
        struct schema_row row;
        struct fault f = { 0 };
        char text[80];
        bool made;
        size_t count;
        int *gone;
        enum err e;

        snprintf(text, sizeof text, "{\"type\":\"fixed\",\"name\":\"F\",\"size\":%d}", (i * 5 + n * 7) % CONTENTS + 1);
        assert_ok(put(own, a, &shared, text, &row, &made));
        assert_ok(put(own, a, &brief, text, &row, &made));
        assert_ok(begin(own));
        e = registry_end(own, schemas_delete(own, a, &brief, i % 2, &gone, &count, &f));
        assert_true(e == OK || (e == ERR_REGISTRY && f.registry / 100 == 404));
        arena_free(a);
    }
    db_free(own);
    return NULL;
}

static void many_at_once_leave_numbers_without_gaps(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(side_int("select count(*) from weir.schemas"), CONTENTS);
    assert_int_equal(side_int("select max(version) from weir.schema_versions where subject = 'shared'"), CONTENTS);
    assert_int_equal(side_int("select count(distinct schema_id) from weir.schema_versions where subject = 'shared'"), CONTENTS);
    assert_int_equal(side_int("select count(*) from weir.schemas s where not exists (select from weir.schema_versions v"
                              " where v.context = s.context and v.schema_id = s.schema_id)"), 0);
    assert_int_equal(side_int("select changes from weir.registry"),
                     side_int("select count(*) from weir.outbox where stream = '_schemas'"));
}

static void an_id_that_nobody_has_any_more_is_forgotten(void **state)
{
    struct schema_version *uses;
    struct schema_row row;
    struct fault f = { 0 };
    bool made;
    const struct schema_version none = { .subject = { SLICE("."), SLICE("") } };
    size_t n;
    int *gone;

    (void)state;
    assert_ok(put(db, arena, &orders, "\"string\"", &row, &made));
    assert_ok(put(db, arena, &others, "\"string\"", &row, &made));
    for (int permanent = 0; permanent < 2; permanent++) {
        assert_ok(begin(db));
        assert_ok(registry_end(db, schemas_delete(db, arena, &orders, permanent, &gone, &n, &f)));
        assert_true(n == 1 && gone[0] == 1);
    }
    assert_ok(schemas_content(db, arena, SLICE("."), 1, &row, &f));
    assert_ok(schemas_uses(db, arena, &row, &none, 10, &uses, &n, &f));
    assert_true(n == 1 && slice_is(uses[0].subject.name, "others"));
    assert_ok(schemas_uses(db, arena, &row, &uses[0], 1, &uses, &n, &f));
    assert_int_equal(n, 0);
    for (int permanent = 0; permanent < 2; permanent++) {
        assert_ok(begin(db));
        assert_ok(registry_end(db, schemas_delete(db, arena, &others, permanent, &gone, &n, &f)));
    }
    assert_int_equal(schemas_content(db, arena, SLICE("."), 1, &row, &f), ERR_REGISTRY);
    assert_int_equal(f.registry, SCHEMA_NONE);
    assert_int_equal(side_int("select count(*) from weir.schemas") + side_int("select count(*) from weir.schema_subjects"), 0);
}

static void pages_of_subjects_go_on_where_they_ended(void **state)
{
    const struct schema_filter all = { .context = SLICE(""), .prefix = SLICE("") };
    struct schema_version at = { .subject = { SLICE(""), SLICE("") } }, *page;
    struct schema_row row;
    int seen = 0;
    bool made;
    size_t n;

    (void)state;
    for (int i = 0; i < 10; i++) {
        char name[16];

        snprintf(name, sizeof name, "s%d", i);
        assert_ok(put(db, arena, &(struct schema_subject){ SLICE("."), slice_of(name) }, i % 2 ? "\"int\"" : "\"long\"", &row,
                      &made));
    }
    do {
        assert_ok(schemas_subjects(db, arena, &all, &at.subject, 3, &page, &n, NULL));
        for (size_t i = 0; i < n; i++)
            assert_true(page[i].subject.name.p[1] == '0' + seen++ && page[i].version == 1);
        if (n)
            at.subject = page[n - 1].subject;
    } while (n);
    assert_int_equal(seen, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, registry_fresh, registry_done)
        TEST(one_content_has_one_id_and_is_told_once),
        TEST(a_change_elsewhere_is_known_here),
        TEST(what_is_rolled_back_has_used_no_id),
        TEST(many_at_once_leave_numbers_without_gaps),
        TEST(an_id_that_nobody_has_any_more_is_forgotten),
        TEST(pages_of_subjects_go_on_where_they_ended),
#undef TEST
    };

    return cmocka_run_group_tests_name("schemas", tests, open_all, registry_close);
}
