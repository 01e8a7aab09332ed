#include "gateway/http/assets.h"
#include "handlers/handlers.h"

/* Nothing from elsewhere, no inline script; data: for the icons inside the viewer's style sheet. */
#define DOCS_CSP                                                                                              \
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; " \
    "frame-ancestors 'none'"
/* The dashboard acts with an operator's token: only its own two files run, only this origin is called, and no text of an
 * event can become markup. */
#define UI_CSP                                                                                              \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "   \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "     \
    "trusted-types 'none'"

enum err handle_root(struct request *rq, struct reply *rp)
{
    (void)rq;
    return reply_fixed(rp, 200, "application/json",
                       SLICE("{\"name\":\"weir\",\"version\":\"" WEIR_VERSION "\",\"links\":{\"dashboard\":\"/ui\","
                             "\"docs\":\"/docs\",\"openapi\":\"/openapi.json\",\"streams\":\"/v1/streams\",\"health\":\"/healthz\","
                             "\"ready\":\"/readyz\",\"metrics\":\"/metrics\",\"version\":\"/version\"}}"));
}

enum err handle_version(struct request *rq, struct reply *rp)
{
    (void)rq;
    return reply_fixed(rp, 200, "application/json", SLICE("{\"name\":\"weir\",\"version\":\"" WEIR_VERSION "\"}"));
}

static void page_headers(struct request *rq, struct reply *rp, const char *csp)
{
    reply_header(rq, rp, "Content-Security-Policy", csp);
    reply_header(rq, rp, "Referrer-Policy", "no-referrer");
    reply_header(rq, rp, "Cross-Origin-Opener-Policy", "same-origin"); /* who opened the page does not steer it, at #/… */
}

static enum err reply_asset(struct request *rq, struct reply *rp, struct slice path, const char *csp)
{
    const struct asset *a = asset_find(path);
    enum err e;

    if (!a)
        return fault(&rq->fault, ERR_NOT_FOUND, "The pages have no file of this name.");

    bool gzip = a->gzip.p && request_accept_gzip(rq);
    const char *etag = gzip ? a->gzip_etag : a->etag;
    bool fresh = etag_listed(request_header(rq, "If-None-Match"), etag);

    e = fresh ? reply_empty(rp, 304) : reply_fixed(rp, 200, a->content_type, gzip ? a->gzip : a->bytes);
    if (e)
        return e;
    if (gzip && !fresh)
        reply_header(rq, rp, "Content-Encoding", "gzip");
    reply_header(rq, rp, "ETag", etag);
    reply_header(rq, rp, "Cache-Control", "no-cache");
    reply_header(rq, rp, "Vary", "Accept-Encoding");
    page_headers(rq, rp, csp);
    return OK;
}

enum err handle_openapi_json(struct request *rq, struct reply *rp)
{
    return reply_asset(rq, rp, SLICE("/openapi.json"), DOCS_CSP);
}

enum err handle_openapi_yaml(struct request *rq, struct reply *rp)
{
    return reply_asset(rq, rp, SLICE("/openapi.yaml"), DOCS_CSP);
}

enum err handle_docs(struct request *rq, struct reply *rp)
{
    return reply_asset(rq, rp, SLICE("/docs"), DOCS_CSP);
}

static enum err reply_asset_of(struct request *rq, struct reply *rp, const char *folder, const char *csp)
{
    struct slice name = request_path(rq, "asset");
    char *path = arena_printf(rq->arena, "%s/%.*s", folder, (int)name.n, name.p);

    if (!path)
        return ERR_NO_MEMORY;
    return reply_asset(rq, rp, slice_of(path), csp);
}

enum err handle_docs_asset(struct request *rq, struct reply *rp)
{
    return reply_asset_of(rq, rp, "/docs", DOCS_CSP);
}

enum err handle_ui(struct request *rq, struct reply *rp)
{
    return reply_asset(rq, rp, SLICE("/ui"), UI_CSP);
}

/* What people type: the page's addresses are relative to /ui. */
enum err handle_ui_slash(struct request *rq, struct reply *rp)
{
    enum err e = reply_empty(rp, 308);

    if (!e)
        reply_header(rq, rp, "Location", "../ui");
    return e;
}

enum err handle_ui_asset(struct request *rq, struct reply *rp)
{
    return reply_asset_of(rq, rp, "/ui", UI_CSP);
}

static void problem_json(struct buf *out, const struct problem *p)
{
    buf_printf(out, "{\"type\":\"/problems/%s\",\"code\":\"%s\",\"status\":%d,\"title\":", p->code, p->code, p->status);
    buf_json_string(out, slice_of(p->title));
    BUF_LIT(out, ",\"explanation\":");
    buf_json_string(out, slice_of(p->explain));
    buf_char(out, '}');
}

static void problem_html(struct buf *out, const struct problem *p)
{
    buf_printf(out,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n"
               "<link rel=\"icon\" type=\"image/svg+xml\" href=\"../docs/favicon.svg\">\n"
               "<link rel=\"stylesheet\" href=\"../docs/weir.css\">\n</head>\n",
               p->title);
    buf_printf(out,
               "<body>\n<main class=\"page\">\n<h1>%s</h1>\n<p><code>%d %s</code></p>\n<p>%s</p>\n"
               "<p><a href=\"../docs\">The HTTP API</a></p>\n</main>\n</body>\n</html>\n",
               p->title, p->status, p->code, p->explain);
}

enum err handle_problem(struct request *rq, struct reply *rp)
{
    static const char *const offers[] = { "text/html", "application/json" };
    const struct problem *p = problem_by_code(request_path(rq, "code"));
    const char *type = request_accept(rq, offers, 2);
    struct buf body = { 0 };
    enum err e;

    if (!p)
        return fault(&rq->fault, ERR_NOT_FOUND, "There is no problem of this code.");
    if (!type)
        return fault(&rq->fault, ERR_NOT_ACCEPTABLE, "There are %s and %s.", offers[0], offers[1]);
    if (type == offers[0]) {
        problem_html(&body, p);
        e = reply_bytes(rp, 200, "text/html; charset=utf-8", &body);
    } else {
        problem_json(&body, p);
        e = reply_json(rp, 200, &body);
    }
    if (e)
        return e;
    reply_header(rq, rp, "Vary", "Accept");
    page_headers(rq, rp, DOCS_CSP);
    return OK;
}
