#include <stdlib.h>

#include "gateway/engine/cursor_many.h"

/* Input: a cursor's text; after a '!' the bytes that it wraps, which get a right checksum. Whatever is taken as a cursor, of either
 * version, formats to the same text. */

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* A cursor of one stream holds its own stream's id and a hash of its name: the name is known, the id is taken from it. */
static void check_one(struct slice text)
{
    unsigned char bytes[CURSOR_BYTES];
    struct cursor c;
    char again[CURSOR_TEXT];
    int64_t id = 0;

    if (cursor_unseal(text, bytes) < 14)
        return;
    for (int i = 0; i < 8; i++)
        id |= (int64_t)((uint64_t)bytes[6 + i] << (8 * i));
    if (cursor_parse(text, SLICE("orders"), id, &c, NULL))
        return;
    demand(c.count >= 1 && c.count <= PARTITIONS_MAX);
    for (int i = 0; i < c.count; i++)
        demand(c.pos[i] >= 0 && (!c.partial || (c.partition[i] >= 0 && c.partition[i] < PARTITIONS_MAX)));
    demand(cursor_format(&c, SLICE("orders"), id, again) == text.n && memcmp(again, text.p, text.n) == 0);
}

static void check_many(struct slice text)
{
    static struct cursor_many c;
    int64_t pos[CURSOR_PARTS_MAX];
    char again[CURSOR_TEXT];
    size_t parts = 0;

    if (cursor_many_parse(text, &c, pos, NULL))
        return;
    for (size_t i = 0; i < c.n; i++) {
        demand(c.v[i].first == parts && c.v[i].partitions >= 1 && c.v[i].partitions <= PARTITIONS_MAX);
        demand(i == 0 || c.v[i].print > c.v[i - 1].print);
        parts += (size_t)c.v[i].partitions;
    }
    demand(parts <= CURSOR_PARTS_MAX);
    for (size_t i = 0; i < parts; i++)
        demand(pos[i] >= 0);
    demand(cursor_many_text(&c, pos, again) == text.n && memcmp(again, text.p, text.n) == 0);
    cursor_many_find(&c, INT64_C(0x7123456789abcdef));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char bytes[CURSOR_BYTES];
    char sealed[CURSOR_TEXT];
    struct slice text = { (const char *)data, size };

    if (size && data[0] == '!' && size - 1 <= CURSOR_BYTES - CURSOR_CHECKSUM) {
        memcpy(bytes, data + 1, size - 1);
        text = (struct slice){ sealed, cursor_seal(bytes, size - 1, sealed) };
    }
    check_one(text);
    check_many(text);
    return 0;
}
