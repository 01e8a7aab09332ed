#ifndef WEIR_DEV_CLUSTER_H
#define WEIR_DEV_CLUSTER_H

#include "gateway/base/err.h"

/* A private PostgreSQL for `weir dev`: initdb, start, stop, recovery, replacing one that survived us. One owner a
 * directory (flock). Used by the main thread alone. See docs/decisions/0003-private-cluster.md. */
struct cluster;

/* Starts (and creates) the cluster in data_dir/pg. As root the whole program becomes the owner of data_dir for good,
 * and where that is root too, `postgres` or `nobody`, to whom data_dir is given: call before any thread starts.
 * postgres_bin: the directory of initdb and postgres, or "" to look for it. Gives up when SIGINT, SIGTERM or SIGHUP
 * is pending. On failure: NULL and a sentence in err. */
struct cluster *cluster_start(const char *data_dir, const char *postgres_bin, char err[512]);
const char *cluster_url(const struct cluster *c);  /* libpq URL over the Unix socket, percent-encoded */
int cluster_dir_fd(const struct cluster *c);       /* data_dir, which may be out of reach by its path */
bool cluster_alive(const struct cluster *c);
bool cluster_restart_if_dead(struct cluster *c);   /* called every second by the main thread; true if it had to */
void cluster_stop(struct cluster *c);              /* fast shutdown, 30 s, then immediate; NULL-safe, frees */

#endif
