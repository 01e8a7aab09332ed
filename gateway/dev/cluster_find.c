#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/dev/cluster_private.h"

#define CANDIDATES_MAX 32

/* Where the packages of Debian, Red Hat, Alpine and a build from source put them. */
static const char *const bin_patterns[] = {
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql/bin",
};

struct candidates {
    char dir[CANDIDATES_MAX][PATH_MAX];
    int major[CANDIDATES_MAX];
    int n;
};

bool pidfile_parse(const char *text, struct pidfile *ret)
{
    char *end;
    long pid = strtol(text, &end, 10);

    if (end == text || (*end != '\n' && *end != '\0') || pid <= 0 || pid > INT_MAX)
        return false;
    ret->pid = (pid_t)pid;
    for (int line = 1; line < 8 && text; line++) /* line 8 is the state */
        text = (text = strchr(text, '\n')) ? text + 1 : NULL;
    ret->ready = text && strncmp(text, "ready", 5) == 0;
    return true;
}

int pg_major_parse(const char *text)
{
    static const char program[] = "postgres (PostgreSQL) ";
    char *end;
    long major;

    if (strncmp(text, program, sizeof program - 1) == 0)
        text += sizeof program - 1;
    if (*text < '1' || *text > '9')
        return 0;
    major = strtol(text, &end, 10);
    return major < 1000 ? (int)major : 0;
}

int pg_bin_pick(const int *majors, int n, int wanted)
{
    int best = -1;

    for (int i = 0; i < n; i++) {
        if (majors[i] < PG_MAJOR_MIN || (wanted && majors[i] != wanted))
            continue;
        if (best < 0 || majors[i] > majors[best])
            best = i;
    }
    return best;
}

/* Besides the length: PostgreSQL takes a list of directories in which '"' quotes, and libpq a list of hosts. */
bool pg_socket_fits(const char *dir)
{
    return !strpbrk(dir, ",\"") && strlen(dir) + sizeof "/" PG_SOCKET <= sizeof((struct sockaddr_un *)0)->sun_path;
}

static void put_encoded(struct buf *b, const char *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *s; s++)
        if (strchr(plain, *s))
            buf_char(b, *s);
        else
            buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
}

char *pg_url(const char *user, const char *socket_dir)
{
    struct buf b = { 0 };
    size_t n;

    buf_str(&b, "postgresql://");
    put_encoded(&b, user);
    buf_str(&b, "@/postgres?host=");
    put_encoded(&b, socket_dir);
    buf_str(&b, "&port=" PG_PORT);
    return buf_take(&b, &n);
}

/* The first line that a command prints; "" if it prints none. */
static void first_line(const char *command, char *ret, int size)
{
    FILE *f = popen(command, "re");

    ret[0] = '\0';
    if (!f)
        return;
    if (!fgets(ret, size, f))
        ret[0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    pclose(f);
}

static int bin_major(const char *dir)
{
    char program[PATH_MAX + 16], command[PATH_MAX + 64], line[128];

    snprintf(program, sizeof program, "%s/initdb", dir);
    if (access(program, X_OK) < 0)
        return 0;
    snprintf(program, sizeof program, "%s/postgres", dir);
    if (access(program, X_OK) < 0 || strchr(dir, '\''))
        return 0;
    snprintf(command, sizeof command, "'%s' --version 2>/dev/null", program);
    first_line(command, line, sizeof line);
    return pg_major_parse(line);
}

static void consider(struct candidates *all, const char *dir)
{
    if (all->n == CANDIDATES_MAX || dir[0] != '/' || strlen(dir) >= PATH_MAX)
        return;
    if ((all->major[all->n] = bin_major(dir)) > 0)
        strcpy(all->dir[all->n++], dir);
}

static void consider_packages(struct candidates *all)
{
    for (size_t i = 0; i < sizeof bin_patterns / sizeof *bin_patterns; i++) {
        glob_t found;
        if (glob(bin_patterns[i], 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc; k++)
            consider(all, found.gl_pathv[k]);
        globfree(&found);
    }
}

static void consider_pg_config(struct candidates *all)
{
    char dir[PATH_MAX];

    first_line("pg_config --bindir 2>/dev/null", dir, sizeof dir);
    consider(all, dir);
}

static void consider_path(struct candidates *all)
{
    const char *path = getenv("PATH");
    char *copy = path ? strdup(path) : NULL, *rest = NULL;

    if (!copy)
        return;
    for (char *dir = strtok_r(copy, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest))
        consider(all, dir);
    free(copy);
}

/* wanted is the version that made the data, 0 if there is none yet. */
static bool none_will_do(const struct candidates *all, const char *setting, int wanted, char err[512])
{
    char have[64] = "none";
    size_t n = 0;

    for (int i = 0; i < all->n && n < sizeof have - 8; i++)
        n += (size_t)snprintf(have + n, sizeof have - n, "%s%d", i ? ", " : "", all->major[i]);
    if (setting[0] && !all->n)
        snprintf(err, 512, "postgres_bin is %.300s, but there are no working initdb and postgres in it", setting);
    else if (wanted)
        snprintf(err, 512, "the data was made by PostgreSQL %d, and the version found here is %s: install PostgreSQL"
                 " %d, or dump the data with it, or choose another --data-dir", wanted, have, wanted);
    else
        snprintf(err, 512, "weir dev needs PostgreSQL %d or newer (found: %s): install it (Debian and Ubuntu: apt"
                 " install postgresql), or name the directory of initdb and postgres with --postgres-bin",
                 PG_MAJOR_MIN, have);
    return false;
}

bool pg_bin_find(const char *setting, int wanted, char ret[PATH_MAX], char err[512])
{
    static void (*const places[])(struct candidates *) = { consider_packages, consider_pg_config, consider_path };
    struct candidates *all = calloc(1, sizeof *all);
    int chosen = -1;

    if (!all) {
        snprintf(err, 512, "out of memory");
        return false;
    }
    if (setting[0]) {
        if (realpath(setting, ret))
            consider(all, ret);
        chosen = pg_bin_pick(all->major, all->n, wanted);
    } else {
        for (size_t i = 0; chosen < 0 && i < sizeof places / sizeof *places; i++) {
            places[i](all);
            chosen = pg_bin_pick(all->major, all->n, wanted);
        }
    }
    if (chosen >= 0)
        strcpy(ret, all->dir[chosen]);
    else
        none_will_do(all, setting, wanted, err);
    free(all);
    return chosen >= 0;
}
