#include "gateway/engine/outbound_wire.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/glob.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/outbound_address.h"
#include "gateway/engine/outbound_mask.h"
#include "gateway/engine/outbound_sign.h"

#define MS_PER_S 1000L
#define IDLE_CONNECTION_S 60L      /* servers close kept-alive connections, too */
#define OLD_CONNECTION_S 300L      /* names may mean other addresses by then */

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct wire *f = arg;
    size_t room = f->config->answer_bytes - f->body.n;

    (void)size; /* 1 */
    f->too_large = n > room;
    buf_put(&f->body, p, n < room ? n : room);
    return f->too_large || f->body.failed ? CURL_WRITEFUNC_ERROR : n;
}

/* The value, if the line is the header of this name (with its colon). */
static bool is_header(struct slice line, const char *name, struct slice *ret)
{
    size_t n = strlen(name);

    if (line.n < n || strncasecmp(line.p, name, n) != 0)
        return false;
    *ret = (struct slice){ line.p + n, line.n - n };
    while (ret->n && strchr(" \t", *ret->p))
        ret->p++, ret->n--;
    while (ret->n && strchr(" \t\r\n", ret->p[ret->n - 1]))
        ret->n--;
    return true;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
    struct wire *f = arg;
    struct slice line = { p, n }, value;

    (void)size; /* 1 */
    f->header_bytes += n;
    if (f->header_bytes > WIRE_HEADER_BYTES) {
        f->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (n >= 5 && !memcmp(p, "HTTP/", 5)) { /* a further answer: the one before was 1xx */
        f->type[0] = '\0';
        f->retry_after_us = -1;
    }
    if (is_header(line, "content-type:", &value) && value.n < sizeof f->type && !memchr(value.p, '\0', value.n)) {
        memcpy(f->type, value.p, value.n);
        f->type[value.n] = '\0';
    }
    if (is_header(line, "retry-after:", &value))
        f->retry_after_us = outbound_retry_after(value, clock_unix_us());
    return n;
}

/* Errors of a gateway that has no more files, memory, or ports. */
static bool is_lack(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

/* Names and certificates need files, too, and libcurl does not say why they failed. */
static bool no_files(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return is_lack(errno);
    close(fd);
    return false;
}

/* The guard: libcurl asks for each address that it is about to connect to, after names were resolved. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *at)
{
    struct wire *f = arg;
    int fd;

    (void)purpose;
    if (!f->private && !outbound_address_public(&at->addr)) {
        f->blocked++;
        return CURL_SOCKET_BAD;
    }
    fd = socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
    f->opened += fd >= 0;
    f->lacking |= fd < 0 && is_lack(errno);
    return fd;
}

/* The guard again, for the connection that the request is about to go by: one that was kept may be from a time when the target could be
 * private. */
static int before_request(void *arg, char *address, char *own_address, int port, int own_port)
{
    struct wire *f = arg;

    (void)own_address, (void)port, (void)own_port;
    f->refused = !f->private && !outbound_text_public(address);
    return f->refused ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* CURLOPT_CAINFO would take the place of the system's authorities. */
static CURLcode add_authorities(CURL *curl, void *ctx, void *arg)
{
    (void)curl;
    return SSL_CTX_load_verify_locations(ctx, arg, NULL) == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static void set_up(struct wire *f)
{
    CURL *c = f->curl;

    curl_easy_setopt(c, CURLOPT_PRIVATE, f);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* not even the environment's */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* a name that does not resolve in time holds up nobody else */
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
    curl_easy_setopt(c, CURLOPT_MAXLIFETIME_CONN, OLD_CONNECTION_S);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, f);
    if (f->config->ca_file && *f->config->ca_file) {
        curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, add_authorities);
        curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, f->config->ca_file);
    }
}

struct wire *wire_new(const struct outbound_client_config *c)
{
    struct wire *f = calloc(1, sizeof *f);

    if (!f || !(f->curl = curl_easy_init())) {
        free(f);
        return NULL;
    }
    f->config = c;
    set_up(f);
    return f;
}

void wire_free(struct wire *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->curl);
    curl_slist_free_all(f->headers);
    buf_free(&f->body);
    outbound_file_free(f->file);
    free(f);
}

