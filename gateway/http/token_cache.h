#ifndef WEIR_HTTP_TOKEN_CACHE_H
#define WEIR_HTTP_TOKEN_CACHE_H

#include "gateway/http/auth.h"

/* SHA-256 of a verified token → its principal. Bounded: sets of eight, the least recently used of a set gives way.
 * Any thread; a lock for some of the sets. Only verified tokens come in, so strangers cannot push others out. */
#define TOKEN_DIGEST 32
struct token_cache;

struct token_cache *token_cache_new(size_t tokens); /* rounded up to whole sets */
void token_cache_free(struct token_cache *c);       /* NULL-safe */
/* A new reference, or NULL. What expired at least leeway_us ago, or was verified before the last token_cache_outdate, is
 * forgotten. */
struct principal *token_cache_get(struct token_cache *c, const unsigned char digest[TOKEN_DIGEST], int64_t now_unix_us,
                                  int64_t leeway_us);
/* Takes a reference of its own. age: token_cache_age as it was when the token was verified. */
void token_cache_put(struct token_cache *c, const unsigned char digest[TOKEN_DIGEST], struct principal *p, uint64_t age);
/* A key is gone: nothing that was verified until now holds any more. NULL-safe, both. */
void token_cache_outdate(struct token_cache *c);
uint64_t token_cache_age(const struct token_cache *c);

#endif
