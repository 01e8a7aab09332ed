#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/err.h"
#include "gateway/engine/outbound_file.h"

/* outbound.file and the secrets' own files and variables. */

/* The whole file, at most max bytes; wiped and freed by the caller. */
static bool read_file(const char *path, size_t max, char **ret, size_t *ret_n, char why[200])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(max + 1) : NULL;
    size_t n = 0;
    ssize_t got = text ? 1 : -1;

    while (got > 0 && n <= max) {
        got = read(fd, text + n, max + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        snprintf(why, 200, "the file cannot be read: %s", strerror(errno));
    else if (got > 0)
        snprintf(why, 200, "the file has more than %zu bytes", max);
    if (fd >= 0)
        close(fd);
    if (got) {
        if (text)
            OPENSSL_cleanse(text, n);
        free(text);
        return false;
    }
    *ret = text;
    *ret_n = n;
    return true;
}

static bool take(struct slice text, struct arena *a, struct slice *ret, char why[200])
{
    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n && text.p[text.n - 1] == '\r')
        text.n--;
    snprintf(why, 200, "%s", text.n > OUTBOUND_SECRET_BYTES ? "a secret has at most 8 KiB" : "the secret is empty, or holds a NUL");
    if (!text.n || text.n > OUTBOUND_SECRET_BYTES || memchr(text.p, '\0', text.n))
        return false;
    snprintf(why, 200, "memory is out");
    return (*ret = arena_slice(a, text)).p;
}

/* arg: the folder of the file that names it, with its slash. */
static bool look_up(void *arg, bool is_file, struct slice name, struct arena *a, struct slice *ret, char why[200])
{
    const char *dir = arg, *value;
    char *path, *text;
    size_t n;
    bool good;

    path = arena_printf(a, "%s%.*s", is_file && *name.p != '/' ? dir : "", (int)name.n, name.p);
    if (!path || memchr(name.p, '\0', name.n)) {
        snprintf(why, 200, "it names nothing that can be read");
        return false;
    }
    if (!is_file) {
        if ((value = getenv(path)))
            return take(slice_of(value), a, ret, why);
        snprintf(why, 200, "the environment has no variable of this name");
        return false;
    }
    if (!read_file(path, OUTBOUND_SECRET_BYTES + 2, &text, &n, why))
        return false;
    good = take((struct slice){ text, n }, a, ret, why);
    OPENSSL_cleanse(text, n);
    free(text);
    return good;
}

struct outbound_file *outbound_file_load(const char *path, char err[512])
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    struct outbound_file *f = NULL;
    char why[512], *text = NULL, *dir;
    size_t n;

    if (!path || !*path)
        return outbound_file_parse(SLICE("{}"), NULL, NULL, err);
    if (!(dir = strndup(path, slash ? (size_t)(slash - path) + 1 : 0)))
        err_tell(err, "Memory is out.");
    else if (!read_file(path, OUTBOUND_FILE_BYTES, &text, &n, why))
        err_tell(err, "%.250s (outbound.file): %s.", path, why);
    else if (!(f = outbound_file_parse((struct slice){ text, n }, look_up, dir, why)))
        err_tell(err, "%.90s (outbound.file): %.400s", path, why);
    free(text);
    free(dir);
    return f;
}
