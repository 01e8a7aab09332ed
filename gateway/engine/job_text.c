#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/jobs.h"

#define FILTER_DEPTH 4

static enum err bad(struct fault *f, const char *name, const char *why)
{
    if (f)
        snprintf(f->pointer, sizeof f->pointer, "/filter%s%s", name[0] ? "/" : "", name);
    return fault(f, ERR_BAD_BODY, "%s", why);
}

/* The members as text; p == NULL: not there. */
enum { GROUP, TYPE, SUBJECT, REASON, FINGERPRINT, FROM, TO, STATE, MEMBERS };
static const char *const names[MEMBERS] = { "group", "type", "subject", "reason", "fingerprint", "from", "to", "state" };

static bool read_members(struct arena *a, struct slice text, struct slice v[MEMBERS])
{
    struct slice key, inside, value;
    bool escaped;
    struct json j;

    json_begin(&j, text, FILTER_DEPTH);
    if (!json_object_begin(&j))
        return false;
    while (json_object_next(&j, &key, &escaped)) {
        size_t i = 0;

        while (i < MEMBERS && !slice_is(key, names[i]))
            i++;
        if (i == MEMBERS || !json_scan_string(&j, &inside, &escaped) || !json_unescape(a, inside, escaped, &value))
            return false;
        v[i] = value;
    }
    return !j.error;
}

enum err job_filter_read(struct arena *a, struct slice text, struct letter_filter *ret, struct fault *f)
{
    struct slice v[MEMBERS] = { 0 };
    struct letter_filter r = { .state = LETTER_PARKED };

    if (!read_members(a, text, v))
        return bad(f, "", "It cannot be read.");
    r.group = v[GROUP];
    r.type = v[TYPE];
    r.subject = v[SUBJECT];
    r.reason = v[REASON];
    r.has_fingerprint = v[FINGERPRINT].p;
    if (r.has_fingerprint && !hex16_parse(v[FINGERPRINT], r.fingerprint))
        return bad(f, "fingerprint", "It must have 32 hexadecimal digits.");
    if (v[FROM].p && !clock_parse(v[FROM], &r.from_us))
        return bad(f, "from", "It must be an RFC 3339 time.");
    if (v[TO].p && !clock_parse(v[TO], &r.to_us))
        return bad(f, "to", "It must be an RFC 3339 time.");
    if (v[STATE].p && !slice_is(v[STATE], "parked"))
        return bad(f, "state", "Only letters that are parked can be redriven or discarded.");
    *ret = r;
    return OK;
}

static void put_bounds(struct buf *b, const struct job_row *j)
{
    if (j->letters >= 0)
        buf_printf(b, ",\"limit\":%lld", (long long)j->letters);
    else
        BUF_LIT(b, ",\"limit\":null");
    if (j->rate > 0)
        buf_printf(b, ",\"rate_per_second\":%.15g", j->rate);
    else
        BUF_LIT(b, ",\"rate_per_second\":null");
}

static const char *const kinds[] = { "redrive", "discard" };
const char *const job_state_words[JOB_STATES] = { "running", "done", "cancelled", "failed" };

void job_render(struct buf *b, const struct job_row *j)
{
    char id[UUID_TEXT];

    uuid_format(j->job_id, id);
    buf_printf(b, "{\"id\":\"%s\",\"stream\":", id);
    buf_json_string(b, j->stream);
    buf_printf(b, ",\"kind\":\"%s\",\"state\":\"%s\",\"matched\":%lld,\"done\":%lld,\"failed\":%lld,\"filter\":", kinds[j->kind],
               job_state_words[j->state], (long long)j->matched, (long long)j->done, (long long)j->failed);
    buf_slice(b, j->filter);
    put_bounds(b, j);
    buf_member_text(b, "reason", j->reason);
    buf_member_time(b, "created", j->created_us);
    buf_member_time(b, "updated", j->updated_us);
    if (j->error.p)
        buf_member_text(b, "error", j->error);
    buf_char(b, '}');
}

void job_describe(struct buf *b, const struct job_row *j, bool counts)
{
    BUF_LIT(b, "{\"stream\":");
    buf_json_string(b, j->stream);
    buf_printf(b, ",\"matched\":%lld", (long long)j->matched);
    if (counts)
        buf_printf(b, ",\"state\":\"%s\",\"done\":%lld,\"failed\":%lld", job_state_words[j->state], (long long)j->done,
                   (long long)j->failed);
    BUF_LIT(b, ",\"filter\":");
    buf_slice(b, j->filter);
    put_bounds(b, j);
    buf_member_text(b, "reason", j->reason);
    buf_char(b, '}');
}
