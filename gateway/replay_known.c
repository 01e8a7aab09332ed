#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/replay.h"

/* A gateway knows the ids of a stream's last dedup_window by itself. Older events of the destination are read, as far as they may
 * be copies: so a run that is repeated after a month makes no duplicates either. */

#define KNOWN_MAX (4UL << 20)            /* events; 128 MiB */
#define KNOWN_FIRST 1024
#define MARGIN_US (1800 * US_PER_S)      /* what leaves the window so soon is looked at as well: calls take their time */
#define STEP_US (600 * US_PER_S)         /* while it runs, more of its copies leave the window: how often that is looked at */
#define CLOCKS_US (60 * US_PER_S)        /* gateways' clocks differ by less */

static size_t place_of(const struct replay_known *k, const uint8_t key[16])
{
    uint64_t at;

    memcpy(&at, key, sizeof at);         /* a digest: any part of it is as good as any */
    for (at &= k->capacity - 1; k->slots[at][15] && memcmp(k->slots[at], key, 15); at = (at + 1) & (k->capacity - 1))
        ;
    return at;
}

static void put(struct replay_known *k, const uint8_t key[16])
{
    size_t at = place_of(k, key);

    k->n += !k->slots[at][15];
    memcpy(k->slots[at], key, 15);
    k->slots[at][15] = 1;                /* taken: 15 bytes tell events apart as well as 16 */
}

static bool grow(struct replay_known *k)
{
    struct replay_known larger = { .capacity = k->capacity ? 2 * k->capacity : KNOWN_FIRST };

    if (!(larger.slots = calloc(larger.capacity, sizeof *larger.slots)))
        return false;
    for (size_t i = 0; i < k->capacity; i++)
        if (k->slots[i][15])
            put(&larger, k->slots[i]);
    free(k->slots);
    k->slots = larger.slots;
    k->capacity = larger.capacity;
    return true;
}

static bool take(struct replay *r, struct replay_known *k)
{
    for (size_t i = 0; i < k->page.n; i++) {
        if (k->n == KNOWN_MAX) {
            snprintf(r->why, sizeof r->why, "more than %lu events of %s may be copies and are older than its dedup window: copy "
                     "less at a time, with a later --from or with --type", KNOWN_MAX, r->to);
            return false;
        }
        if (k->n >= k->capacity / 4 * 3 && !grow(k)) {
            snprintf(r->why, sizeof r->why, "memory is out");
            return false;
        }
        put(k, k->page.v[i].key);
    }
    return true;
}

bool replay_known_catch_up(struct replay *r, struct replay_known *k)
{
    int64_t now_us = clock_unix_us() + r->ahead_us, until_us = now_us - r->window_us + MARGIN_US;
    struct replay_range g = { .stream = r->to, .filters = k->filters };
    char from[CLOCK_TEXT], until[CLOCK_TEXT], where[CLOCK_TEXT + 16];
    struct replay_stream to;

    until_us = until_us < now_us ? until_us : now_us + CLOCKS_US;
    if (until_us - k->from_us < (k->looked ? STEP_US : 0))
        return true;
    clock_format(k->from_us, from);
    clock_format(until_us, until);
    snprintf(g.where, sizeof g.where, "from_time=%s", from);
    snprintf(where, sizeof where, "from_time=%s", until);
    if (!replay_describe(r, r->to, &to) || !replay_range_bound(r, &g, &to, where, &k->page))
        return false;
    do {
        if (!replay_range_next(r, &g, &k->page) || !take(r, k))
            return false;
    } while (k->page.n);
    k->from_us = until_us - 2 * CLOCKS_US;
    k->looked = true;
    return true;
}

bool replay_known_has(const struct replay_known *k, const uint8_t key[16])
{
    return k->capacity && k->slots[place_of(k, key)][15];
}

void replay_known_free(struct replay_known *k)
{
    replay_page_free(&k->page);
    free(k->slots);
}
