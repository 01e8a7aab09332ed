#include <strings.h>
#include <zlib.h>

#include "gateway/http/encode.h"
#include "gateway/http/internal.h"

/* Content-Encoding (RFC 9110 8.4): gzip (RFC 1952), by zlib, on a worker thread. */

#define LEVEL 1                         /* JSON shrinks four times at the least cost; the higher ones win little */
#define WINDOW (16 + MAX_WBITS)         /* 16: a gzip header instead of zlib's */
#define MEMORY 8                        /* zlib's default: 256 KiB while it runs */
#define STEP ((size_t)64 << 10)

static bool has_suffix(struct slice s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.n >= n && strncasecmp(s.p + s.n - n, suffix, n) == 0;
}

bool encode_type(const char *content_type)
{
    static const char *const types[] = { "application/json", "application/x-ndjson", "application/yaml",
                                         "application/javascript" };
    struct slice type = { content_type, content_type ? strcspn(content_type, "; ") : 0 };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (type.n == strlen(types[i]) && strncasecmp(type.p, types[i], type.n) == 0)
            return true;
    return has_suffix(type, "+json") || (type.n > 5 && strncasecmp(type.p, "text/", 5) == 0 && !has_suffix(type, "/event-stream"));
}

bool encode_gzip(struct slice in, struct buf *out)
{
    z_stream z = { 0 };
    int state = Z_OK;

    if (deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    while (state == Z_OK && out->n < in.n && buf_reserve(out, STEP)) {
        size_t left = in.n - z.total_in;

        z.next_in = (Bytef *)(uintptr_t)(in.p + z.total_in);
        z.avail_in = left < STEP ? (uInt)left : (uInt)STEP;
        z.next_out = (Bytef *)out->p + out->n;
        z.avail_out = (uInt)STEP;
        state = deflate(&z, left <= STEP ? Z_FINISH : Z_NO_FLUSH);
        out->n += STEP - z.avail_out;
    }
    deflateEnd(&z);
    return state == Z_STREAM_END && out->n < in.n;
}

bool encode_wanted(struct request_internal *in)
{
    const struct request *rq = &in->rq;
    const struct reply *rp = &in->reply;
    size_t least = (size_t)rq->config->http_gzip_bytes;

    if (in->encoded || !least || rp->reader || rp->fixed.p || rp->body.n < least || !encode_type(rp->content_type))
        return false;
    in->varies = true;
    return request_accept_gzip(rq);
}

/* A strong tag names the bytes (RFC 9110 8.8.1): these are others. */
static void weaken_etag(struct request *rq, struct reply *rp)
{
    for (size_t i = 0; i < rp->header_count; i++) {
        const char *weak;

        if (strcmp(rp->headers[i].name, "ETag") == 0 && rp->headers[i].value[0] == '"' &&
            (weak = arena_printf(rq->arena, "W/%s", rp->headers[i].value)))
            rp->headers[i].value = weak;
    }
}

void encode_reply(struct request *rq)
{
    struct request_internal *in = rq->in;
    struct reply *rp = &in->reply;
    struct buf packed = { 0 };

    in->encoded = true;
    if (rp->header_count == REPLY_HEADERS_MAX || !encode_gzip((struct slice){ rp->body.p, rp->body.n }, &packed)) {
        buf_free(&packed);
        return;
    }
    buf_free(&rp->body);
    rp->body = packed;
    weaken_etag(rq, rp);
    reply_header(rq, rp, "Content-Encoding", "gzip");
}
