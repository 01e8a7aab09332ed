#ifndef WEIR_BASE_CONFIG_VALUE_H
#define WEIR_BASE_CONFIG_VALUE_H

#include "gateway/base/arena.h"
#include "gateway/base/config.h"

/* Between text and the fields of struct config; what config.c and config_doc.c share, nobody else includes this. */
enum config_form { FORM_FILE, FORM_ENV, FORM_FLAG }; /* http.port, WEIR_HTTP_PORT, --http-port */

#define CONFIG_NAME 64    /* a name in any form */
#define CONFIG_TEXT 160   /* a value or its bounds as text; longer strings are cut */

void config_name(const struct config_row *r, enum config_form form, char out[CONFIG_NAME]);
bool config_parse(const struct config_row *r, const char *text, struct config *c, struct arena *strings);
void config_format(const struct config_row *r, const struct config *c, char out[CONFIG_TEXT]); /* a secret as *** */
void config_allowed(const struct config_row *r, char out[CONFIG_TEXT]); /* "an integer from 0 to 65535" */

/* The rules between settings; writes a sentence if one is broken. */
bool config_check(const struct config *c, char err[512]);

/* Where the value of a row is from, for people; `row` is an index into config_rows. */
void config_source(const struct config *c, size_t row, char out[512]);

#endif
