#ifndef WEIR_DEV_CLUSTER_PRIVATE_H
#define WEIR_DEV_CLUSTER_PRIVATE_H

#include <limits.h>
#include <sys/types.h>

#include "gateway/base/buf.h"
#include "gateway/dev/cluster.h"

#define PG_MAJOR_MIN 15
#define PG_PORT "5432"
#define PG_SOCKET ".s.PGSQL." PG_PORT
#define PG_LOG "postgres.log"
#define PG_SOCKET_DIR_FILE "socket" /* names a socket directory that lies elsewhere, to be removed at the end */

/* Everything in data_dir is opened relative to data_fd, because a cluster that root started may lie where its new owner
 * cannot reach it by path (below a directory of mode 0700). */
struct cluster {
    char dir[PATH_MAX];            /* data_dir, resolved */
    char bin[PATH_MAX];            /* directory of initdb and postgres */
    char user[64];                 /* whom peer authentication knows us as */
    char socket_dir[PATH_MAX];
    bool socket_temporary;         /* data_dir's path is too long for a socket, odd, or out of reach */
    bool by_descriptor;            /* data_dir is out of reach by its path */
    int data_fd, lock_fd, log_fd;
    pid_t pid;                     /* the postmaster, our child; 0: none */
    int64_t retry_at, retry_delay; /* monotonic us: the next restart after one that failed */
    char *url;
};

/* cluster_find.c: pure parts, and where the binaries are */
struct pidfile {
    pid_t pid;
    bool ready;
};
bool pidfile_parse(const char *text, struct pidfile *ret);
int pg_major_parse(const char *text);              /* of PG_VERSION or `postgres --version`; 0: not understood */
int pg_bin_pick(const int *majors, int n, int wanted); /* wanted 0: the newest; -1: none will do */
bool pg_socket_fits(const char *dir);
char *pg_url(const char *user, const char *socket_dir); /* the caller frees */
bool pg_bin_find(const char *setting, int wanted, char ret[PATH_MAX], char err[512]);

/* cluster_dir.c: data_dir, its owner and its lock */
bool data_dir_open(struct cluster *c, const char *path, char err[512]);
bool data_dir_become_owner(struct cluster *c, char err[512]);
bool data_dir_lock(struct cluster *c, char err[512]);
bool data_dir_choose_socket(struct cluster *c, char err[512]);
void data_dir_path(const struct cluster *c, const char *name, char ret[PATH_MAX]); /* as a child can reach it */
bool file_read_at(int dir, const char *name, char *buf, size_t size);
bool file_write_at(int dir, const char *name, const char *text);
void tree_remove_at(int dir, const char *name);

/* cluster_proc.c: children and what an earlier gateway left */
pid_t pg_spawn(const struct cluster *c, const char *const argv[], int signal_at_our_death);
bool pg_run(const struct cluster *c, const char *const argv[], bool *ret_interrupted); /* true: it exited with 0 */
bool pg_take_over(struct cluster *c, char err[512]);
bool pg_end(pid_t pid);                            /* SIGINT, 30 s, SIGQUIT, 10 s, SIGKILL; reaps our child */
bool stop_requested(void);
void sleep_ms(long ms);
bool pg_ready(const struct cluster *c);            /* our postmaster says so in its pid file */
void pg_log_rotate(const struct cluster *c);
void pg_log_quote(const struct cluster *c, int64_t from, char *ret, size_t size); /* why it did not start */
int64_t pg_log_size(const struct cluster *c);

/* cluster_create.c */
bool pg_create(struct cluster *c, char err[512]);

#endif
