#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/dev/cluster_private.h"
#include "gateway/dev/secret.h"

static void a_pid_file_is_ready_by_its_eighth_line(void **state)
{
    struct pidfile f;
    (void)state;

    assert_true(pidfile_parse("4711\n/d/pg\n1700000000\n5432\n/d/run\n\n  1 2\nready   \n", &f));
    assert_int_equal(f.pid, 4711);
    assert_true(f.ready);
    assert_true(pidfile_parse("4711\n/d/pg\n1700000000\n5432\n/d/run\n\n  1 2\nstarting\n", &f));
    assert_false(f.ready);
}

static void a_pid_file_that_is_being_written_is_not_ready(void **state)
{
    struct pidfile f;
    (void)state;

    assert_true(pidfile_parse("4711\n/d/ready\n", &f));
    assert_int_equal(f.pid, 4711);
    assert_false(f.ready);
    assert_true(pidfile_parse("4711", &f));
    assert_false(f.ready);
}

static void nonsense_is_no_pid_file(void **state)
{
    static const char *const texts[] = { "", "\n", "ready\n", "-4\n", "0\n", "12x\n", "99999999999999999999\n" };
    struct pidfile f;
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(pidfile_parse(texts[i], &f));
}

static void the_major_version_is_read_from_both_its_sources(void **state)
{
    (void)state;

    assert_int_equal(pg_major_parse("15\n"), 15);
    assert_int_equal(pg_major_parse("9.6\n"), 9);
    assert_int_equal(pg_major_parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), 15);
    assert_int_equal(pg_major_parse("postgres (PostgreSQL) 18devel"), 18);
    assert_int_equal(pg_major_parse("postgres (PostgreSQL) 17beta1"), 17);
    assert_int_equal(pg_major_parse(""), 0);
    assert_int_equal(pg_major_parse("sh: not found"), 0);
    assert_int_equal(pg_major_parse("123456"), 0);
}

static void the_newest_is_picked_unless_the_data_wants_its_own(void **state)
{
    const int majors[] = { 14, 16, 17, 15 };
    (void)state;

    assert_int_equal(pg_bin_pick(majors, 4, 0), 2);
    assert_int_equal(pg_bin_pick(majors, 4, 16), 1);
    assert_int_equal(pg_bin_pick(majors, 4, 18), -1);
    assert_int_equal(pg_bin_pick(majors, 4, 14), -1); /* too old, even for data of its own */
    assert_int_equal(pg_bin_pick(majors, 1, 0), -1);
    assert_int_equal(pg_bin_pick(NULL, 0, 0), -1);
}

static void a_socket_path_may_have_107_bytes(void **state)
{
    char dir[120] = "";
    size_t longest = 107 - strlen("/" PG_SOCKET);
    (void)state;

    memset(dir, 'd', longest);
    assert_true(pg_socket_fits(dir));
    dir[longest] = 'd';
    assert_false(pg_socket_fits(dir));
}

static void a_directory_that_would_read_as_a_list_is_no_place_for_a_socket(void **state)
{
    (void)state;

    assert_true(pg_socket_fits("/home/ä b/it's 100%"));
    assert_false(pg_socket_fits("/home/a,b"));
    assert_false(pg_socket_fits("/home/\"a"));
}

static const char *option(PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    return NULL;
}

static void libpq_reads_the_url_back_whatever_the_directory_is_called(void **state)
{
    static const char dir[] = "/home/ä b/100%/a&b=c?d#e@f:g+h,i";
    char *url = pg_url("some one@\\home", dir), *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    (void)state;

    assert_non_null(options);
    assert_string_equal(option(options, "host"), dir);
    assert_string_equal(option(options, "user"), "some one@\\home");
    assert_string_equal(option(options, "dbname"), "postgres");
    assert_string_equal(option(options, "port"), PG_PORT);
    PQconninfoFree(options);
    free(url);
}

static int open_scratch(char path[32])
{
    strcpy(path, "/tmp/test_cluster-XXXXXX");
    assert_non_null(mkdtemp(path));
    return open(path, O_RDONLY | O_DIRECTORY);
}

static void a_tree_is_removed_but_what_its_links_point_to_stays(void **state)
{
    char path[32];
    int dir = open_scratch(path);
    (void)state;

    assert_true(file_write_at(dir, "kept", "x"));
    assert_int_equal(mkdirat(dir, "tree", 0700), 0);
    assert_int_equal(mkdirat(dir, "tree/below", 0700), 0);
    assert_int_equal(symlinkat("../../kept", dir, "tree/below/file"), 0);
    assert_int_equal(symlinkat("..", dir, "tree/up"), 0);
    tree_remove_at(dir, "tree");
    assert_int_not_equal(faccessat(dir, "tree", F_OK, 0), 0);
    assert_int_equal(faccessat(dir, "kept", F_OK, 0), 0);
    unlinkat(dir, "kept", 0);
    close(dir);
    assert_int_equal(rmdir(path), 0);
}

static void a_failure_is_quoted_from_the_log_before_what_follows_it(void **state)
{
    struct cluster c = { 0 };
    char path[32], why[320];
    int dir = open_scratch(path);
    (void)state;

    assert_true(file_write_at(dir, "log", "1 FATAL:  of an earlier start\n"
                                          "2 LOG:  starting\n3 FATAL:  could not do it\n"
                                          "4 LOG:  database system is shut down\n"));
    c.log_fd = openat(dir, "log", O_RDONLY);
    pg_log_quote(&c, 0, why, sizeof why);
    assert_string_equal(why, "could not do it");
    pg_log_quote(&c, 30, why, sizeof why);
    assert_string_equal(why, "could not do it");
    pg_log_quote(&c, pg_log_size(&c), why, sizeof why);
    assert_string_equal(why, "it said nothing");
    close(c.log_fd);
    tree_remove_at(AT_FDCWD, path);
    close(dir);
}

static void secrets_differ_are_long_enough_and_kept_from_others(void **state)
{
    char path[32], err[512], *one = dev_secret_new(), *two = dev_secret_new(), *read;
    int dir = open_scratch(path);
    struct stat st;
    (void)state;

    assert_string_not_equal(one, two);
    assert_true(strlen(one) >= 32);
    assert_null(dev_secret_load(path, err));
    assert_non_null(strstr(err, path));
    assert_true(dev_secret_save(dir, one));
    assert_true(dev_secret_save(dir, two));
    assert_int_equal(fstatat(dir, "secret", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_non_null(read = dev_secret_load(path, err));
    assert_string_equal(read, two);
    free(read);
    free(one);
    free(two);
    tree_remove_at(AT_FDCWD, path);
    close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pid_file_is_ready_by_its_eighth_line),
        cmocka_unit_test(a_pid_file_that_is_being_written_is_not_ready),
        cmocka_unit_test(nonsense_is_no_pid_file),
        cmocka_unit_test(the_major_version_is_read_from_both_its_sources),
        cmocka_unit_test(the_newest_is_picked_unless_the_data_wants_its_own),
        cmocka_unit_test(a_socket_path_may_have_107_bytes),
        cmocka_unit_test(a_directory_that_would_read_as_a_list_is_no_place_for_a_socket),
        cmocka_unit_test(libpq_reads_the_url_back_whatever_the_directory_is_called),
        cmocka_unit_test(a_tree_is_removed_but_what_its_links_point_to_stays),
        cmocka_unit_test(a_failure_is_quoted_from_the_log_before_what_follows_it),
        cmocka_unit_test(secrets_differ_are_long_enough_and_kept_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
