#include "gateway/engine/outbound_answer.h"

#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"

/* Calls that ended without a whole answer. known: the target has not done it, even if something was sent. */
static const struct {
    enum outbound_class class;
    bool known;
    enum breaker_outcome breaker;
    const char *type, *message;
} ends[OUTBOUND_ENDS] = {
    [OUTBOUND_WHOLE] = { OUTBOUND_AGAIN, false, BREAKER_NEITHER, "status", "The target's answer is not a success." },
    [OUTBOUND_REFUSED_HEADER] = { OUTBOUND_FAILED, true, BREAKER_VOID, "bad-request",
                                  "The request cannot be made: a line break or NUL in a header, or a malformed URL." },
    [OUTBOUND_REFUSED_HOST] = { OUTBOUND_FAILED, true, BREAKER_VOID, "blocked",
                                "The host is not one that this gateway may call." },
    [OUTBOUND_REFUSED_ADDRESS] = { OUTBOUND_FAILED, true, BREAKER_VOID, "blocked",
                                   "The host has no address that this gateway may call: private ones are not allowed." },
    [OUTBOUND_NO_NAME] = { OUTBOUND_AGAIN, true, BREAKER_BAD, "name", "The host's name could not be resolved." },
    [OUTBOUND_NO_CONNECTION] = { OUTBOUND_AGAIN, true, BREAKER_BAD, "connect", "No connection could be made." },
    [OUTBOUND_NO_TLS] = { OUTBOUND_AGAIN, true, BREAKER_BAD, "tls",
                          "TLS could not be agreed on, or the certificate did not verify." },
    [OUTBOUND_LATE] = { OUTBOUND_AGAIN, false, BREAKER_BAD, "timeout", "There was no whole answer in time." },
    [OUTBOUND_BROKEN] = { OUTBOUND_AGAIN, false, BREAKER_BAD, "broken",
                          "The connection ended before a whole HTTP answer was there." },
    [OUTBOUND_TOO_LARGE] = { OUTBOUND_AGAIN, false, BREAKER_NEITHER, "too-large",
                             "The answer is larger than outbound.answer_bytes." },
    [OUTBOUND_SHORT] = { OUTBOUND_AGAIN, false, BREAKER_VOID, "gateway", "The gateway lacks files, ports or memory for the call." },
    [OUTBOUND_ABORTED] = { OUTBOUND_AGAIN, false, BREAKER_VOID, "stopped", "The gateway stopped before an answer came." },
};

/* Statuses with a meaning of their own, first match; what is in none of the rows is tried again. */
static const struct {
    int from, to;
    bool with_retry_after;         /* it must have the header */
    enum outbound_class class;
    bool unknown;
    enum breaker_outcome breaker;
} statuses[] = {
    { 202, 202, true, OUTBOUND_NOT_YET, true, BREAKER_GOOD },
    { 200, 299, false, OUTBOUND_OK, false, BREAKER_GOOD },
    { 409, 409, false, OUTBOUND_FAILED, false, BREAKER_DECIDED },
    { 422, 422, false, OUTBOUND_FAILED, false, BREAKER_DECIDED },
    { 425, 425, false, OUTBOUND_NOT_YET, true, BREAKER_GOOD }, /* for many services it says that they are at it */
    { 300, 499, false, OUTBOUND_AGAIN, false, BREAKER_NEITHER },
    { 503, 503, true, OUTBOUND_AGAIN, false, BREAKER_BAD },
    { 100, 999, false, OUTBOUND_AGAIN, true, BREAKER_BAD },
};

static enum breaker_outcome judge_status(const struct outbound_came *came, bool unknown_before, struct outbound_answer *ret)
{
    size_t i = 0;

    while (i + 1 < sizeof statuses / sizeof *statuses &&
           (came->status < statuses[i].from || came->status > statuses[i].to ||
            (statuses[i].with_retry_after && came->retry_after_us < 0)))
        i++;
    ret->class = statuses[i].class;
    ret->unknown = statuses[i].unknown;
    if (came->status == 409 && unknown_before)
        ret->class = OUTBOUND_AGAIN; /* it may speak of the earlier attempt, which is still at it */
    return statuses[i].breaker;
}

