#ifndef WEIR_HTTP_KEYS_H
#define WEIR_HTTP_KEYS_H

#include "gateway/base/config.h"
#include "gateway/http/key.h"

/* The keys that tokens may be signed with: from the keys file, the environment and `weir dev`. Owns its keys. Not
 * locked: auth.c guards it. */
#define KEYS_MAX 32 /* a token without kid is tried on each key of its algorithm: this bounds what a forgery costs */

struct keys {
    struct key *v[KEYS_MAX];
    size_t n;
};

struct issuers;
/* All that is configured, maybe none, with the issuers of the same file. On failure a sentence in err that names the key. */
bool keys_load(struct keys *ks, struct issuers *is, const struct config *c, char err[512]);
/* A list of key records as in a keys file; path is the file's. own_issuer: they may name an issuer and audience. On failure a
 * clause in err that names the key. */
bool keys_read(struct keys *ks, const json_t *list, const char *path, bool own_issuer, char *err, size_t err_n);
/* Takes k over, also on failure: full, or its kid is taken. */
bool keys_add(struct keys *ks, struct key *k, char why[KEY_WHY]);
void keys_free(struct keys *ks);

/* The key that made this signature, or NULL. A token with a kid is verified by the key of that kid or, when no key has
 * it, by keys that were configured without one; a token without (kid.p == NULL) is tried on every key. Keys of another
 * algorithm are never tried. */
const struct key *keys_verify(const struct keys *ks, struct slice kid, enum key_alg alg, struct slice input,
                              struct slice signature);

/* The same, with none but keys whose issuer, or for lack of one all_keys_issuer, is exactly this. */
const struct key *keys_verify_bound(const struct keys *ks, struct slice issuer, struct slice all_keys_issuer, struct slice kid,
                                    enum key_alg alg, struct slice input, struct slice signature);

#endif
