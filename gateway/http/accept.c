#include "gateway/http/accept.h"

#include <strings.h>

#include "gateway/http/internal.h"

struct range {
    struct slice type, subtype;    /* "*" or names */
    int weight;                    /* 0 to 1000 */
};

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.n && blank(s.p[0]))
        s = (struct slice){ s.p + 1, s.n - 1 };
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Takes what stands before the next `separator` outside of quotes off *rest. */
static struct slice take(struct slice *rest, char separator)
{
    bool quoted = false;
    size_t i = 0;
    struct slice part;

    for (; i < rest->n && (quoted || rest->p[i] != separator); i++) {
        if (quoted && rest->p[i] == '\\')
            i += i + 1 < rest->n;
        else if (rest->p[i] == '"')
            quoted = !quoted;
    }
    part = (struct slice){ rest->p, i };
    *rest = i < rest->n ? (struct slice){ rest->p + i + 1, rest->n - i - 1 } : (struct slice){ rest->p + i, 0 };
    return trim(part);
}

/* "0" "0.5" "1.000" → thousandths; -1: malformed. */
static int weight(struct slice s)
{
    int v = 0, unit = 1000;

    if (s.n < 1 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    v = (s.p[0] - '0') * 1000;
    for (size_t i = 2; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        unit /= 10;
        v += (s.p[i] - '0') * unit;
    }
    return v > 1000 ? -1 : v;
}

static bool parse(struct slice item, struct range *ret)
{
    struct slice media = take(&item, ';'), param;
    const char *slash = media.n ? memchr(media.p, '/', media.n) : NULL;

    if (!slash || slash == media.p || slash + 1 == media.p + media.n)
        return false;
    ret->type = (struct slice){ media.p, (size_t)(slash - media.p) };
    ret->subtype = (struct slice){ slash + 1, media.n - ret->type.n - 1 };
    ret->weight = 1000;
    while (item.n) {
        param = take(&item, ';');
        if (param.n > 2 && (param.p[0] | 0x20) == 'q' && param.p[1] == '=')
            ret->weight = weight((struct slice){ param.p + 2, param.n - 2 });
    }
    return ret->weight >= 0;
}

static bool same(struct slice s, const char *name, size_t n)
{
    return s.n == n && strncasecmp(s.p, name, n) == 0;
}

/* 3: type/subtype, 2: type and any subtype, 1: anything, 0: does not fit. */
static int fit(const struct range *r, const char *offer)
{
    size_t type_n = strcspn(offer, "/");
    const char *subtype = offer + type_n + 1;

    if (slice_is(r->type, "*"))
        return slice_is(r->subtype, "*");
    if (!same(r->type, offer, type_n))
        return 0;
    if (slice_is(r->subtype, "*"))
        return 2;
    return same(r->subtype, subtype, strcspn(subtype, "; ")) ? 3 : 0;
}

static int offer_weight(struct slice header, const char *offer)
{
    struct range r = { 0 };
    int best_fit = 0, w = 0;

    while (header.n) {
        struct slice item = take(&header, ',');
        int f = item.n && parse(item, &r) ? fit(&r, offer) : 0;
        if (f > best_fit || (f && f == best_fit && r.weight > w)) {
            best_fit = f;
            w = r.weight;
        }
    }
    return w;
}

const char *accept_best(struct slice header, const char *const *offers, size_t n)
{
    const char *best = NULL;
    int most = 0;

    if (n == 0 || trim(header).n == 0)
        return n ? offers[0] : NULL;
    for (size_t i = 0; i < n; i++) {
        int w = offer_weight(header, offers[i]);
        if (w > most) {
            most = w;
            best = offers[i];
        }
    }
    return best;
}

bool accept_gzip(struct slice header)
{
    int gzip = -1, any = -1, identity = -1;

    while (header.n) {
        struct slice item = take(&header, ','), coding = take(&item, ';');
        int w = 1000;

        while (item.n) {
            struct slice param = take(&item, ';');
            if (param.n >= 2 && (param.p[0] | 0x20) == 'q' && param.p[1] == '=')
                w = weight((struct slice){ param.p + 2, param.n - 2 });
        }
        if (same(coding, "gzip", 4) || same(coding, "x-gzip", 6))
            gzip = w;
        else if (same(coding, "identity", 8))
            identity = w;
        else if (slice_is(coding, "*"))
            any = w;
    }
    gzip = gzip < 0 ? any : gzip;
    return gzip > 0 && gzip >= identity;
}

struct all {
    struct arena *arena;
    const char *name;
    struct slice text;
    bool failed;
};

/* Several headers of a name are one list (RFC 9110 5.3). */
static void add(void *arg, struct slice name, struct slice value)
{
    struct all *all = arg;
    char *joined;

    if (!same(name, all->name, strlen(all->name)))
        return;
    if (!all->text.n) {
        all->text = value;
        return;
    }
    joined = arena_printf(all->arena, "%.*s,%.*s", (int)all->text.n, all->text.p, (int)value.n, value.p);
    all->failed = all->failed || !joined;
    if (joined)
        all->text = slice_of(joined);
}

const char *request_accept(const struct request *rq, const char *const *offers, size_t n)
{
    struct all all = { .arena = rq->arena, .name = "accept" };

    request_headers(rq, add, &all);
    if (rq->in->by_ticket) { /* the one among the caller's own: it compares pointers */
        for (; n && strcmp(*offers, "text/event-stream") != 0; n--)
            offers++;
        n = n > 0;
    }
    return all.failed ? NULL : accept_best(all.text, offers, n);
}

bool request_accept_gzip(const struct request *rq)
{
    struct all all = { .arena = rq->arena, .name = "accept-encoding" };

    request_headers(rq, add, &all);
    return !all.failed && accept_gzip(all.text);
}
