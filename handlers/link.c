#include "handlers/link.h"

#include <ctype.h>
#include <stdlib.h>

void link_encode(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 128 && (isalnum(c) || strchr("-._~:*", c)))
            buf_char(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

void link_next(struct request *rq, struct reply *rp, struct slice after)
{
    const char *question = memchr(rq->target.p, '?', rq->target.n);
    struct buf b = { 0 };

    buf_char(&b, '<');
    buf_put(&b, rq->target.p, question ? (size_t)(question - rq->target.p) : rq->target.n);
    buf_char(&b, '?');
    for (size_t i = 0; i < rq->query_count; i++) {
        if (slice_is(rq->query[i].name, "after"))
            continue;
        link_encode(&b, rq->query[i].name);
        buf_char(&b, '=');
        link_encode(&b, rq->query[i].value);
        buf_char(&b, '&');
    }
    BUF_LIT(&b, "after=");
    link_encode(&b, after);
    BUF_LIT(&b, ">; rel=\"next\"");
    buf_char(&b, '\0');
    if (!b.failed)
        reply_header(rq, rp, "Link", b.p);
    buf_free(&b);
}

void link_page(struct request *rq, struct reply *rp, struct buf *b, struct slice next)
{
    BUF_LIT(b, "]");
    buf_member_text(b, "next", next);
    buf_char(b, '}');
    if (next.p)
        link_next(rq, rp, next);
}
