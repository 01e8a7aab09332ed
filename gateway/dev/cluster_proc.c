#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/dev/cluster_private.h"

#define POLL_MS 5
#define FAST_STOP_US (30 * US_PER_S)
#define QUIT_STOP_US (10 * US_PER_S)
#define PROCESSES_MAX 512
#define LOG_MAX (16 << 20)

void sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* The main thread blocks these and takes them in its loop; whoever presses Ctrl-C during a start must not wait. */
bool stop_requested(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM)
                                           || sigismember(&pending, SIGHUP));
}

/* Only calls that are safe between fork and exec in a program with threads. */
_Noreturn static void become(const struct cluster *c, const char *const argv[], char *const env[], int death,
                             pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid(); /* the terminal's Ctrl-C is for the gateway */
    prctl(PR_SET_PDEATHSIG, death);
    if (getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    umask(077);
    if (fchdir(c->data_fd) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(c->log_fd, 2) < 0)
        _exit(127);
    if (c->by_descriptor)
        fcntl(c->data_fd, F_SETFD, 0);
    execve(argv[0], (char *const *)(uintptr_t)argv, env);
    _exit(127);
}

/* A fresh environment: PG* and locale variables of the user's shell would change what the cluster is. */
pid_t pg_spawn(const struct cluster *c, const char *const argv[], int signal_at_our_death)
{
    const char *home = getenv("HOME"), *libraries = getenv("LD_LIBRARY_PATH");
    char home_set[PATH_MAX + 8], libraries_set[PATH_MAX + 24];
    char *env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", home_set, NULL, NULL };
    pid_t parent = getpid(), pid;

    snprintf(home_set, sizeof home_set, "HOME=%.*s", PATH_MAX, home ? home : "/");
    if (libraries) {
        snprintf(libraries_set, sizeof libraries_set, "LD_LIBRARY_PATH=%.*s", PATH_MAX, libraries);
        env[4] = libraries_set;
    }
    if ((pid = fork()) == 0)
        become(c, argv, env, signal_at_our_death, parent);
    return pid;
}

bool pg_run(const struct cluster *c, const char *const argv[], bool *ret_interrupted)
{
    pid_t pid = pg_spawn(c, argv, SIGKILL);
    int status = -1;

    *ret_interrupted = false;
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (stop_requested() && !*ret_interrupted) {
            *ret_interrupted = true;
            kill(pid, SIGTERM);
        }
        sleep_ms(POLL_MS);
    }
    return !*ret_interrupted && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_ended(pid_t pid)
{
    pid_t got = waitpid(pid, NULL, WNOHANG);

    return got == pid || (got < 0 && errno == ECHILD && kill(pid, 0) < 0 && errno == ESRCH);
}

static bool ended_within(pid_t pid, int64_t us)
{
    int64_t until = clock_mono_us() + us;

    while (!has_ended(pid)) {
        if (clock_mono_us() > until)
            return false;
        sleep_ms(POLL_MS);
    }
    return true;
}

bool pg_end(pid_t pid)
{
    kill(pid, SIGINT);
    if (ended_within(pid, FAST_STOP_US))
        return true;
    kill(pid, SIGQUIT);
    if (ended_within(pid, QUIT_STOP_US))
        return false;
    kill(pid, SIGKILL);
    ended_within(pid, QUIT_STOP_US);
    return false;
}

/* PostgreSQL's processes have its data directory as their working directory: nothing else tells them from strangers
 * that were given their process id. */
static bool works_here(const char *pid, const struct stat *here)
{
    char path[64], exe[PATH_MAX];
    struct stat cwd;
    const char *name;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%.20s/cwd", pid);
    if (stat(path, &cwd) < 0 || cwd.st_dev != here->st_dev || cwd.st_ino != here->st_ino)
        return false;
    snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
    if ((n = readlink(path, exe, sizeof exe - 1)) < 0)
        return false;
    exe[n] = '\0';
    name = strrchr(exe, '/');
    return name && strncmp(name, "/postgres", 9) == 0; /* "(deleted)" may follow, after an upgrade */
}

static int processes_here(const struct stat *here, pid_t ret[PROCESSES_MAX])
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    int n = 0;

    while (d && n < PROCESSES_MAX && (e = readdir(d)))
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && works_here(e->d_name, here))
            ret[n++] = (pid_t)strtol(e->d_name, NULL, 10);
    if (d)
        closedir(d);
    return n;
}

