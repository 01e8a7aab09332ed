#ifndef WEIR_REGISTRY_CLIENT_H
#define WEIR_REGISTRY_CLIENT_H

#include <jansson.h>

#include "gateway/http_client.h"

#define REGISTRY_WHY HTTP_WHY

/* Calls of a schema registry, of this program or another's, for commands: they block. One thread. */
struct registry_client;

struct registry_answer {
    long status;                    /* of HTTP */
    json_t *body;                   /* json_decref it; NULL: none, or no JSON */
};

/* url: of the gateway, with or without /registry at its end, without a name or a password. token, ca_file (PEM, instead of the
 * system's authorities) may be NULL. NULL with a sentence in why. */
struct registry_client *registry_client_new(const char *url, const char *token, const char *ca_file, char why[REGISTRY_WHY]);
void registry_client_free(struct registry_client *c);
/* POST <url>/registry<before><subject><after>. true: there is an answer, whatever its status; false: a sentence in why. */
bool registry_client_post(struct registry_client *c, const char *before, struct slice subject, const char *after, struct slice body,
                          struct registry_answer *ret, char why[REGISTRY_WHY]);
/* What an answer of Confluent's form or a problem (RFC 9457) says of itself; never NULL. error_code 0: it has none. */
const char *registry_answer_message(const struct registry_answer *a);
int registry_answer_error_code(const struct registry_answer *a);

#endif
