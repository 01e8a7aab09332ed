#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/engine/tail_ring.h"
#include "tests/unit/log_fixture.h"

/* A lane, a tail thread and readers at work on one ring: every reader gets every offset once and in order. What is in the
 * ring no more comes from "the database": the offsets up to what is committed. */
enum { ID = 7, PARTITIONS = 2, READERS = 6, LAST = 4000, CAP = 64 };

static struct rings rings;
static struct stream *stream;
static _Atomic int64_t committed[PARTITIONS];
static atomic_bool stop;

struct reader {
    pthread_t thread;
    int only;
    sem_t poked;
    size_t from_ring, from_database;
    const char *wrong;
};

static void poke(void *arg, bool more)
{
    (void)more;
    sem_post(&((struct reader *)arg)->poked);
}

static bool finished(const struct reader *r, const int64_t *pos)
{
    for (int p = 0; p < PARTITIONS; p++)
        if ((r->only < 0 || r->only == p) && pos[p] < LAST)
            return false;
    return true;
}

/* To be woken takes far less; a wake-up that was lost ends the test. */
static bool sleep_until_poked(struct reader *r)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    return sem_timedwait(&r->poked, &until) == 0;
}

static void take(struct reader *r, int64_t *pos, struct ring_event **got, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int p = got[i]->partition;

        if (got[i]->offset != pos[p] + 1 || (r->only >= 0 && p != r->only))
            r->wrong = "an offset out of order";
        pos[p] = got[i]->offset;
        ring_event_unref(got[i]);
    }
    r->from_ring += n;
}

static void read_database(struct reader *r, struct watch *w, int64_t *pos)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (r->only < 0 || p == r->only) {
            int64_t upto = atomic_load(&committed[p]);

            if (upto < pos[p])
                r->wrong = "an offset that is not committed";
            r->from_database += (size_t)(upto - pos[p]);
            pos[p] = upto;
        }
    rings_trust(w);
}

static void *read_all(void *arg)
{
    struct reader *r = arg;
    struct ring_event *got[8];
    int64_t pos[PARTITIONS_MAX] = { 0 };
    bool cold, shared;
    struct watch *w = rings_watch(&rings, stream, r->only, poke, r, &cold);

    while (!r->wrong && !finished(r, pos)) {
        size_t n;

        switch (rings_next(w, pos, got, sizeof got / sizeof *got, &n, &shared)) {
        case TAIL_EVENTS:
            take(r, pos, got, n);
            break;
        case TAIL_BEHIND:
            read_database(r, w, pos);
            break;
        case TAIL_GONE:
            r->wrong = "the stream is gone";
            break;
        default:
            if (!sleep_until_poked(r))
                r->wrong = "nobody woke it";
        }
    }
    rings_unwatch(w);
    return NULL;
}

/* Now and then an event is another gateway's: only its offset becomes known here. */
static void *push_all(void *arg)
{
    (void)arg;
    for (int64_t o = 1; o <= LAST; o++)
        for (int p = 0; p < PARTITIONS; p++) {
            struct event ev = event_made(p, o), *list = &ev;

            atomic_store(&committed[p], o);
            if (o % 97 == 0)
                rings_target(&rings, ID, p, o);
            else
                rings_committed(&rings, ID, &list, 1);
            rings_wake(&rings, ID);
            if (o % 16 == 0)
                clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 50000 }, NULL);
        }
    return NULL;
}

static void fetch(const struct rings_gap *gap)
{
    for (int p = 0; p < PARTITIONS; p++)
        for (int64_t o = gap->pos[p] + 1, last = atomic_load(&committed[p]); o <= last; o++) {
            struct event ev = event_made(p, o);

            rings_fetched(&rings, ID, &ev, 1);
        }
}

static void *tail(void *arg)
{
    int64_t ids[4], heads[PARTITIONS];
    struct rings_gap gap;

    (void)arg;
    while (!atomic_load(&stop)) {
        while (rings_due(&rings, ids, 4)) {
            for (int p = 0; p < PARTITIONS; p++)
                heads[p] = atomic_load(&committed[p]);
            rings_heads(&rings, ID, heads, PARTITIONS);
        }
        while (rings_gap(&rings, &gap)) {
            fetch(&gap);
            stream_unref(gap.stream);
        }
        rings_poll_all(&rings);
        rings_expire(&rings, 0);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = 100000 }, NULL);
    }
    return NULL;
}

static void every_reader_gets_every_offset_once_and_in_order(void **state)
{
    struct reader readers[READERS] = { 0 };
    pthread_t pusher, fetcher;
    size_t from_ring = 0;

    (void)state;
    rings_init(&rings, CAP, 1 << 20);
    stream = stream_made("orders", ID, PARTITIONS);
    for (int i = 0; i < READERS; i++) {
        readers[i].only = i < 4 ? -1 : i - 4;
        sem_init(&readers[i].poked, 0, 0);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    assert_int_equal(pthread_create(&fetcher, NULL, tail, NULL), 0);
    assert_int_equal(pthread_create(&pusher, NULL, push_all, NULL), 0);
    pthread_join(pusher, NULL);
    for (int i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];

        pthread_join(r->thread, NULL);
        if (r->wrong)
            fail_msg("reader %d: %s", i, r->wrong);
        assert_int_equal(r->from_ring + r->from_database, r->only < 0 ? PARTITIONS * LAST : LAST);
        from_ring += r->from_ring;
        sem_destroy(&r->poked);
    }
    assert_true(from_ring > 0);
    atomic_store(&stop, true);
    pthread_join(fetcher, NULL);
    rings_free(&rings);
    stream_unref(stream);
}

static int wakes, waves; /* waves: wakes that no other one follows */

static void count(void *arg, bool more)
{
    (void)arg;
    wakes++;
    waves += !more;
}

static void those_who_wait_are_woken_in_one_wave(void **state)
{
    struct event ev = event_made(0, 1), *list = &ev;
    struct ring_event *got[1];
    struct watch *w[READERS];
    int64_t pos[PARTITIONS] = { 0 };
    size_t n;
    bool cold, shared;

    (void)state;
    rings_init(&rings, CAP, 1 << 20);
    stream = stream_made("orders", ID, PARTITIONS);
    for (int i = 0; i < READERS; i++)
        w[i] = rings_watch(&rings, stream, -1, count, NULL, &cold);
    rings_heads(&rings, ID, pos, PARTITIONS);
    for (int i = 1; i < READERS; i++) /* the first one does not look */
        assert_int_equal(rings_next(w[i], pos, got, 1, &n, &shared), TAIL_NOTHING);
    rings_committed(&rings, ID, &list, 1);
    rings_wake(&rings, ID);
    assert_int_equal(wakes, READERS - 1);
    assert_int_equal(waves, 1);
    for (int i = 0; i < READERS; i++)
        rings_unwatch(w[i]);
    rings_free(&rings);
    stream_unref(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_wait_are_woken_in_one_wave),
        cmocka_unit_test(every_reader_gets_every_offset_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
