#ifndef WEIR_ENGINE_GROUP_PARTS_H
#define WEIR_ENGINE_GROUP_PARTS_H

#include "gateway/engine/group_state.h"

/* What the files of a group's state share: group_state.c (items and keys), group_skips.c, group_ready.c, group_finish.c,
 * group_receive.c, group_changes.c (what is to be written), group_figures.c. */

/* A table of nodes by a 64-bit hash; the caller compares. */
struct node {
    struct node *next;
    uint64_t hash;
};
struct bag {
    struct node **v;
    size_t cap, n;
};
bool bag_add(struct bag *b, struct node *node, uint64_t hash);
struct node *bag_first(const struct bag *b, uint64_t hash); /* then node->next; others are among them */
void bag_remove(struct bag *b, struct node *node);
void bag_free(struct bag *b, void (*fn)(struct node *node)); /* fn (NULL: none) frees the nodes */

enum item_state {
    ITEM_SKIPPED, /* passed over, or returned uncounted: goes out as soon as it is first of its key */
    ITEM_WAITING, /* failed or redriven: not before its time */
    ITEM_LEASED
};

/* An event that was looked at and is not finished. */
struct item {
    struct node node;          /* by place */
    struct group_place at;
    uint64_t hash;             /* of its key; 0: none, and then nothing waits for it */
    struct key *key;
    struct item *key_prev, *key_next; /* of its key, in order of offset and round */
    enum item_state state;
    int32_t failures;
    bool kept;                 /* it has a row in weir.retries */
    bool single, has_letter;
    bool acked;                /* LEASED: an earlier delivery was acked late; its key is not free before this one ends */
    uint8_t letter[16];
    int64_t not_before_us;     /* WAITING */
    int64_t free_us;           /* SKIPPED and in the heap: since when */
    struct lease *lease;       /* LEASED: where, and which of it */
    size_t lease_at;
    struct chunk *chunk;       /* SKIPPED */
    size_t ready_at;           /* in the heap, from 1; 0: not there */
};

struct key {
    struct node node;
    struct item *first, *last;
    size_t n, leased;
    uint64_t failed_in;        /* the expiry that failed its first one */
};

enum entry_state { ENTRY_OPEN, ENTRY_OVER, ENTRY_HELD }; /* HELD: see item.acked. Stored as 2 bits */

struct entry {
    struct group_place at;
    uint64_t hash;             /* of its key, while it is loaded */
    enum entry_state state;
    int64_t deadline_us;       /* its own; 0: the lease's */
    struct item *item;         /* NULL when over */
};

struct lease {
    struct lease *prev, *next; /* in order of id */
    int64_t id, began_us, deadline_us, soonest_us; /* soonest: of its open entries */
    char *consumer;
    size_t n, cap, open;
    struct entry *v;
    bool stored, changed;
};

#define CHUNK_ITEMS 64
struct chunk {
    struct chunk *prev, *next;
    int64_t id;
    int32_t partition;
    size_t n;
    struct item *v[CHUNK_ITEMS]; /* in order of offset */
    bool stored, changed;
};

/* Growing lists of what has changed, in the caller's arena. */
struct list {
    char *v;
    size_t n, cap;
};

/* Memory of one size that is used again: a wave comes and goes with hundreds of items. */
struct spare {
    struct spare *next;
};

struct group_state {
    struct group_row def;
    struct slice types;          /* def.types points here */
    size_t partitions;
    int32_t generation;
    int64_t next[PARTITIONS_MAX];
    int64_t last_lease, last_chunk;
    struct bag items, keys;
    struct spare *spare_items, *spare_keys;
    struct lease *leases, *leases_last;
    struct chunk *chunks, *chunks_last;
    struct item **ready;         /* a heap by time and offset: what is first of its key and not handed out */
    size_t ready_n, ready_cap;
    size_t in_flight, retrying, skipped[PARTITIONS_MAX];
    uint64_t random;

    /* of the calls since begin */
    struct arena *arena;
    int64_t now_us;
    bool failed;                 /* out of memory */
    bool moved;                  /* positions */
    uint64_t expiry;
    struct list retries, retries_gone, leases_gone, skips_gone, deaths, resolved;
    int64_t acked, nacked, expired, delivered;

    /* of the receive that is open */
    struct lease *lease;
    size_t want;                 /* so many more */
    bool alone;                  /* what it has goes out alone */
    struct item *follow;         /* the next one of the key that was handed out last; NULL: no more of it */
    size_t followed;
    int64_t open_deadline_us;
    struct slice open_consumer;
};

/* group_state.c */
struct item *item_find(const struct group_state *s, const struct group_place *at);
struct item *item_new(struct group_state *s, const struct group_place *at, uint64_t hash, enum item_state state);
void item_free(struct group_state *s, struct item *it);   /* out of everything; who waited behind it may be first now */
void item_set(struct group_state *s, struct item *it, enum item_state state); /* keeps the counts and the heap true */
bool item_free_to_go(const struct item *it);               /* first of its key, of which nothing is handed out */
void *list_add(struct group_state *s, struct list *l, size_t size); /* zeroed; NULL: failed */

/* group_ready.c: after anything that may have changed whether, and when, it can go out */
void ready_update(struct group_state *s, struct item *it);
void ready_remove(struct group_state *s, struct item *it);

/* group_skips.c */
bool skip_add(struct group_state *s, struct item *it);
void skip_remove(struct group_state *s, struct item *it);

/* group_lease.c */
struct lease *lease_new(struct group_state *s, int64_t id, struct slice consumer); /* the newest */
void lease_free(struct group_state *s, struct lease *l);
bool lease_add(struct group_state *s, struct lease *l, struct item *it);
void lease_soonest(struct lease *l);                       /* works it out */
void lease_over(struct group_state *s, struct item *it);   /* its entry ends; the lease too with its last one */

/* Packed numbers: 7 bits a byte, least first (LEB128). */
void varint_put(struct buf *b, uint64_t v);
bool varint_get(struct slice *s, uint64_t *ret);

#endif
