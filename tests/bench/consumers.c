/* Consumers that receive and ack in batches, each in a thread of its own with its own connection, until the time is over or nothing
 * is left:
 *
 *     consumers group COUNT SECONDS BATCH PORT PATH TOKEN     of a consumer group, over HTTP; PATH is the group's
 *     consumers queue COUNT SECONDS BATCH CONNINFO TAKE DONE  of a table: TAKE ($1: how many) gives ids and payloads, DONE
 *                                                             ($1: an array of ids) removes them, and counts them
 *
 * Prints a line of JSON: events, seconds, milliseconds of receive and ack together (p50, p99), what went wrong. */
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES (4 << 20)
#define REQUEST_BYTES (256 << 10)
#define CYCLES_MAX 1000000
#define ID "\"delivery_id\":\""
#define ID_BYTES 64

struct consumer {
    pthread_t thread;
    char **args;              /* those after BATCH */
    int batch, fd;
    PGconn *db;
    char *request, *answer;
    size_t answered;          /* bytes of the answer's body */
    const char *body;
    uint32_t *took;           /* microseconds, cycle by cycle */
    size_t cycles;
    long count, errors;
    int64_t until, ended;
};

struct kind {
    const char *name;
    void (*open)(struct consumer *c);
    long (*cycle)(struct consumer *c); /* events that were received and acked; 0: nothing is left; -1: something is wrong */
};

static void die(const char *what)
{
    fprintf(stderr, "consumers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *room(size_t n)
{
    void *p = malloc(n);

    if (!p)
        die("malloc");
    return p;
}

/* --- a consumer group --- */
static void group_open(struct consumer *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(c->args[0])) };
    int on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        die("connect");
    c->request = room(REQUEST_BYTES);
    c->answer = room(ANSWER_BYTES);
}

