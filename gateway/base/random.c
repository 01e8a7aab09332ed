#include "gateway/base/random.h"

#include <sys/random.h>

bool random_id(int64_t *ret)
{
    uint64_t v;

    if (getrandom(&v, sizeof v, 0) != sizeof v)
        return false;
    *ret = (int64_t)(v >> 1);
    return *ret > 0;
}

bool random_uuid(uint8_t ret[16])
{
    return getrandom(ret, 16, 0) == 16;
}
