/* Many subscribers of one event stream and one publisher, in one thread: when does the first, the last subscriber have an event?
 *
 *     fanout_client PORT SUBSCRIBERS EVENTS PER_SECOND SUBSCRIBE PUBLISH
 *
 * SUBSCRIBE and PUBLISH are files with whole HTTP requests; what PUBLISH sends makes each subscriber receive MARK once.
 * Prints "ready" when all subscribers are answered and (if there are events) one event has warmed the server, then waits for a
 * byte or the end of its standard input, publishes and prints a line of JSON: microseconds from sending an event to its arrival. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARK '~'
#define REQUEST_BYTES 16384
#define READ_BYTES 65536
#define READY_EVENTS 256  /* of one epoll_wait */
#define CONNECTING 256    /* subscribers that may wait for their answer at once */
#define QUIET_MS 300      /* so long without a byte: all that subscribing brings has come */
#define LATE_US 20000000  /* an event or answer that takes longer does not come */

struct text {
    char p[REQUEST_BYTES];
    size_t n;
};

struct event {
    int64_t sent, first, last; /* microseconds of the monotonic clock */
    unsigned served;
};

struct subscriber {
    int fd;
    unsigned seen; /* events */
    bool answered;
};

struct bench {
    struct text subscribe, publish;
    struct subscriber *subscribers; /* [count] is the publisher */
    struct event *events;           /* [0] is the warm-up */
    unsigned count, answered, sent, served, receipts, refused;
    uint64_t bytes; /* that subscribers have read */
    int poll, port;
    char buffer[READ_BYTES]; /* here, as the compiler would clear it on the stack at each read */
};

static void die(const char *what)
{
    fprintf(stderr, "fanout_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void load(struct text *t, const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f || (t->n = fread(t->p, 1, sizeof t->p, f)) == 0 || t->n == sizeof t->p)
        die(path);
    fclose(f);
}

static void say(int fd, const struct text *t)
{
    if (send(fd, t->p, t->n, MSG_NOSIGNAL) != (ssize_t)t->n)
        die("send");
}

/* Leaves with a reset: ten thousand connections in TIME_WAIT would be in the way of the next run. */
static void open_connection(struct bench *b, unsigned index)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)b->port) };
    struct epoll_event wanted = { .events = EPOLLIN, .data.u32 = index };
    struct linger reset = { .l_onoff = 1 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) || fcntl(fd, F_SETFL, O_NONBLOCK) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) || epoll_ctl(b->poll, EPOLL_CTL_ADD, fd, &wanted))
        die("connect");
    b->subscribers[index].fd = fd;
}

static bool starts(const char *p, size_t n, const char *with)
{
    return n >= strlen(with) && !memcmp(p, with, strlen(with));
}

static void arrived(struct bench *b, struct subscriber *s)
{
    struct event *e = &b->events[s->seen];

    errno = EPROTO;
    if (s->seen++ == b->sent)
        die("an event came that was not sent");
    e->last = now_us();
    if (e->served++ == 0)
        e->first = e->last;
    b->served += e->served == b->count;
}

static void take(struct bench *b, unsigned index)
{
    struct subscriber *s = &b->subscribers[index];
    ssize_t n = recv(s->fd, b->buffer, sizeof b->buffer, 0);
    bool good;

    if (n <= 0)
        die("a connection ended");
    good = starts(b->buffer, (size_t)n, "HTTP/1.1 2");
    if (index == b->count) {
        bool head = starts(b->buffer, (size_t)n, "HTTP/1.1 ");

        b->receipts += head;
        b->refused += head && !good;
        return;
    }
    if (!s->answered) {
        errno = EPROTO;
        if (!good)
            die("a subscriber was refused");
        s->answered = true;
        b->answered++;
    }
    b->bytes += (uint64_t)n;
    for (const char *p = b->buffer, *end = p + n; (p = memchr(p, MARK, (size_t)(end - p))); p++)
        arrived(b, s);
}

/* Takes what comes within so many milliseconds; false: nothing. */
static bool step(struct bench *b, int ms)
{
    struct epoll_event ready[READY_EVENTS];
    int n = epoll_wait(b->poll, ready, READY_EVENTS, ms);

    for (int i = 0; i < n; i++)
        take(b, ready[i].data.u32);
    return n > 0;
}

static void in_time(int64_t since, const char *what)
{
    errno = ETIMEDOUT;
    if (now_us() - since > LATE_US)
        die(what);
}

static void subscribe_all(struct bench *b)
{
    unsigned opened = 0;
    int64_t progress = now_us();

    while (b->answered < b->count) {
        while (opened < b->count && opened - b->answered < CONNECTING) {
            open_connection(b, opened);
            say(b->subscribers[opened++].fd, &b->subscribe);
        }
        if (step(b, 100))
            progress = now_us();
        in_time(progress, "subscribers wait for their answer");
    }
    open_connection(b, b->count);
    while (step(b, QUIET_MS))
        continue;
}

/* One at a time: an event that is due waits for the receipt of the one before. */
static void publish_some(struct bench *b, unsigned count, int64_t period)
{
    int64_t begin = now_us(), due = begin;

    for (unsigned until = b->sent + count; b->served < until || b->receipts < until;) {
        int64_t now = now_us();

        if (b->sent < until && due <= now && b->receipts == b->sent) {
            b->events[b->sent++].sent = now;
            say(b->subscribers[b->count].fd, &b->publish);
            due += period;
        }
        step(b, b->sent < until && due > now ? (int)((due - now + 999) / 1000) : 100);
        in_time(b->events[b->sent - 1].sent, "an event or its receipt does not come");
    }
}

static void print_list(const char *name, const struct bench *b, bool last)
{
    printf("\"%s\":[", name);
    for (unsigned i = 1; i < b->sent; i++)
        printf("%s%lld", i > 1 ? "," : "", (long long)((last ? b->events[i].last : b->events[i].first) - b->events[i].sent));
    printf("],");
}

int main(int argc, char **argv)
{
    static struct bench b;
    unsigned events;
    int64_t period;

    if (argc != 7)
        return 2;
    b.port = atoi(argv[1]);
    b.count = (unsigned)atoi(argv[2]);
    events = (unsigned)atoi(argv[3]);
    period = 1000000 / atoi(argv[4]);
    load(&b.subscribe, argv[5]);
    load(&b.publish, argv[6]);
    b.poll = epoll_create1(EPOLL_CLOEXEC);
    b.subscribers = calloc(b.count + 1, sizeof *b.subscribers);
    b.events = calloc(events + 1, sizeof *b.events);
    if (b.poll < 0 || !b.subscribers || !b.events)
        die("start");
    subscribe_all(&b);
    if (events)
        publish_some(&b, 1, 0);
    printf("ready\n");
    fflush(stdout);
    (void)getchar();
    b.bytes = 0;
    if (events)
        publish_some(&b, events, period);
    printf("{");
    print_list("first", &b, false);
    print_list("last", &b, true);
    printf("\"bytes\":%llu,\"refused\":%u}\n", (unsigned long long)b.bytes, b.refused);
    free(b.subscribers);
    free(b.events);
    return 0;
}
