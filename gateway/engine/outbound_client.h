#ifndef WEIR_ENGINE_OUTBOUND_CLIENT_H
#define WEIR_ENGINE_OUTBOUND_CLIENT_H

#include "gateway/engine/outbound_answer.h"
#include "gateway/engine/outbound_file.h"

/* The thread weir-outbound: libcurl's multi interface on an epoll loop. No redirects, no proxy, no cookies, no compression, no HTTP/2;
 * answers and headers are bounded; the address that is connected to is checked by the guard. Knows nothing of targets but their file. */
struct outbound_client;

struct outbound_client_config {
    size_t answer_bytes;
    int64_t connect_timeout_us;
    bool allow_private;
    const char *allow_hosts;       /* patterns with spaces between; "": all */
    const char *ca_file;           /* PEM, beside the system's; "": none */
    struct outbound_file *(*file)(void *arg); /* a reference: signing secrets, and what must not be shown */
    /* By the client's thread, before the call's own `done`; the slot is as it was sent. */
    void (*ended)(void *arg, struct outbound_slot slot, enum breaker_outcome o, const struct outbound_answer *answer);
    void *arg;
};

struct outbound_client *outbound_client_start(const struct outbound_client_config *c, char err[512]); /* the strings outlive it */
void outbound_client_send(struct outbound_client *c, struct outbound_call *call);
bool outbound_client_drain(struct outbound_client *c, int64_t mono_us); /* waits until nothing runs; false: time is up */
void outbound_client_stop(struct outbound_client *c); /* what runs is aborted; NULL-safe. Nothing may be sent any more */

#endif
