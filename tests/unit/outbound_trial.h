#ifndef WEIR_TESTS_UNIT_OUTBOUND_TRIAL_H
#define WEIR_TESTS_UNIT_OUTBOUND_TRIAL_H

#include <stdatomic.h>

#include "gateway/base/clock.h"
#include "gateway/engine/outbound_client.h"
#include "tests/unit/hostile_server.h"

/* Calls of the outbound client to a hostile server: made, waited for, and what came of them. */

#define US_PER_MS INT64_C(1000)

/* A call and what came of it. */
struct trial {
    struct outbound_call call;
    struct outbound_answer answer;
    char url[200], result[9000], error[300], shown[9000];
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
};

extern struct hostile server;
extern struct outbound_file *file; /* what clients go by */
extern atomic_int said;            /* enum breaker_outcome of the call that ended last */

/* Where `file` finds the signing secret SIGN, and any other. */
bool look_up(void *arg, bool is_file, struct slice name, struct arena *a, struct slice *ret, char why[200]);
int trials_begin(void **state);    /* a group's set-up: the server, and a file with a signing secret and a secret for it */
int trials_end(void **state);
struct outbound_client *client_with(struct outbound_client_config c); /* what is left out has defaults */
/* A path is the server's. What the call leaves out has defaults. */
void send_to(struct outbound_client *client, struct trial *t, const char *url);
void wait_for(struct trial *t);

#endif
