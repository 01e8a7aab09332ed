#include "gateway/base/json.h"
#include "gateway/http/body.h"

#define DEPTH_MAX 64

/* jansson would recurse 2,048 deep, too deep for our stacks. (Its header and ours cannot meet in one file.) */
enum err body_check(struct slice text, struct fault *f)
{
    struct json j;
    struct slice raw;

    json_begin(&j, text, DEPTH_MAX);
    if (json_value(&j, &raw) && json_end(&j))
        return OK;
    return fault(f, ERR_BAD_JSON, "The body is not valid JSON at byte %zu: %s", (size_t)(j.p - j.start),
                 j.error ? j.error : "something follows the value");
}
