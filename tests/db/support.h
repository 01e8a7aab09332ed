#ifndef WEIR_TESTS_DB_SUPPORT_H
#define WEIR_TESTS_DB_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"

/* What the database tests share. The server is WEIR_TEST_DATABASE_URL's; `side` is a plain libpq connection to it, beside
 * the code under test. Each program works in a schema of its own. */
struct db_config test_config(void);
/* WEIR_TEST_DATABASE_URL with other values; NULL keeps. The caller frees. */
char *test_url(const char *host, const char *port, const char *dbname);

void side_open(const char *schema);  /* makes the schema anew; `side` has it in its search path */
void side_close(void);               /* and drops it */
void side_do(const char *sql, ...) __attribute__((format(printf, 1, 2)));
int64_t side_int(const char *sql, ...) __attribute__((format(printf, 1, 2)));
/* Returns once the condition is true; fails the test after 20 s. */
void side_until(const char *sql, ...) __attribute__((format(printf, 1, 2)));
bool side_was_notified(void);

#define assert_ok(e) assert_int_equal((e), OK)

/* A proxy between libpq and the server that behaves badly on demand; in a thread of its own. */
struct proxy;
enum proxy_mode {
    PROXY_PASS,
    PROXY_SWALLOW, /* at the first byte of an answer both sides are closed: the server did it, nobody hears */
    PROXY_MUTE,    /* answers are dropped */
    PROXY_DEAF,    /* requests are not read */
};
struct proxy *proxy_new(void);
void proxy_free(struct proxy *p);
const char *proxy_url(const struct proxy *p);
void proxy_set(struct proxy *p, enum proxy_mode mode);
void proxy_set_after(struct proxy *p, enum proxy_mode mode, int answers); /* once so many pieces of answers have passed */

#endif
