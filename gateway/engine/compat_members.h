#ifndef WEIR_ENGINE_COMPAT_MEMBERS_H
#define WEIR_ENGINE_COMPAT_MEMBERS_H

#include "gateway/engine/compat_json.h"

/* What the facts say of the members of an object: of those whose name they know, and of all others. */
struct names {
    struct comparison *c;
    const struct json_node **v;  /* members (their name) and strings (their text) */
    size_t n, cap;
    bool full;                   /* there are more */
};

const struct json_node *map_of(const struct json_node *schema, const char *name); /* a keyword's object, or NULL */
struct slice name_of(const struct json_node *n);
bool collect(struct comparison *c, const struct facts *f, struct names *l); /* every name, once; false: too many */
/* Does the schema take every member whose name the facts do not know, and that matches `pattern`? Without one: that matches no
 * pattern of the reader. */
bool covers_others(struct comparison *c, const struct json_node *schema, const struct facts *f, const struct json_node *reader,
                   struct slice pattern);

#endif
