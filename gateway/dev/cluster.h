#ifndef WEIR_DEV_CLUSTER_H
#define WEIR_DEV_CLUSTER_H

#include "gateway/base/err.h"

/* A private PostgreSQL for `weir dev`: initdb, start, stop, recovery, adoption of one that survived us. One owner a
 * directory (flock). Used by the main thread alone. See shared facts in docs/decisions/0003-private-cluster.md. */
struct cluster;

/* Starts (and creates) the cluster in data_dir/pg. As root the whole program first drops to the owner of data_dir, else to
 * `postgres` (see cluster_drop_root). On failure: a sentence in err. */
struct cluster *cluster_start(const char *data_dir, const char *postgres_bin, char err[512]);
const char *cluster_url(const struct cluster *c);  /* libpq URL over the Unix socket, percent-encoded */
bool cluster_alive(const struct cluster *c);
bool cluster_restart_if_dead(struct cluster *c);   /* called every second by the main thread; true if it had to */
void cluster_stop(struct cluster *c);              /* fast shutdown, 30 s, then immediate; NULL-safe, frees */

/* If root: makes data_dir owned by the unprivileged user and becomes that user for good. Call before any thread starts. */
bool cluster_drop_root(const char *data_dir, char err[512]);

#endif
