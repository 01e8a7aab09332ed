#ifndef WEIR_ENGINE_OUTBOUND_FILE_H
#define WEIR_ENGINE_OUTBOUND_FILE_H

#include <stdatomic.h>

#include "gateway/base/arena.h"

/* outbound.file: what the operator says of targets, and the secrets of calls. JSON:
 *   {"targets":{"https://inventory.example":{"signing_secret":S | [S,…],"concurrency":16,"rate":"100/s","allow_private":true}},
 *    "secrets":{"name":{"env"|"file":…,"hosts":["*.example"]}}}             S: {"env":"NAME"} or {"file":"path"}
 * Immutable once read, shared by reference. Secrets are wiped with the last of them, and never stand in the file itself. */
enum {
    OUTBOUND_FILE_BYTES = 1 << 20,
    OUTBOUND_SECRET_BYTES = 8 << 10, /* of one */
    OUTBOUND_FILE_TARGETS = 1000,
    OUTBOUND_FILE_SECRETS = 1000,
    OUTBOUND_SECRET_HOSTS = 64,      /* of one secret */
    OUTBOUND_SIGNING_SECRETS = 4,    /* of one target: while a secret is changed there are two */
};

struct outbound_rules {              /* of a target */
    struct slice target;
    int concurrency;                 /* calls of this gateway at once; 0: outbound.concurrency */
    double rate;                     /* calls a second, of all gateways; 0: no bound */
    bool allow_private;
    struct slice keys[OUTBOUND_SIGNING_SECRETS]; /* raw bytes */
    size_t key_n;
};

struct outbound_named_secret {
    struct slice name, value;
    struct slice hosts[OUTBOUND_SECRET_HOSTS]; /* patterns of host names; with "://", of whole targets */
    size_t host_n;
};

struct outbound_file {
    struct arena *arena;
    struct outbound_rules *targets;
    size_t target_n;
    struct outbound_named_secret *secrets;
    size_t secret_n;
    atomic_int references;
};

/* Where secrets are: the value in the arena, without a line end at its end. False: a clause in why. */
typedef bool outbound_lookup(void *arg, bool is_file, struct slice name, struct arena *a, struct slice *ret, char why[200]);

/* Reads a text. On failure err says where (a JSON Pointer) and why, with nothing of a secret. Pure but for look_up. */
struct outbound_file *outbound_file_parse(struct slice text, outbound_lookup *look_up, void *arg, char err[512]);
/* Reads a file; names of further files are relative to its folder. path "": a file that says nothing. */
struct outbound_file *outbound_file_load(const char *path, char err[512]);
struct outbound_file *outbound_file_ref(struct outbound_file *f);
void outbound_file_free(struct outbound_file *f);        /* one reference; NULL-safe */

const struct outbound_rules *outbound_file_rules(const struct outbound_file *f, struct slice target); /* NULL: nothing is said */
/* The secret, if this target may have it; NULL: a clause in why. */
const struct outbound_named_secret *outbound_file_secret(const struct outbound_file *f, struct slice name, struct slice target,
                                                         const char **ret_why);
bool outbound_secret_for(const struct outbound_named_secret *s, struct slice target);
struct slice outbound_host(struct slice target);         /* without scheme and port */
/* "100/s", "2/m" or "2/min", "1000/h": calls a second. */
bool outbound_rate_parse(struct slice s, double *ret);

#endif
