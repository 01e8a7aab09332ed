#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/dev/cluster_private.h"

#define LOCK_FILE "weir.lock"      /* also the mark that a directory is ours */


bool file_read_at(int dir, const char *name, char *buf, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    if (fd >= 0)
        close(fd);
    buf[n < 0 ? 0 : n] = '\0';
    return n >= 0;
}

bool file_write_at(int dir, const char *name, const char *text)
{
    char part[NAME_MAX + 1];
    size_t n = strlen(text);
    int fd;
    bool ok;

    snprintf(part, sizeof part, "%s.part", name);
    fd = openat(dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    close(fd);
    return ok && renameat(dir, part, dir, name) == 0;
}

void tree_remove_at(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, e->d_name, 0) < 0)
            tree_remove_at(fd, e->d_name);
    }
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
    unlinkat(dir, name, AT_REMOVEDIR);
}

/* mkdir -p; what is made for others to pass through is open to them, data_dir itself is not. */
static bool make_path(const char *path)
{
    char part[PATH_MAX];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* A directory without our mark that holds other directories belongs to something else. */
static bool is_foreign(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    bool foreign = faccessat(dir, "PG_VERSION", F_OK, 0) == 0;

    while (d && !foreign && (e = readdir(d))) {
        struct stat st;
        bool of_file_system = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, "lost+found");
        if (!of_file_system && fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            foreign = !S_ISREG(st.st_mode);
    }
    if (d)
        closedir(d);
    return foreign && faccessat(dir, LOCK_FILE, F_OK, 0) < 0;
}

bool data_dir_open(struct cluster *c, const char *path, char err[512])
{
    if (!path[0] || strlen(path) >= PATH_MAX || !make_path(path) || !realpath(path, c->dir)) {
        snprintf(err, 512, "cannot make the data directory %.300s: %s", path, path[0] ? strerror(errno) : "no name");
        return false;
    }
    if ((c->data_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        snprintf(err, 512, "cannot open the data directory %.300s: %s", c->dir, strerror(errno));
        return false;
    }
    if (is_foreign(c->data_fd)) {
        snprintf(err, 512, "%.300s holds other things and is no data directory of weir dev: choose another --data-dir",
                 c->dir);
        return false;
    }
    return true;
}

/* PostgreSQL refuses to run as root, and the gateway has no need to. */
static bool drop_root(struct cluster *c, const struct stat *st, char err[512])
{
    struct passwd *pw = st->st_uid ? getpwuid(st->st_uid) : getpwnam("postgres");

    if (!pw && !st->st_uid)
        pw = getpwnam("nobody");
    if (!pw || !pw->pw_uid) {
        if (st->st_uid)
            snprintf(err, 512, "user id %u, which owns %.300s, has no name in /etc/passwd, which PostgreSQL needs",
                     st->st_uid, c->dir);
        else
            snprintf(err, 512, "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody");
        return false;
    }
    if (!st->st_uid && fchown(c->data_fd, pw->pw_uid, pw->pw_gid) < 0) {
        snprintf(err, 512, "cannot give %.300s to user %s: %s", c->dir, pw->pw_name, strerror(errno));
        return false;
    }
    if (initgroups(pw->pw_name, pw->pw_gid) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0
        || setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0) {
        snprintf(err, 512, "cannot become user %s: %s", pw->pw_name, strerror(errno));
        return false;
    }
    setenv("HOME", pw->pw_dir, 1);
    unsetenv("XDG_RUNTIME_DIR");
    prctl(PR_SET_DUMPABLE, 1); /* else our own /proc/self would stay root's */
    return true;
}

bool data_dir_become_owner(struct cluster *c, char err[512])
{
    struct passwd *pw;
    struct stat st, by_path;

    if (fstat(c->data_fd, &st) < 0) {
        snprintf(err, 512, "cannot read the data directory %.300s: %s", c->dir, strerror(errno));
        return false;
    }
    if (geteuid() == 0 && !drop_root(c, &st, err))
        return false;
    if (!(pw = getpwuid(geteuid()))) {
        snprintf(err, 512, "user id %u has no name in /etc/passwd, which PostgreSQL needs", geteuid());
        return false;
    }
    snprintf(c->user, sizeof c->user, "%s", pw->pw_name);
    if (fstatat(c->data_fd, "pg", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != geteuid()) {
        pw = getpwuid(st.st_uid);
        snprintf(err, 512, "the cluster in %.200s belongs to user %.60s: run weir dev as that user, or choose another"
                 " --data-dir", c->dir, pw ? pw->pw_name : "without a name");
        return false;
    }
    c->by_descriptor = stat(c->dir, &by_path) < 0;
    return true;
}

bool data_dir_lock(struct cluster *c, char err[512])
{
    char pid[24];

    c->lock_fd = openat(c->data_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->lock_fd < 0) {
        snprintf(err, 512, "cannot write to the data directory %.300s: %s", c->dir, strerror(errno));
        return false;
    }
    if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        file_read_at(c->data_fd, LOCK_FILE, pid, sizeof pid);
        pid[strcspn(pid, "\n")] = '\0';
        snprintf(err, 512, "another weir dev (pid %s) uses %.300s: stop it, or choose another --data-dir",
                 pid[0] ? pid : "unknown", c->dir);
        return false;
    }
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(c->lock_fd, 0) < 0 || pwrite(c->lock_fd, pid, strlen(pid), 0) < 0) {
        snprintf(err, 512, "cannot write to the data directory %.300s: %s", c->dir, strerror(errno));
        return false;
    }
    return true;
}

/* One that a crashed gateway left, if it is still there and ours. */
static bool remembered_socket_dir(struct cluster *c)
{
    struct stat st;

    if (!file_read_at(c->data_fd, PG_SOCKET_DIR_FILE, c->socket_dir, sizeof c->socket_dir))
        return false;
    c->socket_dir[strcspn(c->socket_dir, "\n")] = '\0';
    return lstat(c->socket_dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0
        && pg_socket_fits(c->socket_dir);
}

bool data_dir_choose_socket(struct cluster *c, char err[512])
{
    char text[PATH_MAX + 1];

    snprintf(c->socket_dir, sizeof c->socket_dir, "%.*s/run", PATH_MAX - 8, c->dir);
    if (!c->by_descriptor && pg_socket_fits(c->socket_dir)) {
        if (mkdirat(c->data_fd, "run", 0700) == 0 || errno == EEXIST)
            return true;
        snprintf(err, 512, "cannot make %.300s: %s", c->socket_dir, strerror(errno));
        return false;
    }
    c->socket_temporary = true;
    if (remembered_socket_dir(c))
        return true;
    strcpy(c->socket_dir, "/tmp/weir-XXXXXX"); /* not $XDG_RUNTIME_DIR: it goes away when the user logs out */
    if (!mkdtemp(c->socket_dir)) {
        snprintf(err, 512, "cannot make a directory in /tmp for PostgreSQL's socket: %s", strerror(errno));
        return false;
    }
    snprintf(text, sizeof text, "%s\n", c->socket_dir);
    file_write_at(c->data_fd, PG_SOCKET_DIR_FILE, text);
    return true;
}

void data_dir_path(const struct cluster *c, const char *name, char ret[PATH_MAX])
{
    if (c->by_descriptor)
        snprintf(ret, PATH_MAX, "/proc/self/fd/%d/%s", c->data_fd, name);
    else
        snprintf(ret, PATH_MAX, "%.*s/%s", PATH_MAX - 64, c->dir, name);
}