/* The answer's body is in c->body; false: it is not 200. */
static bool ask(struct consumer *c, const char *what, const char *body, size_t n)
{
    char head[2048];
    size_t have = 0, want = SIZE_MAX;
    int len = snprintf(head, sizeof head,
                       "POST %s/%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       c->args[1], what, c->args[2], n);

    if (len < 0 || (size_t)len >= sizeof head || send(c->fd, head, (size_t)len, MSG_NOSIGNAL | MSG_MORE) != len ||
        send(c->fd, body, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("send");
    while (have < want) {
        ssize_t got = recv(c->fd, c->answer + have, ANSWER_BYTES - 1 - have, 0);

        if (got <= 0)
            die("recv");
        have += (size_t)got;
        c->answer[have] = 0;
        char *end = want == SIZE_MAX ? strstr(c->answer, "\r\n\r\n") : NULL;
        if (end) {
            char *length = strcasestr(c->answer, "\r\ncontent-length:");

            if (!length || length > end)
                die("an answer without length");
            c->body = end + 4;
            c->answered = strtoul(length + 17, NULL, 10);
            want = (size_t)(c->body - c->answer) + c->answered;
        }
    }
    return !strncmp(c->answer, "HTTP/1.1 200", 12);
}

static long group_cycle(struct consumer *c)
{
    long n = 0;
    size_t len = 0;
    char *out = c->request;

    len = (size_t)snprintf(out, REQUEST_BYTES, "{\"max\":%d}", c->batch);
    if (!ask(c, "receive", out, len))
        return -1;
    len = (size_t)snprintf(out, REQUEST_BYTES, "{\"delivery_ids\":[");
    for (const char *p = c->body; (p = strstr(p, ID)) && len + ID_BYTES + 8 < REQUEST_BYTES; n++) {
        const char *id = p + strlen(ID), *end = strchr(id, '"');

        if (!end || end - id > ID_BYTES)
            return -1;
        len += (size_t)snprintf(out + len, REQUEST_BYTES - len, "%s\"%.*s\"", n ? "," : "", (int)(end - id), id);
        p = end;
    }
    if (n == 0)
        return 0;
    len += (size_t)snprintf(out + len, REQUEST_BYTES - len, "]}");
    return ask(c, "ack", out, len) && strstr(c->body, "\"stale\":[]") ? n : -1;
}

/* --- a table --- */
static void queue_open(struct consumer *c)
{
    c->db = PQconnectdb(c->args[0]);
    c->request = room(REQUEST_BYTES);
    for (int i = 0; i < 2; i++) {
        PGresult *r = PQstatus(c->db) == CONNECTION_OK ? PQprepare(c->db, i ? "done" : "take", c->args[1 + i], 1, NULL) : NULL;

        if (PQresultStatus(r) != PGRES_COMMAND_OK) {
            fprintf(stderr, "consumers: %s\n", PQerrorMessage(c->db));
            exit(1);
        }
        PQclear(r);
    }
}

static PGresult *run(struct consumer *c, const char *name, const char *value)
{
    PGresult *r = PQexecPrepared(c->db, name, 1, &value, NULL, NULL, 0);

    if (PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK)
        return r;
    fprintf(stderr, "consumers: %s", PQerrorMessage(c->db));
    PQclear(r);
    return NULL;
}

static long queue_cycle(struct consumer *c)
{
    char limit[16];
    size_t len = 0;
    long n;
    PGresult *r;

    snprintf(limit, sizeof limit, "%d", c->batch);
    if (!(r = run(c, "take", limit)))
        return -1;
    n = PQntuples(r);
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(c->request + len, REQUEST_BYTES - len, "%c%s", i ? ',' : '{', PQgetvalue(r, i, 0));
    snprintf(c->request + len, REQUEST_BYTES - len, "}");
    PQclear(r);
    if (n == 0)
        return 0;
    if (!(r = run(c, "done", c->request)))
        return -1;
    len = strtoul(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return (size_t)n == len ? n : -1;
}

static const struct kind kinds[] = { { "group", group_open, group_cycle }, { "queue", queue_open, queue_cycle }, { 0 } };
static const struct kind *kind;

static void *work(void *arg)
{
    struct consumer *c = arg;
    int64_t began = now_us();

    while (began < c->until && c->cycles < CYCLES_MAX) {
        long n = kind->cycle(c);

        c->ended = now_us();
        if (n == 0)
            break;
        c->took[c->cycles++] = (uint32_t)(c->ended - began);
        began = c->ended;
        c->count += n > 0 ? n : 0;
        c->errors += n < 0;
    }
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(struct consumer *all, int count, int64_t began)
{
    size_t cycles = 0, at = 0;
    long done = 0, errors = 0;
    int64_t ended = began + 1;
    uint32_t *took;

    for (int i = 0; i < count; i++)
        cycles += all[i].cycles;
    took = room((cycles + 1) * sizeof *took);
    took[0] = 0;
    for (int i = 0; i < count; i++) {
        memcpy(took + at, all[i].took, all[i].cycles * sizeof *took);
        at += all[i].cycles;
        done += all[i].count;
        errors += all[i].errors;
        ended = all[i].ended > ended ? all[i].ended : ended;
    }
    qsort(took, cycles, sizeof *took, ascending);
    printf("{\"count\":%ld,\"seconds\":%.6f,\"p50\":%.3f,\"p99\":%.3f,\"errors\":%ld}\n", done, (double)(ended - began) / 1e6,
           took[cycles / 2] / 1e3, took[cycles * 99 / 100] / 1e3, errors);
    free(took);
}

int main(int argc, char **argv)
{
    int count = argc == 8 ? atoi(argv[2]) : 0;
    struct consumer *all = count > 0 ? calloc((size_t)count, sizeof *all) : NULL;
    int64_t began;

    for (kind = kinds; kind->name && argc > 1 && strcmp(kind->name, argv[1]); kind++)
        continue;
    if (!all || !kind->name)
        return 2;
    for (int i = 0; i < count; i++) {
        all[i] = (struct consumer){ .args = argv + 5, .batch = atoi(argv[4]), .took = room(CYCLES_MAX * sizeof *all[i].took) };
        kind->open(&all[i]);
    }
    began = now_us();
    for (int i = 0; i < count; i++) {
        all[i].until = began + (int64_t)atoi(argv[3]) * 1000000;
        if (pthread_create(&all[i].thread, NULL, work, &all[i]))
            die("pthread_create");
    }
    for (int i = 0; i < count; i++)
        pthread_join(all[i].thread, NULL);
    report(all, count, began);
    return 0;
}
