#ifndef WEIR_BASE_THREAD_H
#define WEIR_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Threads and condition variables as Weir wants them. A thread's name is cut at 15 characters; its stack is
 * THREAD_STACK: recursion in Weir is bounded (json_depth), and untouched pages cost nothing. */
#ifdef __SANITIZE_THREAD__ /* its frames are several times as large */
#define THREAD_STACK (4096 * 1024)
#else
#define THREAD_STACK (512 * 1024)
#endif

bool thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *arg);

void cond_init(pthread_cond_t *c); /* on the monotonic clock */
/* false: the deadline (clock_mono_us) has passed. Like every condition wait it may also return early. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t mono_us);

#endif
