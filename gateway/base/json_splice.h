#ifndef WEIR_BASE_JSON_SPLICE_H
#define WEIR_BASE_JSON_SPLICE_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"

/* What the edits of JSON texts are made of (json_edit.h). All texts here are valid JSON. Pure. */

/* A list of changes of a text, from its beginning to its end. Zero-initialise but for `text`; failures of memory are sticky. */
struct splices {
    struct slice text;
    struct buf list;             /* struct splice */
    struct buf fresh;            /* the bytes put in, one after another */
};

struct splice {
    size_t at, cut, put;         /* offset in the text; bytes that go; bytes that come instead */
};

/* No change may lie before the end of the last one. */
void splice(struct splices *s, const char *at, size_t cut, struct slice put);
bool splices_empty(const struct splices *s);
size_t splices_size(const struct splices *s);                    /* of the result */
bool splices_apply(const struct splices *s, struct buf *out);    /* appends the result; false: out of memory, or above out->limit */
void splices_free(struct splices *s);

/* Takes entries out of one object or array, each with one comma. To be told of every entry, in order, before the next one's change. */
struct trim {
    struct splices *s;
    const char *last_end;        /* of the entry before */
    const char *from;            /* of what is taken out at the beginning of the container, as far as is known */
    bool kept;                   /* an entry before this one stays */
};
void trim_entry(struct trim *t, const char *begin, const char *end, bool drop);
void trim_end(struct trim *t);

/* The members of an object. */
struct member {
    struct slice name;           /* unescaped */
    struct slice raw;            /* its name as it stands in the text, with its quotes */
    struct slice value;
    struct slice found;          /* for the caller's use */
    bool last;                   /* of its name: it counts */
};
struct members {
    struct member *v;            /* in order */
    struct member **by_name;     /* those that count, ascending */
    size_t n, names;
};
bool members_of(struct arena *a, struct slice object, struct members *ret); /* false: out of memory */
struct member *members_find(const struct members *m, struct slice name);    /* NULL: none of this name */

#endif
