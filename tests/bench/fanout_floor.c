/* The floor of a fan-out: one thread, one epoll, one send() a subscriber, nothing else. Loopback only; prints its port.
 *
 * A connection that says GET is a subscriber. The body of a POST is framed as a chunk once and sent to each of them. Requests
 * come in one piece. It ends at the end of its standard input. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES 16384
#define BACKLOG 4096
#define READY_EVENTS 256
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define RECEIPT "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

struct floor {
    int poll, listener;
    int *fds;       /* of the subscribers */
    unsigned *slot; /* of a subscriber in fds, by fd; from 1, 0: none */
    unsigned count;
};

static void die(const char *what)
{
    fprintf(stderr, "fanout_floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void end(struct floor *f)
{
    free(f->fds);
    free(f->slot);
}

static void watch(const struct floor *f, int fd)
{
    struct epoll_event wanted = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(f->poll, EPOLL_CTL_ADD, fd, &wanted))
        die("epoll_ctl");
}

static void send_all(int fd, const char *p, size_t n)
{
    if (send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n && errno != EPIPE && errno != ECONNRESET)
        die("send");
}

static void leave(struct floor *f, int fd)
{
    unsigned slot = f->slot[fd];

    if (slot) { /* the last one takes its place */
        int moved = f->fds[--f->count];

        f->fds[slot - 1] = moved;
        f->slot[moved] = slot;
        f->slot[fd] = 0;
    }
    close(fd);
}

static void fan_out(const struct floor *f, const char *body, size_t n)
{
    char chunk[REQUEST_BYTES + 16];
    int size = snprintf(chunk, sizeof chunk, "%zx\r\n%.*s\r\n", n, (int)n, body);

    for (unsigned i = 0; i < f->count; i++)
        send_all(f->fds[i], chunk, (size_t)size);
}

static void serve(struct floor *f, int fd)
{
    char request[REQUEST_BYTES + 1];
    ssize_t n = recv(fd, request, REQUEST_BYTES, 0);
    const char *body;

    if (n <= 0) {
        leave(f, fd);
        return;
    }
    request[n] = '\0';
    if (!strncmp(request, "GET ", 4)) {
        send_all(fd, HEAD, sizeof HEAD - 1);
        f->fds[f->count++] = fd;
        f->slot[fd] = f->count;
    } else if ((body = strstr(request, "\r\n\r\n"))) {
        body += 4;
        fan_out(f, body, (size_t)(request + n - body));
        send_all(fd, RECEIPT, sizeof RECEIPT - 1);
    }
}

static void welcome(const struct floor *f)
{
    int fd, on = 1;

    while ((fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(f, fd);
    }
}

static void start(struct floor *f)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    struct rlimit files;
    socklen_t size = sizeof at;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->poll = epoll_create1(EPOLL_CLOEXEC);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->poll < 0 || f->listener < 0 || bind(f->listener, (struct sockaddr *)&at, sizeof at) || listen(f->listener, BACKLOG) ||
        getsockname(f->listener, (struct sockaddr *)&at, &size) || getrlimit(RLIMIT_NOFILE, &files))
        die("listen");
    f->fds = calloc(files.rlim_cur, sizeof *f->fds);
    f->slot = calloc(files.rlim_cur, sizeof *f->slot);
    if (!f->fds || !f->slot)
        die("memory");
    watch(f, f->listener);
    watch(f, STDIN_FILENO);
    printf("%u\n", (unsigned)ntohs(at.sin_port));
    fflush(stdout);
}

int main(void)
{
    struct epoll_event ready[READY_EVENTS];
    struct floor f = { 0 };

    start(&f);
    for (;;) {
        int n = epoll_wait(f.poll, ready, READY_EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == STDIN_FILENO) {
                end(&f);
                return 0;
            }
            if (ready[i].data.fd == f.listener)
                welcome(&f);
            else
                serve(&f, ready[i].data.fd);
        }
    }
}
