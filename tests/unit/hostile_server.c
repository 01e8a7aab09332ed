#include "tests/unit/hostile_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct visit {
    struct hostile *h;
    int fd;
};

static bool say(int fd, const char *text)
{
    size_t n = strlen(text);

    return send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void answer(int fd, int status, const char *headers, const char *body)
{
    char text[9000];

    snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), headers, body);
    say(fd, text);
}

static void endless(int fd, const char *head, const char *piece)
{
    bool good = say(fd, head);

    for (int i = 0; good && i < 20000; i++)
        good = say(fd, piece);
}

/* Slowly, until nobody listens. */
static void trickle(int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };
    bool good = say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");

    for (int i = 0; good && i < 500 && !poll(&p, 1, 10); i++)
        good = say(fd, "x");
}

static void wait_for_end(int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };

    poll(&p, 1, 60000);
}

static void hang(int fd)
{
    wait_for_end(fd);
}

static void half(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void nothing(int fd)
{
    (void)fd;
}

static void garbage(int fd)
{
    say(fd, "hello, this is not HTTP\r\n\r\n");
}

static void large(int fd)
{
    endless(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "10\r\n0123456789abcdef\r\n");
}

static void large_error(int fd)
{
    endless(fd, "HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n", "10\r\n0123456789abcdef\r\n");
}

static void headers(int fd)
{
    endless(fd, "HTTP/1.1 200 OK\r\n", "X-More: 0123456789abcdef0123456789abcdef\r\n");
}

static void header(int fd)
{
    endless(fd, "HTTP/1.1 200 OK\r\nX-Long: ", "0123456789abcdef0123456789abcdef");
}

static const struct {
    const char *path;
    void (*act)(int fd);           /* closes afterwards */
    int status;                    /* or answers */
    const char *headers, *body;
} acts[] = {
    { "/ok", NULL, 200, "Content-Type: application/json\r\n", "{\"id\": 7}" },
    { "/text", NULL, 201, "Content-Type: text/plain\r\n", "created" },
    { "/none", NULL, 204, "", "" },
    { "/422", NULL, 422, "Content-Type: application/json\r\n", "{\"why\":\"sold out\"}" },
    { "/leak", NULL, 422, "Content-Type: text/sk-secret-1\r\n", "{\"sent\":\"sk-secret-1\"}" },
    { "/409", NULL, 409, "", "" },
    { "/500", NULL, 500, "", "oops" },
    { "/503", NULL, 503, "Retry-After: 7\r\n", "" },
    { "/202", NULL, 202, "Retry-After: 1\r\n", "" },
    { "/redirect", NULL, 302, "Location: /ok\r\n", "" },
    { "/early", NULL, 103, "Retry-After: 9\r\nContent-Type: x/y\r\n", "" },
    { "/trickle", trickle, 0, NULL, NULL },
    { "/hang", hang, 0, NULL, NULL },
    { "/half", half, 0, NULL, NULL },
    { "/close", nothing, 0, NULL, NULL },
    { "/garbage", garbage, 0, NULL, NULL },
    { "/large", large, 0, NULL, NULL },
    { "/large-error", large_error, 0, NULL, NULL },
    { "/header", header, 0, NULL, NULL },
    { "/headers", headers, 0, NULL, NULL },
};

/* The request as text; false: the other side has left. */
static bool take_request(int fd, char *text, size_t size)
{
    size_t n = 0, body = 0;
    char *end = NULL, *length;
    ssize_t got;

    while (!end || n < (size_t)(end - text) + 4 + body) {
        if (n + 1 >= size || (got = recv(fd, text + n, size - 1 - n, 0)) <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        if (!end && (end = strstr(text, "\r\n\r\n")) && (length = strcasestr(text, "Content-Length:")))
            body = (size_t)atol(length + 15);
    }
    return true;
}

static bool serve(int fd, const char *request)
{
    char path[100];

    sscanf(request, "%*s %99s", path);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(path, acts[i].path))
            continue;
        if (acts[i].act) {
            acts[i].act(fd);
            return false;
        }
        answer(fd, acts[i].status, acts[i].headers, acts[i].body);
        if (acts[i].status < 200)
            answer(fd, 200, "", "{}");
        return true;
    }
    answer(fd, 200, "Content-Type: text/plain\r\n", request);
    return true;
}

static void *visit(void *arg)
{
    struct visit *v = arg;
    struct hostile *h = v->h;
    char text[8192];
    bool more = true;

    while (more && take_request(v->fd, text, sizeof text)) {
        pthread_mutex_lock(&h->lock);
        memcpy(h->last, text, sizeof text);
        h->requests++;
        pthread_mutex_unlock(&h->lock);
        more = serve(v->fd, text);
    }
    close(v->fd);
    pthread_mutex_lock(&h->lock);
    h->open--;
    pthread_mutex_unlock(&h->lock);
    free(v);
    return NULL;
}

/* Until the socket is shut down; a test may leave the process without files for a while. */
static int accept_one(int listening)
{
    int fd;

    while ((fd = accept(listening, NULL, NULL)) < 0 && (errno == EMFILE || errno == EINTR || errno == ECONNABORTED))
        usleep(1000);
    return fd;
}

static void *accept_all(void *arg)
{
    struct hostile *h = arg;
    pthread_t thread;
    int fd;

    while ((fd = accept_one(h->fd)) >= 0) {
        struct visit *v = malloc(sizeof *v);

        *v = (struct visit){ h, fd };
        pthread_mutex_lock(&h->lock);
        h->connections++;
        h->open++;
        pthread_mutex_unlock(&h->lock);
        if (pthread_create(&thread, NULL, visit, v))
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

void hostile_start(struct hostile *h)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof at;

    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(h->fd, (struct sockaddr *)&at, sizeof at) || listen(h->fd, 1024) || getsockname(h->fd, (struct sockaddr *)&at, &n) ||
        pthread_create(&h->thread, NULL, accept_all, h))
        abort();
    h->port = ntohs(at.sin_port);
}

void hostile_stop(struct hostile *h)
{
    bool busy = true;
    int ms = 0;

    shutdown(h->fd, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->fd);
    for (; busy && ms < 60000; ms++) { /* a test that failed has left its client */
        usleep(1000);
        pthread_mutex_lock(&h->lock);
        busy = h->open > 0;
        pthread_mutex_unlock(&h->lock);
    }
    pthread_mutex_destroy(&h->lock);
}
