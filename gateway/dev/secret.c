#include "gateway/dev/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "gateway/dev/cluster_private.h"

#define SECRET_FILE "secret"
#define SECRET_BYTES 32

char *dev_secret_new(void)
{
    char random[SECRET_BYTES];
    struct buf b = { 0 };
    size_t n;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return NULL;
    buf_base64(&b, (struct slice){ random, sizeof random });
    return buf_take(&b, &n);
}

bool dev_secret_save(int data_fd, const char *secret)
{
    char old[128];

    return (file_read_at(data_fd, SECRET_FILE, old, sizeof old) && strcmp(old, secret) == 0)
        || file_write_at(data_fd, SECRET_FILE, secret);
}

char *dev_secret_load(const char *data_dir, char err[512])
{
    char text[128];
    int dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = dir >= 0 && file_read_at(dir, SECRET_FILE, text, sizeof text) && text[0];
    int why = errno;

    if (dir >= 0)
        close(dir);
    if (ok)
        return strdup(text);
    if (why == ENOENT)
        snprintf(err, 512, "there is no development key in %.300s: start weir dev there once, name its --data-dir, or"
                 " set WEIR_AUTH_HS256_SECRET", data_dir);
    else
        snprintf(err, 512, "cannot read the development key in %.300s: %s", data_dir, strerror(why));
    return NULL;
}
