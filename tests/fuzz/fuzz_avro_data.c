#include <stdlib.h>

#include "gateway/engine/avro_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every kind, and types that come back to themselves. */
static const struct slice schema = SLICE(
    "{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":\"int\"},"
    "{\"name\":\"u\",\"type\":[\"null\",\"string\",\"bytes\",\"double\",\"N\",{\"type\":\"array\",\"items\":\"null\"},"
    "{\"type\":\"map\",\"values\":[\"long\",\"N\"]},"
    "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"l\",\"type\":"
    "{\"type\":\"array\",\"items\":\"N\"}}]},{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]},"
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":3},\"float\"]}]}");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema_text text = { schema, NULL, 0 };
    struct arena *a = arena_new(16 << 20);
    const struct avro_schema *s;
    struct finding found = { 0 };
    struct fault f = { 0 };
    int64_t steps = 100000;
    enum err e;
    bool good;

    if (avro_parse(&text, a, &s, &f))
        abort();
    e = avro_data_check(s, (struct slice){ (const char *)data, size }, &steps, a, &found, &good);
    if (e != OK && (e != ERR_SCHEMA_LIMIT || steps >= 0))
        abort();
    if (!e && !good && (!found.pointer.p || !found.detail.n))
        abort();
    arena_free(a);
    return 0;
}
