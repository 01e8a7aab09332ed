#include "gateway/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/http/addresses.h"
#include "gateway/http/internal.h"
#include "gateway/http/quota.h"
#include "gateway/http/tls.h"

#define OTHER_DESCRIPTORS 64 /* what is open beside clients, database connections and loops: log, listen sockets, files */

static bool parse_address(const struct config *c, struct sockaddr_storage *ret, socklen_t *ret_n, char err[512])
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, c->http_address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)c->http_port);
        *ret_n = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, c->http_address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)c->http_port);
        *ret_n = sizeof *v6;
        return true;
    }
    snprintf(err, 512, "http.address: \"%s\" is no numeric IPv4 or IPv6 address", c->http_address);
    return false;
}

/* Every loop has its own socket on the same port; the first one picks the port when it is 0. */
static int listen_on(const struct server *s, int port, char err[512])
{
    const struct config *c = s->c.config;
    struct sockaddr_storage address;
    socklen_t n;
    const int one = 1, zero = 0;
    int fd;

    if (!parse_address(c, &address, &n, err))
        return -1;
    if (port) /* sin_port and sin6_port are at the same place */
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) || bind(fd, (struct sockaddr *)&address, n) ||
        listen(fd, (int)c->http_backlog)) {
        snprintf(err, 512, "cannot listen on %s:%d: %s", c->http_address, port ? port : (int)c->http_port,
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t n = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &n))
        return 0;
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* SO_REUSEPORT would let a second process of the same user share the port in silence: a probe without it finds that out. */
static bool port_is_free(const struct config *c, char err[512])
{
    struct sockaddr_storage address;
    socklen_t n;
    const int one = 1;
    int fd;
    bool ok;

    if (!parse_address(c, &address, &n, err))
        return false;
    if (c->http_port == 0)
        return true;
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, n) == 0;
    if (!ok)
        snprintf(err, 512, "cannot listen on %s:%d: %s", c->http_address, (int)c->http_port, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Without a descriptor nothing can be accepted: libmicrohttpd then waits until a connection ends. */
static void raise_descriptor_limit(const struct config *c)
{
    const int64_t need = c->http_connections + c->worker_threads + c->commit_lanes + 8 * c->http_loops + OTHER_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && (int64_t)limit.rlim_cur < need)
        log_warn("fewer files may be open (ulimit -n) than http.connections needs: raise the one or lower the other",
                 L_INT("open_files", limit.rlim_cur), L_INT("needed", need));
}

static bool start_addresses(struct server *s, char err[512])
{
    const struct config *c = s->c.config;

    if (!c->http_address_connections)
        return true;
    if ((s->addresses = addresses_new((size_t)c->http_address_connections, (size_t)c->http_connections)))
        return true;
    snprintf(err, 512, "out of memory");
    return false;
}

static bool start_loops(struct server *s, char err[512])
{
    int n = (int)s->c.config->http_loops;

    if (!(s->loops = calloc((size_t)n, sizeof(struct loop *)))) {
        snprintf(err, 512, "out of memory");
        return false;
    }
    s->loop_count = n;
    for (int i = 0; i < n; i++) {
        int fd = listen_on(s, s->port, err);
        if (fd < 0)
            return false;
        if (!s->port)
            s->port = port_of(fd);
        struct loop *l = loop_start(s, i, fd, err);
        atomic_store(&s->loops[i], l);
        if (!l)
            return false;
    }
    return true;
}

struct server *server_start(const struct server_config *c, char err[512])
{
    const char *operations[ROUTE_MAX];
    struct server *s = calloc(1, sizeof *s);

    if (!s) {
        snprintf(err, 512, "out of memory");
        return NULL;
    }
    s->c = *c;
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit(c->config);
    if (c->find_ticket && !(s->tickets = token_cache_new((size_t)c->config->tickets_cache))) {
        snprintf(err, 512, "out of memory");
        goto fail;
    }
    if (!(s->router = router_new(c->routes, c->route_count, err)))
        goto fail;
    if (!(s->quota = quota_new(c->config))) {
        snprintf(err, 512, "out of memory");
        goto fail;
    }
    for (size_t i = 0; i < c->route_count; i++)
        operations[i] = c->routes[i].op;
    metrics_routes(operations, c->route_count);
    if (tls_new(c->config, &s->tls, err) && start_addresses(s, err) && port_is_free(c->config, err) && start_loops(s, err))
        return s;
fail:
    server_stop(s);
    server_free(s);
    return NULL;
}

int server_port(const struct server *s)
{
    return s->port;
}

void server_vet(struct server *s)
{
    for (int i = 0; i < s->loop_count; i++) {
        struct loop *l = atomic_load(&s->loops[i]);

        if (l)
            loop_wake_all(l);
    }
}

bool server_is_tls(const struct server *s)
{
    return s->tls != NULL;
}

void server_reload(struct server *s)
{
    char err[512];

    if (!s->tls)
        return;
    if (!tls_reload(s->tls, err)) {
        log_error("the files of TLS cannot be used; those read before stay in force", L_STR("why", err));
        return;
    }
    log_line(LOG_INFO, "the files of TLS were read again");
    server_vet(s); /* who is known by a client certificate may not be any more */
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->loop_count; i++) {
        if (s->loops[i])
            loop_drain(s->loops[i]);
    }
    for (int i = 0; i < s->loop_count; i++) {
        if (s->loops[i])
            loop_stop(s->loops[i]);
    }
}

void server_free(struct server *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->loop_count; i++)
        loop_free(s->loops[i]);
    free(s->loops);
    tls_free(s->tls);
    addresses_free(s->addresses);
    router_free(s->router);
    token_cache_free(s->tickets);
    quota_free(s->quota);
    free(s);
}
