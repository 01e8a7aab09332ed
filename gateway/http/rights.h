#ifndef WEIR_HTTP_RIGHTS_H
#define WEIR_HTTP_RIGHTS_H

#include <jansson.h>

#include "gateway/base/buf.h"
#include "gateway/http/auth.h"

/* What a token grants: the claim `scope` (RFC 8693: space-separated, here `<action>:<pattern>`) together with
 * `authorization_details` (RFC 9396) of type "weir". Immutable once read; any thread. */
struct right {
    unsigned actions;           /* enum perm, or'ed */
    struct slice pattern;       /* in text */
};

struct rights {
    struct right *v;
    size_t n, cap;
    char *text;                 /* the patterns, back to back */
    size_t text_n, text_cap;
};

/* On failure false, and *why is a sentence for the token's owner, or NULL: memory is out. Free all the same. */
bool rights_read(struct rights *r, const json_t *claims, const char **why);
/* The same from a setting in the form of `scope`, where nothing may be misspelt. */
bool rights_read_all(struct rights *r, struct slice grants);
void rights_free(struct rights *r);
/* For scopes that an operator writes: every entry is a known action with a pattern, so that a misspelt one does not go unnoticed. */
bool rights_scope_known(struct slice scope);
bool rights_allow(const struct rights *r, unsigned action, struct slice name);
bool rights_allow_all(const struct rights *r, unsigned action);
bool rights_allow_any(const struct rights *r, unsigned action);
/* An action on a name that both allow: each bit of `action` by itself, or else one right would complete another. */
bool rights_allow_both(const struct rights *r, const struct rights *ceiling, unsigned action, struct slice name);
/* Back into entries of authorization_details, separated by commas, of these actions alone: never more than r grants of them. */
void rights_write(const struct rights *r, unsigned action, struct buf *b);
void rights_write_one(unsigned action, struct slice pattern, struct buf *b);

#endif
