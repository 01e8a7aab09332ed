#ifndef WEIR_APP_H
#define WEIR_APP_H

#include "gateway/base/config.h"
#include "gateway/base/err.h"

/* Owns every subsystem of a running gateway. The database must be migrated. Config outlives it; dev_secret (may be
 * empty) is the key of `weir dev`. Started and stopped by the main thread, which blocks the signals first. A start that
 * fails leaves nothing; after ERR_DATABASE_UNAVAILABLE it may be tried again. */
struct app;
enum err app_start(const struct config *c, struct slice dev_secret, struct app **ret, struct fault *f);
int app_port(const struct app *a);
bool app_is_tls(const struct app *a);
void app_reload(struct app *a); /* SIGHUP: files that may change while it runs are read again; failures are logged */
void app_stop(struct app *a); /* drains, frees; NULL-safe */

#endif