static bool read_pidfile(const struct cluster *c, struct pidfile *ret)
{
    char text[1024];

    return file_read_at(c->data_fd, "pg/postmaster.pid", text, sizeof text) && pidfile_parse(text, ret);
}

bool pg_ready(const struct cluster *c)
{
    struct pidfile f;

    return read_pidfile(c, &f) && f.pid == c->pid && f.ready;
}

/* Ends what works in pg/: the postmaster by a fast shutdown, then whatever is left. */
static bool end_processes(const struct cluster *c, const struct stat *here)
{
    pid_t pids[PROCESSES_MAX];
    struct pidfile f;
    bool asked = false, told = false;
    int64_t began = clock_mono_us(), waited;
    int n;

    while ((n = processes_here(here, pids)) > 0) {
        waited = clock_mono_us() - began;
        if (waited > FAST_STOP_US + QUIT_STOP_US || stop_requested())
            return false;
        for (int i = 0; i < n; i++) {
            if (!asked && read_pidfile(c, &f) && f.pid == pids[i])
                asked = kill(pids[i], SIGINT) == 0;
            if (!told && waited > FAST_STOP_US)
                kill(pids[i], SIGQUIT);
        }
        told = waited > FAST_STOP_US;
        sleep_ms(POLL_MS);
    }
    if (asked)
        log_info("stopped the PostgreSQL that an earlier weir dev left running", L_INT("pid", f.pid));
    return true;
}

static void remove_stale_socket(const struct cluster *c)
{
    int dir = open(c->socket_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return;
    unlinkat(dir, PG_SOCKET, 0);
    unlinkat(dir, PG_SOCKET ".lock", 0);
    close(dir);
}

bool pg_take_over(struct cluster *c, char err[512])
{
    struct pidfile f;
    struct stat here;

    if (fstatat(c->data_fd, "pg", &here, 0) < 0)
        return true;
    if (!end_processes(c, &here)) {
        snprintf(err, 512, "a PostgreSQL that an earlier weir dev left running in %.300s/pg does not end", c->dir);
        return false;
    }
    /* A pid file of the dead is left to PostgreSQL, which looks for shared memory that is still in use. But a process
     * id that somebody else was given since would make it refuse to start. */
    if (read_pidfile(c, &f) && (kill(f.pid, 0) == 0 || errno == EPERM))
        unlinkat(c->data_fd, "pg/postmaster.pid", 0);
    remove_stale_socket(c);
    return true;
}

int64_t pg_log_size(const struct cluster *c)
{
    struct stat st;

    return fstat(c->log_fd, &st) == 0 ? st.st_size : 0;
}

/* PostgreSQL appends to the descriptor it was given, so the file is copied away and cut, not renamed. */
void pg_log_rotate(const struct cluster *c)
{
    int64_t size = pg_log_size(c);
    loff_t from = 0;
    int old;

    if (size < LOG_MAX)
        return;
    old = openat(c->data_fd, PG_LOG ".1", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (old >= 0 && from < size && copy_file_range(c->log_fd, &from, old, NULL, (size_t)(size - from), 0) > 0)
        ;
    if (old >= 0)
        close(old);
    if (ftruncate(c->log_fd, 0) < 0)
        log_warn("cannot cut PostgreSQL's log", L_STR("reason", strerror(errno)));
}

/* The last line that tells of a failure, else the last line, without its time and process id. */
void pg_log_quote(const struct cluster *c, int64_t from, char *ret, size_t size)
{
    static const char *const marks[] = { "FATAL:  ", "PANIC:  ", "error: " };
    char text[8192], *rest = NULL;
    int64_t end = pg_log_size(c);
    ssize_t n;
    bool found = false;

    if (end - from > (int64_t)sizeof text - 1)
        from = end - (int64_t)sizeof text + 1;
    n = pread(c->log_fd, text, sizeof text - 1, from);
    text[n < 0 ? 0 : n] = '\0';
    snprintf(ret, size, "it said nothing");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *why = NULL;
        for (size_t i = 0; !why && i < sizeof marks / sizeof *marks; i++)
            if ((why = strstr(line, marks[i])))
                why += strlen(marks[i]);
        if (why || !found)
            snprintf(ret, size, "%.300s", why ? why : line);
        found |= why != NULL;
    }
}
