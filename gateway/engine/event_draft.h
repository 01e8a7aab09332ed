#ifndef WEIR_ENGINE_EVENT_DRAFT_H
#define WEIR_ENGINE_EVENT_DRAFT_H

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/engine/event.h"

/* Inside event_*.c: an event on its way from the wire (JSON members or ce- headers) to struct event. */

enum slot {
    SLOT_SPECVERSION, SLOT_ID, SLOT_SOURCE, SLOT_TYPE, SLOT_SUBJECT, SLOT_TIME, SLOT_DATACONTENTTYPE, SLOT_DATASCHEMA,
    SLOT_PARTITIONKEY, SLOT_EXPECTEDVERSION,
    SLOT_DATA, SLOT_DATA_BASE64,
    SLOT_STREAM, SLOT_PARTITION, SLOT_OFFSET, SLOT_RECORDEDTIME, SLOT_VERSION, SLOT_SCHEMAERROR, /* Weir's own: ignored */
    SLOT_EXTENSION, /* any other name */
    SLOT_END
};

enum { EXTENSIONS_MAX = 64 };

enum attribute_kind { ATTRIBUTE_ABSENT, ATTRIBUTE_STRING, ATTRIBUTE_BOOLEAN, ATTRIBUTE_INTEGER };

struct attribute {
    enum attribute_kind kind;
    struct slice name;
    struct slice raw;            /* a JSON literal: what is stored */
    struct slice text;           /* the characters it stands for, without quotes and escapes */
};

struct draft {
    struct attribute known[SLOT_DATA];      /* by slot */
    struct attribute rest[EXTENSIONS_MAX];  /* as sent: extensions, partitionkey among them */
    size_t n_rest;
    uint32_t seen;                          /* bit per slot: members that were there, null or not */
    struct slice data;                      /* a JSON value as sent; p == NULL: none */
    bool line_breaks;                       /* of data */
    struct slice bytes;                     /* from data_base64 or a binary body; p == NULL: none */
    int64_t expected_version;
};

struct event_parser {
    struct arena *arena;
    struct slice stream;
    const struct event_limits *limits;
    struct fault *fault;
    bool strict;                 /* id, source, type and specversion are required */
    bool binary;                 /* from headers */
    bool indexed;                /* pointers begin with the event's index */
    int64_t now_us;
    char now[CLOCK_TEXT + 2];    /* JSON literals of defaults */
    struct slice time, traceparent;
    struct events out;
    size_t capacity;
};

enum err parser_begin(struct event_parser *ps, struct slice traceparent, int64_t now_us);
enum err parser_room(struct event_parser *ps); /* for one more event at out.v[out.n]; ERR_TOO_MANY_EVENTS */

/* A fault at member `name` (p may be NULL) of the current event; the detail is a sentence. */
enum err event_fault(struct event_parser *ps, enum err e, struct slice name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
enum err event_fault_json(struct event_parser *ps, const struct json *j, size_t lines_before, struct slice name);

void draft_begin(struct draft *d);
enum slot draft_slot(struct slice name);
/* Notes that the member is there (twice is a fault) and where its value belongs: NULL for data and Weir's own. */
enum err draft_place(struct event_parser *ps, struct draft *d, struct slice name, enum slot slot,
                     struct attribute **ret);
enum err draft_check(struct event_parser *ps, struct draft *d, enum slot slot, const struct attribute *at);
enum err draft_finish(struct event_parser *ps, struct draft *d, struct event *ret);

bool event_fingerprint(const struct draft *d, const struct event *ev, uint8_t ret[16]);

#endif
