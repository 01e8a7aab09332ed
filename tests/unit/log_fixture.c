#include "tests/unit/log_fixture.h"

#include <stdio.h>

#define IDS 4096

struct stream *stream_made(const char *name, int64_t id, int partitions)
{
    struct arena *a = arena_new(1 << 16);
    struct stream *s = arena_zalloc(a, sizeof *s);

    assert_non_null(s);
    s->arena = a;
    atomic_init(&s->refs, 1);
    s->row = (struct stream_row){ .stream_id = id, .name = slice_of(name), .partitions = partitions, .subject_reads = true,
                                  .dedup_window_us = 1000000, .retention_us = -1 };
    for (int p = 0; p < PARTITIONS_MAX; p++)
        s->lane[p] = (struct lane_partition){ -1, -1 };
    return s;
}

struct event event_made(int32_t partition, int64_t offset)
{
    static _Thread_local char ids[IDS][32];
    static _Thread_local size_t next;
    char *id = ids[next++ % IDS];

    snprintf(id, sizeof *ids, "e%d-%lld", partition, (long long)offset);
    return (struct event){ .id = slice_of(id), .type = SLICE("T"), .partition = partition, .offset = offset,
                           .recorded_us = 1700000000000000 + offset, .data = SLICE("{}"), .data_format = DATA_JSON,
                           .expected_version = -1 };
}
