#ifndef WEIR_DEV_SECRET_H
#define WEIR_DEV_SECRET_H

#include "gateway/base/err.h"

/* The development key: HS256, 32 random bytes in base64; the text itself is the key. It lives in the database, so that
 * every gateway of it accepts the same tokens, and in data_dir/secret (mode 0600), so that `weir token` needs none. */
#define DEV_SECRET_SETTING "dev_hs256_secret"

char *dev_secret_new(void);                               /* the caller frees; NULL: no randomness or memory */
bool dev_secret_save(int data_fd, const char *secret);
char *dev_secret_load(const char *data_dir, char err[512]); /* the caller frees */

#endif
