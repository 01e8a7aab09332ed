#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/db/support.h"

#define PAIRS 8

struct proxy {
    int listener, stop;
    char *url;
    atomic_int mode, passes; /* passes: answers that pass before mode holds */
    pthread_t thread;
    int fds[PAIRS][2]; /* client, server; -1: free */
};

static int connect_unix(const char *dir, const char *port)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%s/.s.PGSQL.%s", dir, port);
    return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
}

static int connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &found) == 0) {
        fd = socket(found->ai_family, SOCK_STREAM, 0);
        if (connect(fd, found->ai_addr, found->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
        freeaddrinfo(found);
    }
    return fd;
}

static int connect_server(void)
{
    PQconninfoOption *options = PQconninfoParse(getenv("WEIR_TEST_DATABASE_URL"), NULL);
    const char *host = "/var/run/postgresql", *port = "5432";
    int fd;

    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        if (o->val && strcmp(o->keyword, "host") == 0)
            host = o->val;
        else if (o->val && strcmp(o->keyword, "port") == 0)
            port = o->val;
    }
    fd = *host == '/' ? connect_unix(host, port) : connect_tcp(host, port);
    PQconninfoFree(options);
    return fd;
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
    pair[0] = pair[1] = -1;
}

static void accept_one(struct proxy *p)
{
    int client = accept(p->listener, NULL, NULL), i = 0;

    while (i < PAIRS && p->fds[i][0] >= 0)
        i++;
    if (i == PAIRS || client < 0) {
        close(client);
        return;
    }
    p->fds[i][0] = client;
    p->fds[i][1] = connect_server();
    if (p->fds[i][1] < 0)
        close_pair(p->fds[i]);
}

static void pass_on(struct proxy *p, int pair[2], int from)
{
    char bytes[65536];
    int mode = from == 1 && atomic_fetch_sub(&p->passes, 1) > 0 ? PROXY_PASS : atomic_load(&p->mode);
    ssize_t n = read(pair[from], bytes, sizeof bytes);

    if (n <= 0 || (from == 1 && mode == PROXY_SWALLOW)) {
        close_pair(pair);
        return;
    }
    if (from == 1 && mode == PROXY_MUTE)
        return;
    for (ssize_t done = 0, w; done < n; done += w)
        if ((w = send(pair[!from], bytes + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0) {
            close_pair(pair);
            return;
        }
}

static void *run(void *arg)
{
    struct proxy *p = arg;

    for (;;) {
        struct pollfd fds[2 + 2 * PAIRS] = { { .fd = p->stop, .events = POLLIN }, { .fd = p->listener, .events = POLLIN } };

        for (int i = 0; i < 2 * PAIRS; i++) {
            bool deaf = i % 2 == 0 && atomic_load(&p->mode) == PROXY_DEAF;

            fds[2 + i] = (struct pollfd){ .fd = deaf ? -1 : p->fds[i / 2][i % 2], .events = POLLIN };
        }
        poll(fds, 2 + 2 * PAIRS, -1);
        if (fds[0].revents) {
            uint64_t n;

            if (read(p->stop, &n, sizeof n) != sizeof n || n >= UINT32_MAX)
                return NULL;
            continue; /* another mode */
        }
        for (int i = 0; i < 2 * PAIRS; i++)
            if (fds[2 + i].revents && p->fds[i / 2][i % 2] == fds[2 + i].fd)
                pass_on(p, p->fds[i / 2], i % 2);
        if (fds[1].revents)
            accept_one(p);
    }
}

struct proxy *proxy_new(void)
{
    struct proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    char port[8];

    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, 8), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &n), 0);
    snprintf(port, sizeof port, "%d", ntohs(at.sin_port));
    p->url = test_url("127.0.0.1", port, NULL);
    p->stop = eventfd(0, 0);
    for (int i = 0; i < PAIRS; i++)
        p->fds[i][0] = p->fds[i][1] = -1;
    assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
    return p;
}

static void poke(struct proxy *p, uint64_t n)
{
    assert_int_equal(write(p->stop, &n, sizeof n), sizeof n);
}

void proxy_free(struct proxy *p)
{
    poke(p, UINT32_MAX);
    pthread_join(p->thread, NULL);
    for (int i = 0; i < PAIRS; i++)
        if (p->fds[i][0] >= 0)
            close_pair(p->fds[i]);
    close(p->listener);
    close(p->stop);
    free(p->url);
    free(p);
}

const char *proxy_url(const struct proxy *p)
{
    return p->url;
}

void proxy_set(struct proxy *p, enum proxy_mode mode)
{
    proxy_set_after(p, mode, 0);
}

void proxy_set_after(struct proxy *p, enum proxy_mode mode, int answers)
{
    atomic_store(&p->passes, answers);
    atomic_store(&p->mode, mode);
    poke(p, 1);
}
