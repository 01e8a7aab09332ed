#ifndef WEIR_JSONSCHEMA_FORMAT_H
#define WEIR_JSONSCHEMA_FORMAT_H

#include "gateway/base/slice.h"

/* What `format` asserts of a string. The strings are valid UTF-8. Pure; linear in the length. */
struct format {
    const char *name;
    bool (*is)(struct slice s);
    bool dear;                   /* it is compiled: FORMAT_DEAR steps, and one for each byte */
};

enum { FORMAT_DEAR = 100 };

const struct format *format_find(struct slice name); /* NULL: unknown, so it asserts nothing */

bool is_date(struct slice s);                        /* RFC 3339 full-date */
bool is_time(struct slice s);                        /* RFC 3339 full-time, leap seconds where they may be */
bool is_date_time(struct slice s);
bool is_duration(struct slice s);                    /* RFC 3339, appendix A */
bool is_hostname(struct slice s);                    /* RFC 1123, and A-labels that are Punycode */
bool is_idn_hostname(struct slice s);                /* RFC 5890: U-labels by the rules of RFC 5892 that need no tables */
bool is_email(struct slice s);                       /* RFC 5321 */
bool is_idn_email(struct slice s);                   /* RFC 6531 */
bool is_ipv4(struct slice s);                        /* RFC 2673, 3.2 */
bool is_ipv6(struct slice s);                        /* RFC 4291, 2.2 */
bool is_uri(struct slice s);                         /* RFC 3986 */
bool is_uri_reference(struct slice s);
bool is_iri(struct slice s);                         /* RFC 3987 */
bool is_iri_reference(struct slice s);
bool is_uri_template(struct slice s);                /* RFC 6570 */
bool is_uuid(struct slice s);                        /* RFC 4122 */
bool is_json_pointer(struct slice s);                /* RFC 6901 */
bool is_relative_json_pointer(struct slice s);

#endif
