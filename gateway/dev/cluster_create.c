#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <dirent.h>

#include "gateway/dev/cluster_private.h"

#define UNFINISHED "pg.new-"

/* Durability is never traded away; the rest suits one busy gateway and a small machine. What belongs to the place
 * (socket, port, no TCP) is on postgres' command line, so that a moved directory still starts. */
static const char weir_conf[] =
    "# Written once by weir dev. Change it, or use ALTER SYSTEM, which wins over it.\n"
    "cluster_name = 'weir'\n"
    "fsync = on\n"
    "full_page_writes = on\n"
    "synchronous_commit = on\n"
    "max_connections = 100\n"
    "shared_buffers = 128MB\n"
    "wal_buffers = 16MB\n"
    "min_wal_size = 256MB\n"
    "max_wal_size = 2GB\n"
    "checkpoint_timeout = 15min\n"
    "random_page_cost = 1.1\n"
    "jit = off                              # compiling costs more than these short statements\n"
    "recovery_init_sync_method = syncfs     # a thousand files one by one would slow the start after a crash\n"
    "log_checkpoints = off\n"
    "log_line_prefix = '%m [%p] '\n"
    "log_timezone = 'UTC'\n"
    "timezone = 'UTC'\n"
    "lc_messages = 'C'\n";

static const char lz4_conf[] =
    "wal_compression = lz4\n"
    "default_toast_compression = lz4\n";

/* root may already do anything here, and tools that root starts connect without becoming us first. */
static bool write_access(int dir, const char *user)
{
    char ident[256];

    snprintf(ident, sizeof ident, "weir \"%s\" \"%s\"\nweir root \"%s\"\n", user, user, user);
    return file_write_at(dir, "pg_ident.conf", ident)
        && file_write_at(dir, "pg_hba.conf", "local all all peer map=weir\nlocal replication all peer map=weir\n");
}

static bool has_lz4(const struct cluster *c, const char *path)
{
    char postgres[PATH_MAX + 16];
    bool interrupted;

    snprintf(postgres, sizeof postgres, "%s/postgres", c->bin);
    return pg_run(c, (const char *[]){ postgres, "-D", path, "-c", "wal_compression=lz4", "-c",
                                       "default_toast_compression=lz4", "-C", "wal_compression", NULL }, &interrupted);
}

static bool append_at(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool configure(const struct cluster *c, const char *name, const char *path)
{
    char conf[sizeof weir_conf + sizeof lz4_conf];
    int dir = openat(c->data_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    snprintf(conf, sizeof conf, "%s%s", weir_conf, has_lz4(c, path) ? lz4_conf : "");
    ok = dir >= 0 && write_access(dir, c->user) && file_write_at(dir, "weir.conf", conf)
        && append_at(dir, "postgresql.conf", "include 'weir.conf'\n");
    if (dir >= 0)
        close(dir);
    return ok;
}

static void remove_unfinished(const struct cluster *c)
{
    int fd = openat(c->data_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, UNFINISHED, sizeof UNFINISHED - 1) == 0)
            tree_remove_at(c->data_fd, e->d_name);
    if (d)
        closedir(d);
}

/* Made beside its place, put on disk as a whole, then renamed: a crash leaves a whole cluster or none. One sync of the
 * file system replaces initdb's thousand. */
bool pg_create(struct cluster *c, char err[512])
{
    char initdb[PATH_MAX + 16], name[40], path[PATH_MAX], why[320];
    int64_t log_from = pg_log_size(c);
    bool interrupted;

    remove_unfinished(c);
    snprintf(name, sizeof name, UNFINISHED "%d", (int)getpid());
    snprintf(initdb, sizeof initdb, "%s/initdb", c->bin);
    data_dir_path(c, name, path);
    if (!pg_run(c, (const char *[]){ initdb, "-D", path, "-k", "-E", "UTF8", "--locale=C.UTF-8", "-A", "peer",
                                     "--no-instructions", "--no-sync", NULL }, &interrupted)) {
        tree_remove_at(c->data_fd, name);
        pg_log_quote(c, log_from, why, sizeof why);
        if (interrupted)
            snprintf(err, 512, "interrupted");
        else
            snprintf(err, 512, "initdb could not make a PostgreSQL cluster: %s", why);
        return false;
    }
    if (configure(c, name, path) && syncfs(c->data_fd) == 0 && renameat(c->data_fd, name, c->data_fd, "pg") == 0
        && fsync(c->data_fd) == 0)
        return true;
    snprintf(err, 512, "cannot put the new cluster into %.300s: %s", c->dir, strerror(errno));
    tree_remove_at(c->data_fd, name);
    return false;
}
