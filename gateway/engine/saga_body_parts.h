#ifndef WEIR_ENGINE_SAGA_BODY_PARTS_H
#define WEIR_ENGINE_SAGA_BODY_PARTS_H

#include <stdint.h>

#include "gateway/engine/saga_body.h"

/* What the files of saga_template and saga_body share; nobody else includes this. */

/* ERR_BAD_BODY or ERR_BAD_DEFINITION with the pointer to `at` in the definition. */
enum err saga_refuse(struct fault *f, enum err e, const struct json_node *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* How much of a text of the definition is shown in a sentence. */
#define SAGA_SHOW(s) (int)utf8_cut((s).p, (s).n, 100), (s).p

/* ---- templates (saga_template.c, saga_render.c) ---- */

struct saga_piece {
    struct slice text;           /* literal, as it is put; p == NULL: a place */
    enum saga_root root;
    unsigned step;               /* SAGA_OF_STEP */
    bool lone;                   /* SAGA_JSON: stands for a whole value */
    struct slice path;           /* JSON Pointer; SAGA_OF_SECRET: the name; SAGA_OF_SAGA: id or name */
    struct slice written;        /* between the braces */
    const struct json_node *at;  /* the string that it is in */
};

struct saga_template {
    enum saga_form form;
    const struct json_node *at;
    struct saga_piece *piece;
    size_t n;
};

/* Does the path of this URL have a segment `.` or `..`, however it is spelled? It would lead to another resource than the one that is
 * written there. */
bool saga_url_climbs(struct slice url);
/* May these characters stand in a header's value? No control characters but the tab. */
bool saga_header_clean(struct slice value);

/* ---- the definition (saga_body.c, saga_deed.c, saga_graph.c, saga_text.c) ---- */

struct saga_reader {
    struct arena *arena;
    struct fault *fault;
    struct saga_definition *d;
    struct slice *names;         /* of the steps, by number */
};

struct saga_member {
    const char *name;
    bool required, nullable;     /* null: as if it were not there */
    enum err (*read)(struct saga_reader *r, const struct json_node *n, void *out); /* NULL: read elsewhere */
};
enum err saga_require(struct saga_reader *r, const struct json_node *object, const char *name); /* it is not there: ERR_BAD_BODY */
/* Of an object: each member by its row of the n in `table`; no others. */
enum err saga_read_members(struct saga_reader *r, const struct json_node *object, const struct saga_member *table, size_t n,
                           void *out);
enum err saga_read_duration(struct saga_reader *r, const struct json_node *n, int64_t min_us, int64_t max_us, int64_t *ret);
enum err saga_read_stream(struct saga_reader *r, const struct json_node *n, bool publish, struct slice *ret); /* noted in d->stream */
enum err saga_read_types(struct saga_reader *r, const struct json_node *n, size_t least, struct slice **ret, size_t *ret_n);

/* What an action or compensation does; step is its number. The dependencies are known. */
enum err saga_read_deed(struct saga_reader *r, const struct json_node *n, unsigned step, enum saga_kind kind,
                        struct saga_deed *ret);
enum err saga_read_start_on(struct saga_reader *r, const struct json_node *n, struct saga_start_on *ret);

/* Names and dependencies of all steps: unknown ones and circles are refused. */
enum err saga_read_graph(struct saga_reader *r, const struct json_node *steps);

enum err saga_write_text(struct saga_reader *r, const struct json_node *root); /* d->text */

#endif
