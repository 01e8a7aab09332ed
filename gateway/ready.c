#include "gateway/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 16384

struct ready {
    char path[PATH_MAX], part[PATH_MAX + 8];
    pid_t helper; /* 0: none */
    int pipe;     /* to the helper */
};

static bool write_file(const struct ready *r, const char *text, size_t n)
{
    int fd = open(r->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;

    if (fd >= 0)
        close(fd);
    return ok && rename(r->part, r->path) == 0;
}

/* Waits for the text; an end without one means that the gateway is gone. */
_Noreturn static void help(const struct ready *r, int fd)
{
    char text[TEXT_MAX];
    size_t n = 0;
    ssize_t got;

    while (n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0)
        n += (size_t)got;
    _exit(n && write_file(r, text, n) ? 0 : 1);
}

static bool start_helper(struct ready *r)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) < 0)
        return false;
    if ((r->helper = fork()) == 0) {
        close(fd[1]);
        help(r, fd[0]);
    }
    close(fd[0]);
    r->pipe = fd[1];
    return r->helper > 0;
}

struct ready *ready_new(const char *path, char err[512])
{
    struct ready *r = calloc(1, sizeof *r);

    if (!r || strlen(path) >= sizeof r->path) {
        snprintf(err, 512, "the name of the ready file is too long");
        free(r);
        return NULL;
    }
    r->pipe = -1;
    snprintf(r->path, sizeof r->path, "%s", path);
    snprintf(r->part, sizeof r->part, "%s.part", path);
    if ((unlink(path) < 0 && errno != ENOENT) || (geteuid() == 0 && !start_helper(r))) {
        snprintf(err, 512, "cannot replace the ready file %.300s: %s", path, strerror(errno));
        ready_free(r);
        return NULL;
    }
    return r;
}

static bool end_helper(struct ready *r)
{
    int status = -1;

    if (r->pipe >= 0)
        close(r->pipe);
    if (r->helper > 0)
        waitpid(r->helper, &status, 0);
    r->pipe = -1;
    r->helper = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool ready_write(struct ready *r, struct slice text)
{
    bool ok;

    if (r->helper <= 0)
        return write_file(r, text.p, text.n);
    ok = text.n <= TEXT_MAX && write(r->pipe, text.p, text.n) == (ssize_t)text.n;
    return end_helper(r) && ok;
}

void ready_free(struct ready *r)
{
    if (!r)
        return;
    end_helper(r);
    free(r);
}
