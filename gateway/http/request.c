#include "gateway/http/request.h"

#include <arpa/inet.h>
#include <microhttpd.h>

#include "gateway/http/internal.h"

struct slice request_path(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->path_count; i++) {
        if (slice_is(rq->path_names[i], name))
            return rq->path_values[i];
    }
    return SLICE_NONE;
}

struct slice request_header(const struct request *rq, const char *name)
{
    const char *value = NULL;
    size_t n = 0;

    if (MHD_lookup_connection_value_n(rq->in->connection, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES)
        return SLICE_NONE;
    return (struct slice){ value ? value : "", n };
}

struct visit {
    void (*fn)(void *arg, struct slice name, struct slice value);
    void *arg;
};

static enum MHD_Result visit_one(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
                                 size_t value_n)
{
    const struct visit *v = cls;

    (void)kind;
    v->fn(v->arg, (struct slice){ name, name_n }, (struct slice){ value ? value : "", value_n });
    return MHD_YES;
}

void request_headers(const struct request *rq, void (*fn)(void *arg, struct slice name, struct slice value), void *arg)
{
    struct visit v = { fn, arg };

    MHD_get_connection_values_n(rq->in->connection, MHD_HEADER_KIND, visit_one, &v);
}

const char *request_address(const struct request *rq, char out[REQUEST_ADDRESS])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(rq->in->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    const struct in6_addr *six = from && from->sa_family == AF_INET6 ? &((const struct sockaddr_in6 *)from)->sin6_addr : NULL;

    out[0] = '\0';
    if (six && IN6_IS_ADDR_V4MAPPED(six))
        inet_ntop(AF_INET, six->s6_addr + 12, out, REQUEST_ADDRESS);
    else if (six)
        inet_ntop(AF_INET6, six, out, REQUEST_ADDRESS);
    else if (from && from->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, out, REQUEST_ADDRESS);
    return out;
}

void request_wake(struct request *rq)
{
    loop_wake(rq->in, false, false);
}

void request_wake_wave(struct request *rq, bool more)
{
    loop_wake(rq->in, false, more);
}

void request_wait_until(struct request *rq, int64_t mono_us)
{
    rq->in->watch = true;
    loop_deadline(rq->in, mono_us);
}

static void run_job(struct job *job, void *ctx)
{
    struct request_internal *in = (struct request_internal *)((char *)job - offsetof(struct request_internal, job));

    in->rq.db = ctx;
    in->work(&in->rq);
    in->rq.db = NULL;
    loop_wake(in, true, false);
}

bool request_work(struct request *rq, void (*fn)(struct request *rq))
{
    struct request_internal *in = rq->in;

    in->work = fn;
    in->hovers = false;
    in->job = (struct job){ .run = run_job };
    atomic_store(&in->working, true);
    if (pool_submit(loop_server(rq->loop)->c.pool, &in->job))
        return true;
    atomic_store(&in->working, false);
    return false;
}

enum err request_job(struct request *rq, void (*fn)(struct request *rq))
{
    if (request_work(rq, fn))
        return ERR_PARKED;
    rq->fault.retry_after = 1;
    return fault(&rq->fault, ERR_OVERLOADED, "All worker threads are busy and their queue is full.");
}

bool request_working(const struct request *rq)
{
    return atomic_load(&rq->in->working);
}

bool request_left(const struct request *rq)
{
    return atomic_load(&rq->in->gone);
}

void request_expect(struct request *rq)
{
    rq->in->hovers = true;
    atomic_store(&rq->in->working, true);
}

void request_fulfil(struct request *rq, bool more)
{
    loop_wake(rq->in, true, more);
}
