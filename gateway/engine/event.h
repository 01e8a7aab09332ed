#ifndef WEIR_ENGINE_EVENT_H
#define WEIR_ENGINE_EVENT_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/err.h"

/* How the payload is stored and comes back. The numbers are in the database (weir.events.data_format). */
enum data_format {
    DATA_NONE = 0,
    DATA_JSON = 1,   /* the bytes are a JSON value, exactly as sent: "data" */
    DATA_TEXT = 2,   /* UTF-8 text: "data" as a JSON string */
    DATA_BINARY = 3  /* any bytes: "data_base64" */
};

/* One CloudEvent, parsed or read back. Slices point into the request body or its arena (or into a result). */
struct event {
    struct slice id;              /* set by event_parse (UUIDv7) when the client gave none */
    struct slice source;          /* p == NULL: the default, /v1/streams/<stream> */
    struct slice type;
    struct slice subject;         /* p == NULL: none */
    struct slice partitionkey;    /* p == NULL: none; also inside attributes */
    struct slice attributes;      /* all other attributes as JSON members without braces, in the order time, datacontenttype,
                                     dataschema, then the rest as sent: "time":"…","datacontenttype":"…","foo":1 */
    struct slice dataschema;      /* p == NULL: none; also inside attributes */
    struct slice data;
    enum data_format data_format;
    bool line_breaks;             /* DATA_JSON with CR or LF between tokens */
    bool client_id;               /* the client gave the id: deduplicate */
    bool refused;                 /* its schema's: only one that was recorded before is answered */
    int64_t expected_version;     /* -1: none */
    uint8_t key[16];              /* if client_id: SHA-256(source 0x00 id), first 16 bytes; the default source spelled out */
    uint8_t fingerprint[16];      /* if client_id: of what "same content" means in api.md */

    /* recorded by Weir */
    int32_t partition;
    int32_t member;               /* of a page: which of the streams that were read together */
    int64_t offset;
    int64_t recorded_us;
    int64_t version;              /* 0: none */
    bool duplicate;               /* recorded before: offset and the rest are the first one's */
};

struct event_limits {
    size_t event_bytes;
    size_t request_events;
    unsigned json_depth;
};

enum event_format { EVENT_STRUCTURED, EVENT_BATCH, EVENT_JSON, EVENT_NDJSON }; /* JSON: one or an array, defaults allowed */

struct events {
    struct event *v;
    size_t n;
    bool array;                   /* the receipt is an array too */
    bool binary;                  /* the body is the data of the one event */
};

/* Parses and validates a publish body in one pass; times without a value become `now_us`. `traceparent` (p may be NULL)
 * is stored unless the event has its own. Faults carry pointer ("/3/source") and say where. Nothing is kept on failure. */
enum err event_parse(struct arena *a, struct slice stream, enum event_format format, struct slice body, struct slice traceparent,
                     const struct event_limits *limits, int64_t now_us, struct events *ret, struct fault *f);

/* Binary mode: attributes from ce- headers (names in any case, without the prefix; values as received, percent-decoded
 * here), content type (p == NULL: none) and the body. */
struct event_header {
    struct slice name, value;
};
enum err event_parse_binary(struct arena *a, struct slice stream, const struct event_header *headers, size_t n,
                            struct slice content_type, struct slice body, struct slice traceparent,
                            const struct event_limits *limits, int64_t now_us, struct events *ret, struct fault *f);

/* The event as JSON, Weir's attributes included, `data` byte for byte; one_line: CR and LF between tokens become spaces. */
void event_render(struct buf *out, struct slice stream, const struct event *ev, bool one_line);

/* An attribute of an event that was read back, if it is a string; p == NULL: it has none, or memory is out. name: at most 64 bytes. */
struct slice event_attribute(struct arena *a, struct slice attributes, const char *name);
/* What an event that was read back is ordered by: the partitionkey among its attributes, else its subject. */
struct slice event_order_key(struct arena *a, struct slice attributes, struct slice subject);

/* What an event is known by, the default source spelled out. false: OpenSSL has no SHA-256. */
bool event_key(struct slice source, struct slice id, uint8_t ret[16]);

/* UUIDv7 (RFC 9562), monotonic within a thread's millisecond; 36 characters and a NUL. */
void uuid7(int64_t unix_us, char out[37]);

#endif