static bool host_allowed(const char *patterns, const char *target)
{
    struct slice host = outbound_host(slice_of(target));
    bool found = !patterns || !*patterns;

    for (const char *p = patterns; !found && *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");

        found = n && glob_match((struct slice){ p, n }, host);
        p += n;
    }
    return found;
}

static bool add_line(struct wire *f, const char *line)
{
    struct curl_slist *more = curl_slist_append(f->headers, line);

    f->headers = more ? more : f->headers;
    f->lacking |= !more;
    return more;
}

/* An empty value is written so that libcurl sends it all the same. A line break would make another header of it. */
static bool add_header(struct wire *f, struct slice name, struct slice value)
{
    struct buf line = { 0 };
    bool good = true;

    for (size_t i = 0; good && i < value.n; i++)
        good = value.p[i] != '\r' && value.p[i] != '\n' && value.p[i] != '\0';
    buf_slice(&line, name);
    buf_str(&line, value.n ? ": " : ";");
    buf_slice(&line, value);
    buf_char(&line, '\0');
    f->lacking |= line.failed;
    good = good && !line.failed && add_line(f, line.p);
    buf_free(&line);
    return good;
}

/* Idempotency-Key, traceparent, and the signature by Standard Webhooks. */
static bool add_own(struct wire *f, const struct outbound_rules *rules)
{
    const struct outbound_call *call = f->call;
    int64_t unix_s = clock_unix_us() / US_PER_S;
    struct buf id = { 0 }, text = { 0 };
    bool good;

    outbound_id(&id, call->key);
    good = !id.failed && add_line(f, "Expect:") && /* libcurl shall not wait for a 100 */
           add_header(f, SLICE("Idempotency-Key"), (struct slice){ id.p, id.n });
    if (call->traceparent.p)
        good = good && add_header(f, SLICE("traceparent"), call->traceparent);
    if (good && rules && rules->key_n) {
        buf_i64(&text, unix_s);
        good = add_header(f, SLICE("webhook-id"), (struct slice){ id.p, id.n }) &&
               add_header(f, SLICE("webhook-timestamp"), (struct slice){ text.p, text.n });
        buf_reset(&text);
        outbound_sign(&text, rules->keys, rules->key_n, (struct slice){ id.p, id.n }, unix_s, call->body);
        good = good && !text.failed && add_header(f, SLICE("webhook-signature"), (struct slice){ text.p, text.n });
    }
    f->lacking |= id.failed || text.failed;
    buf_free(&id);
    buf_free(&text);
    return good;
}

static bool add_headers(struct wire *f, const struct outbound_rules *rules)
{
    const struct outbound_call *call = f->call;
    bool good = call->header_n <= OUTBOUND_HEADERS_MAX, typed = !call->body.p;

    for (size_t i = 0; good && i < call->header_n; i++) {
        const struct outbound_header *h = &call->headers[i];

        typed = typed || (h->name.n == 12 && !strncasecmp(h->name.p, "Content-Type", 12));
        good = outbound_header_good(h->name) && add_header(f, h->name, h->value);
    }
    return good && (typed || add_header(f, SLICE("Content-Type"), SLICE("application/json"))) && add_own(f, rules);
}

static long as_ms(int64_t us)
{
    return us > 1000 ? (long)(us / 1000) : 1;
}

