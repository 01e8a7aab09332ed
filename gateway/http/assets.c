#include "gateway/http/assets.h"

const struct asset *asset_find(struct slice path)
{
    for (size_t i = 0; i < asset_count; i++)
        if (slice_is(path, assets[i].path))
            return &assets[i];
    return NULL;
}

static struct slice trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Cuts the part before `mark` off *rest and returns it trimmed. */
static struct slice next_part(struct slice *rest, char mark)
{
    const char *at = memchr(rest->p, mark, rest->n);
    struct slice part = { rest->p, at ? (size_t)(at - rest->p) : rest->n };
    size_t used = part.n + (at != NULL);

    rest->p += used;
    rest->n -= used;
    return trim(part);
}

bool etag_listed(struct slice if_none_match, const char *etag)
{
    struct slice rest = if_none_match;

    while (rest.n) {
        struct slice tag = next_part(&rest, ',');

        if (tag.n > 2 && memcmp(tag.p, "W/", 2) == 0)
            tag = (struct slice){ tag.p + 2, tag.n - 2 };
        if (slice_is(tag, "*") || slice_is(tag, etag))
            return true;
    }
    return false;
}
