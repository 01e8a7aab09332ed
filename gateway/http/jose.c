#include "gateway/http/jose.h"

#include "gateway/base/json.h"

enum { DEPTH_MAX = 16 };

bool jose_base64(struct arena *a, struct slice s, struct slice *ret)
{
    return base64_decode(a, s, ret);
}

bool jose_base64url(struct arena *a, struct slice s, struct slice *ret)
{
    return base64url_decode(a, s, ret);
}

bool jose_json(struct slice text)
{
    struct json j;
    struct slice raw;

    json_begin(&j, text, DEPTH_MAX);
    return json_value(&j, &raw) && json_end(&j);
}

void jose_base64url_put(struct buf *b, struct slice s)
{
    base64url_encode(b, s);
}