static bool set_request(struct wire *f)
{
    const struct outbound_call *call = f->call;
    bool bare = slice_is(call->method, "GET") || slice_is(call->method, "DELETE");
    int64_t connect_us = call->timeout_us < f->config->connect_timeout_us ? call->timeout_us : f->config->connect_timeout_us;
    char *url = strndup(call->url.p, call->url.n), method[8];
    CURLcode code = url ? CURLE_OK : CURLE_OUT_OF_MEMORY;

    snprintf(method, sizeof method, "%.*s", (int)call->method.n, call->method.p);
    code = code ? code : curl_easy_setopt(f->curl, CURLOPT_URL, url);
    if (call->body.p || !bare) {
        code = code ? code : curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        code = code ? code : curl_easy_setopt(f->curl, CURLOPT_POSTFIELDS, call->body.p ? call->body.p : "");
    } else {
        code = code ? code : curl_easy_setopt(f->curl, CURLOPT_POSTFIELDS, NULL);
        code = code ? code : curl_easy_setopt(f->curl, CURLOPT_HTTPGET, 1L);
    }
    code = code ? code : curl_easy_setopt(f->curl, CURLOPT_CUSTOMREQUEST, method);
    code = code ? code : curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(f->curl, CURLOPT_TIMEOUT_MS, as_ms(call->timeout_us));
    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT_MS, as_ms(connect_us));
    free(url);
    f->lacking |= code == CURLE_OUT_OF_MEMORY;
    return code == CURLE_OK && !memchr(call->url.p, '\0', call->url.n);
}

enum outbound_end wire_begin(struct wire *f, struct outbound_call *call)
{
    const struct outbound_rules *rules;
    const char *why;

    f->call = call;
    f->begun_us = clock_unix_us();
    f->retry_after_us = -1;
    f->file = f->config->file(f->config->arg);
    if (!outbound_method_good(call->method) || !outbound_target(call->url, f->target, &why))
        return OUTBOUND_REFUSED_HEADER;
    if (!host_allowed(f->config->allow_hosts, f->target))
        return OUTBOUND_REFUSED_HOST;
    rules = outbound_file_rules(f->file, slice_of(f->target));
    f->private = f->config->allow_private || (rules && rules->allow_private);
    if (add_headers(f, rules) && set_request(f))
        return OUTBOUND_WHOLE;
    return f->lacking ? OUTBOUND_SHORT : OUTBOUND_REFUSED_HEADER;
}

/* Whether it is this gateway that could not: that says nothing of the target. */
static bool is_short(const struct wire *f, CURLcode code)
{
    long error = 0;

    switch (code) {
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_WRITE_ERROR: /* no memory for the body */
        return true;
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(f->curl, CURLINFO_OS_ERRNO, &error);
        return f->lacking || is_lack((int)error);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return no_files();
    default:
        return false;
    }
}

/* What libcurl says of a call that it gave up. */
static enum outbound_end end_of(const struct wire *f, CURLcode code, bool sent, int status)
{
    if (f->too_large)
        return status / 100 == 2 || f->header_bytes > WIRE_HEADER_BYTES ? OUTBOUND_TOO_LARGE : OUTBOUND_WHOLE;
    if (code == CURLE_OUT_OF_MEMORY && sent) /* so older releases say that a line of the header has no end */
        return OUTBOUND_TOO_LARGE;
    if (is_short(f, code))
        return OUTBOUND_SHORT;
    switch (code) {
    case CURLE_OK:
        return OUTBOUND_WHOLE;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also of an answer that is not HTTP */
        return sent ? OUTBOUND_BROKEN : OUTBOUND_REFUSED_HEADER;
    case CURLE_COULDNT_RESOLVE_HOST:
        return OUTBOUND_NO_NAME;
    case CURLE_COULDNT_CONNECT:
        return f->blocked && !f->opened ? OUTBOUND_REFUSED_ADDRESS : OUTBOUND_NO_CONNECTION;
    case CURLE_ABORTED_BY_CALLBACK:
        return f->refused ? OUTBOUND_REFUSED_ADDRESS : OUTBOUND_SHORT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return sent ? OUTBOUND_BROKEN : OUTBOUND_NO_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return OUTBOUND_LATE;
    default:
        return sent ? OUTBOUND_BROKEN : OUTBOUND_NO_CONNECTION;
    }
}

