#include "tests/unit/outbound_trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct hostile server;
atomic_int said;
struct outbound_file *file;

static struct outbound_file *the_file(void *arg)
{
    (void)arg;
    return outbound_file_ref(file);
}

static void ended(void *arg, struct outbound_slot slot, enum breaker_outcome o, const struct outbound_answer *answer)
{
    (void)arg, (void)slot, (void)answer;
    atomic_store(&said, (int)o);
}

static void keep(char *to, size_t size, struct slice s)
{
    snprintf(to, size, "%.*s", (int)s.n, s.p ? s.p : "");
}

static void done(struct outbound_call *call, const struct outbound_answer *answer)
{
    struct trial *t = call->arg;

    pthread_mutex_lock(&t->lock);
    t->answer = *answer;
    keep(t->result, sizeof t->result, answer->result);
    keep(t->error, sizeof t->error, answer->error);
    keep(t->shown, sizeof t->shown, answer->answer);
    t->done = true;
    pthread_cond_signal(&t->ended);
    pthread_mutex_unlock(&t->lock);
}

bool look_up(void *arg, bool is_file, struct slice name, struct arena *a, struct slice *ret, char why[200])
{
    (void)arg, (void)is_file, (void)why;
    *ret = arena_slice(a, slice_is(name, "SIGN") ? SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") : SLICE("sk-secret-1"));
    return true;
}

struct outbound_client *client_with(struct outbound_client_config c)
{
    char err[512];
    struct outbound_client *client;

    c.answer_bytes = c.answer_bytes ? c.answer_bytes : 65536;
    c.connect_timeout_us = US_PER_S;
    c.file = the_file;
    c.ended = ended;
    client = outbound_client_start(&c, err);
    assert_non_null(client);
    return client;
}

void send_to(struct outbound_client *client, struct trial *t, const char *url)
{
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->ended, NULL);
    if (*url == '/')
        snprintf(t->url, sizeof t->url, "http://127.0.0.1:%d%s", server.port, url);
    else
        snprintf(t->url, sizeof t->url, "%s", url);
    t->call.url = slice_of(t->url);
    t->call.method = t->call.method.p ? t->call.method : SLICE("POST");
    t->call.key = t->call.key.p ? t->call.key : SLICE("s/1/a/action");
    t->call.timeout_us = t->call.timeout_us ? t->call.timeout_us : 5 * US_PER_S;
    t->call.done = done;
    t->call.arg = t;
    outbound_client_send(client, &t->call);
}

void wait_for(struct trial *t)
{
    pthread_mutex_lock(&t->lock);
    while (!t->done)
        pthread_cond_wait(&t->ended, &t->lock);
    pthread_mutex_unlock(&t->lock);
    pthread_cond_destroy(&t->ended);
    pthread_mutex_destroy(&t->lock);
}

int trials_begin(void **state)
{
    char text[300], err[512];

    (void)state;
    hostile_start(&server);
    snprintf(text, sizeof text, "{\"targets\":{\"http://127.0.0.1:%d\":{\"signing_secret\":{\"env\":\"SIGN\"}}},"
             "\"secrets\":{\"key\":{\"env\":\"KEY\",\"hosts\":[\"127.0.0.1\"]}}}", server.port);
    file = outbound_file_parse(slice_of(text), look_up, NULL, err);
    return file ? 0 : -1;
}

int trials_end(void **state)
{
    (void)state;
    hostile_stop(&server);
    outbound_file_free(file);
    return 0;
}