enum breaker_outcome outbound_judge(const struct outbound_came *came, bool unknown_before, struct outbound_answer *ret)
{
    ret->status = came->status;
    ret->retry_after_us = came->retry_after_us;
    ret->aborted = came->end == OUTBOUND_ABORTED;
    if (came->end == OUTBOUND_WHOLE)
        return judge_status(came, unknown_before, ret);
    ret->class = ends[came->end].class;
    ret->unknown = came->sent && !ends[came->end].known;
    return ends[came->end].breaker;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", without the locale. */
static bool read_date(struct slice s, int64_t *ret_unix_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char form[] = "AAA, 00 AAA 0000 00:00:00 GMT";
    struct tm tm = { 0 };
    const char *month = months;

    if (s.n != sizeof form - 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool letter = (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z');
        bool digit = s.p[i] >= '0' && s.p[i] <= '9';

        if (form[i] == 'A' ? !letter : form[i] == '0' ? !digit : s.p[i] != form[i])
            return false;
    }
    while (*month && memcmp(month, s.p + 8, 3))
        month += 3;
#define TWO(at) ((s.p[at] - '0') * 10 + (s.p[(at) + 1] - '0'))
    tm.tm_mon = (int)(month - months) / 3;
    tm.tm_mday = TWO(5);
    tm.tm_year = TWO(12) * 100 + TWO(14) - 1900;
    tm.tm_hour = TWO(17);
    tm.tm_min = TWO(20);
    tm.tm_sec = TWO(23);
#undef TWO
    if (!*month || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    *ret_unix_s = timegm(&tm);
    return true;
}

int64_t outbound_retry_after(struct slice value, int64_t unix_us)
{
    const int64_t max_s = OUTBOUND_RETRY_AFTER_MAX_US / US_PER_S;
    int64_t s = 0;

    while (value.n && (*value.p == ' ' || *value.p == '\t'))
        value.p++, value.n--;
    while (value.n && strchr(" \t\r\n", value.p[value.n - 1]))
        value.n--;
    if (!value.n)
        return -1;
    if (read_date(value, &s)) {
        s = s * US_PER_S <= unix_us ? 0 : (s * US_PER_S - unix_us + US_PER_S - 1) / US_PER_S;
    } else {
        for (size_t i = 0; i < value.n; i++) {
            if (value.p[i] < '0' || value.p[i] > '9')
                return -1;
            s = s > max_s ? s : s * 10 + (value.p[i] - '0');
        }
    }
    return (s < max_s ? s : max_s) * US_PER_S;
}

static bool is_json(struct slice body, struct slice *ret)
{
    struct json j;

    json_begin(&j, body, OUTBOUND_RESULT_DEPTH);
    return json_value(&j, ret) && json_end(&j);
}

void outbound_put_result(struct buf *out, struct slice body)
{
    struct slice value;

    if (is_json(body, &value))
        buf_slice(out, value);
    else if (body.n && utf8_valid(body))
        buf_json_string(out, body);
    else
        BUF_LIT(out, "null");
}

void outbound_put_error(struct buf *out, const struct outbound_came *came)
{
    buf_printf(out, "{\"type\":\"%s\",\"message\":\"%s\"", ends[came->end].type, ends[came->end].message);
    if (came->status)
        buf_printf(out, ",\"status\":%d", came->status);
    buf_char(out, '}');
}

/* So much of a text as is whole characters. */
static struct slice shorten(struct slice text, size_t max)
{
    if (text.n > max) {
        text.n = max;
        while (text.n && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
            text.n--;
    }
    return text;
}

void outbound_put_answer(struct buf *out, const struct outbound_came *came, struct slice content_type, struct slice body, bool cut)
{
    struct slice text = shorten(body, OUTBOUND_SHOWN_BYTES), value;

    buf_printf(out, "{\"status\":%d", came->status);
    if (content_type.n && utf8_valid(content_type))
        buf_member_text(out, "content_type", content_type);
    if (body.n && (came->status / 100 != 2 || came->end != OUTBOUND_WHOLE)) {
        if (text.n == body.n && !cut && is_json(body, &value)) {
            BUF_LIT(out, ",\"body\":");
            buf_slice(out, value);
        } else if (utf8_valid(text)) {
            buf_member_text(out, "body", text);
        } else {
            buf_printf(out, ",\"bytes\":%zu", body.n);
        }
        if (cut || text.n < body.n)
            BUF_LIT(out, ",\"cut\":true");
    }
    buf_char(out, '}');
}