/* The parts of the answer, one after the other in one buffer. */
static void render(struct wire *f, const struct outbound_came *came, struct buf *out, struct outbound_answer *a)
{
    struct slice body = { f->body.p, f->body.n };
    size_t n;

    outbound_mask(f->file, slice_of(f->target), f->body.p, f->body.n, f->too_large || came->end != OUTBOUND_WHOLE);
    outbound_mask(f->file, slice_of(f->target), f->type, strlen(f->type), false);
    outbound_put_result(out, a->class == OUTBOUND_OK ? body : SLICE_NONE);
    n = out->n;
    outbound_put_error(out, came);
    size_t error_n = out->n - n;
    outbound_put_answer(out, came, slice_of(f->type), body, f->too_large);
    if (out->failed)
        return;
    a->result = a->class == OUTBOUND_OK ? (struct slice){ out->p, n } : SLICE_NONE;
    a->error = a->class == OUTBOUND_OK ? SLICE_NONE : (struct slice){ out->p + n, error_n };
    a->answer = came->status ? (struct slice){ out->p + n + error_n, out->n - n - error_n } : SLICE_NONE;
}

static void count(const struct outbound_answer *a, enum outbound_end end)
{
    bool blocked = end == OUTBOUND_REFUSED_HOST || end == OUTBOUND_REFUSED_ADDRESS;

    metric_add(a->class == OUTBOUND_OK      ? M_OUTBOUND_SUCCEEDED
               : blocked                    ? M_OUTBOUND_BLOCKED
               : a->class == OUTBOUND_AGAIN ? M_OUTBOUND_FAILED
                                            : M_OUTBOUND_REFUSED, 1);
    metric_observe(M_OUTBOUND_SECONDS, (double)(a->ended_us - a->begun_us) / US_PER_S);
}

static void reset(struct wire *f)
{
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(f->headers);
    outbound_file_free(f->file);
    buf_reset(&f->body);
    f->headers = NULL;
    f->file = NULL;
    f->call = NULL;
    f->header_bytes = 0;
    f->type[0] = '\0';
    f->opened = f->blocked = 0;
    f->refused = f->too_large = f->lacking = false;
}

void wire_end(struct wire *f, enum outbound_end end, CURLcode code, bool stood_still)
{
    struct outbound_answer a = { .error = SLICE("{\"type\":\"memory\",\"message\":\"The gateway is out of memory.\"}") };
    struct outbound_call *call = f->call;
    struct outbound_slot slot = call->slot;
    enum breaker_outcome o;
    struct buf out = { 0 };
    long request_n = 0, status = 0;

    if (end == OUTBOUND_WHOLE || end == OUTBOUND_ABORTED) {
        curl_easy_getinfo(f->curl, CURLINFO_REQUEST_SIZE, &request_n);
        curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    }
    if (end == OUTBOUND_WHOLE)
        end = end_of(f, code, request_n > 0, (int)status);

    struct outbound_came came = { end, request_n > 0, (int)status, f->retry_after_us };

    o = outbound_judge(&came, call->unknown_before, &a);
    if (stood_still && (end == OUTBOUND_LATE || end == OUTBOUND_BROKEN))
        o = BREAKER_VOID;
    a.begun_us = f->begun_us;
    a.ended_us = clock_unix_us();
    render(f, &came, &out, &a);
    if (out.failed && a.class == OUTBOUND_OK) { /* its result cannot be told */
        a.class = OUTBOUND_AGAIN;
        a.unknown = true;
    }
    count(&a, end);
    f->config->ended(f->config->arg, slot, o, &a);
    reset(f);
    call->done(call, &a);
    buf_free(&out);
}
