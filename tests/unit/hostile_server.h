#ifndef WEIR_TESTS_UNIT_HOSTILE_SERVER_H
#define WEIR_TESTS_UNIT_HOSTILE_SERVER_H

#include <pthread.h>
#include <stdbool.h>

/* A target on 127.0.0.1 that answers by the path of the request, mostly badly. A thread for each connection. */
struct hostile {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;          /* guards all below */
    char last[8192];               /* the request seen last, as it was sent */
    int connections, requests, open;
    bool stopping;
};

void hostile_start(struct hostile *h);
void hostile_stop(struct hostile *h);

#endif
