#include "gateway/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/commands.h"

#define ANSWER_BYTES (64UL << 20)       /* a page of 8 MiB, all of it escaped */
#define BATCH_EVENTS 1000
#define BATCH_BYTES (4UL << 20)         /* of one request, unless one event is larger */
#define REQUESTS_PER_S 4                /* at a rate: as many events in each as that takes */
#define CLOCKS_US (60 * US_PER_S)       /* a copy is recorded after its original, but perhaps by another gateway's clock */
#define PROGRESS_US (10 * US_PER_S)

struct run {
    struct replay r;
    struct replay_range range;
    struct replay_page page;
    struct replay_known known;
    const struct replay_event *batch[BATCH_EVENTS];
    size_t batch_n, batch_bytes;
    char end[CURSOR_TEXT + 16];         /* "": at the head as it is in the beginning */
    char before[CURSOR_TEXT + 16];      /* where the page began that is being copied; "": nothing is done yet */
    int64_t rate, limit, seen;          /* rate, limit: 0: none. seen: events of the range, copied or there already */
    int64_t due_us, told_us;            /* monotonic */
    bool dry;
};

static bool say(struct run *run, const char *sentence)
{
    snprintf(run->r.why, sizeof run->r.why, "%s", sentence);
    return false;
}

/* --- what was asked for --- */

static bool read_number(const char *text, int64_t *ret)
{
    char *end;

    if (!text)
        return true;
    if (*text < '1' || *text > '9')
        return false;
    *ret = strtoll(text, &end, 10);
    return !*end && *ret < INT64_MAX / US_PER_S;
}

static bool name_fits(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return n && !name[n] && n <= 150;
}

/* "after=<cursor>" or "from_time=<time>"; false: it is neither. */
static bool read_where(const char *text, char out[CURSOR_TEXT + 16])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
    char at[CLOCK_TEXT];
    int64_t us;

    if (clock_parse(slice_of(text), &us)) {
        clock_format(us, at);
        snprintf(out, CURSOR_TEXT + 16, "from_time=%s", at);
        return true;
    }
    if (!text[0] || text[strspn(text, letters)] || strlen(text) >= CURSOR_TEXT)
        return false;
    snprintf(out, CURSOR_TEXT + 16, "after=%s", text);
    return true;
}

static const char *misused(const struct call *call, const char *url, struct run *run)
{
    if (!url || !url[0])
        return "say where the gateway is, with --url or WEIR_URL";
    if (!call->stream || !call->to_stream)
        return "say which stream is copied and into which, with --stream and --to-stream";
    if (!name_fits(call->stream) || !name_fits(call->to_stream))
        return "names of streams are of a-z, 0-9, dots, underscores and hyphens";
    if (strcmp(call->stream, call->to_stream) == 0)
        return "a stream is not copied into itself";
    if (!read_number(call->rate, &run->rate) || !read_number(call->limit, &run->limit))
        return "--rate and --limit are numbers of events, from 1";
    if (!read_where(call->from ? call->from : "earliest", run->range.where) ||
        (call->to && strcmp(call->to, "latest") && !read_where(call->to, run->end)))
        return "--from and --to are times such as 2026-01-31T12:00:00Z, or cursors";
    return NULL;
}

static bool add_filters(struct run *run, const char *name, const struct texts *t, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++) {
        char *escaped = http_escape(run->r.http, slice_of(t->v[i]));

        if (!escaped)
            return say(run, "memory is out");
        buf_printf(out, "&%s=%s", name, escaped);
        http_escape_free(escaped);
    }
    return !out->failed || say(run, "memory is out");
}

/* --- the work --- */

/* Its first event's time, less what clocks may differ by: no copy of the range is older. false, without a sentence: it is empty. */
static bool find_begin(struct run *run)
{
    int64_t first = INT64_MAX, offset, recorded_us;

    for (int p = 0; p < run->range.partitions; p++) {
        if (run->range.done[p])
            continue;
        if (!replay_probe(&run->r, run->range.stream, run->range.where, p, &run->page, &offset, &recorded_us))
            return false;
        if (!offset || offset > run->range.end[p])
            run->range.done[p] = true;
        else if (recorded_us < first)
            first = recorded_us;
    }
    run->known.from_us = first - CLOCKS_US;
    return first != INT64_MAX;
}

static bool begin(struct run *run, const struct call *call)
{
    struct replay_stream from, to;

    if (!replay_describe(&run->r, call->stream, &from) || !replay_describe(&run->r, call->to_stream, &to) ||
        !replay_range_bound(&run->r, &run->range, &from, run->end[0] ? run->end : NULL, &run->page))
        return false;
    run->r.window_us = run->dry ? 0 : to.dedup_window_us;
    return true;
}

/* At a rate, each batch has its moment. */
static void keep_pace(struct run *run)
{
    int64_t now_us = clock_mono_us(), wait_us = run->due_us - now_us;

    if (!run->rate)
        return;
    if (wait_us > 0)
        nanosleep(&(struct timespec){ wait_us / US_PER_S, wait_us % US_PER_S * 1000 }, NULL);
    else
        run->due_us = now_us;
    run->due_us += (int64_t)run->batch_n * US_PER_S / run->rate;
}

static void tell_progress(struct run *run, int64_t at_us)
{
    int64_t now_us = clock_mono_us();
    char at[CLOCK_TEXT];

    if (now_us - run->told_us < PROGRESS_US)
        return;
    run->told_us = now_us;
    clock_format(at_us, at);
    fprintf(stderr, "weir: %lld events of the range done, up to %s\n", (long long)run->seen, at);
}

static bool flush(struct run *run)
{
    size_t n = run->batch_n;
    bool good = true;

    if (n && run->dry) {
        run->r.copied += (int64_t)n;
    } else if (n) {
        keep_pace(run);
        good = replay_send(&run->r, &run->page, run->batch, n);
        tell_progress(run, run->batch[n - 1]->recorded_us);
    }
    run->batch_n = run->batch_bytes = 0;
    return good;
}

static size_t batch_events(const struct run *run)
{
    int64_t n = run->rate ? run->rate / REQUESTS_PER_S : BATCH_EVENTS;

    return n < 1 ? 1 : n < BATCH_EVENTS ? (size_t)n : BATCH_EVENTS;
}

static bool copy_page(struct run *run)
{
    size_t max = batch_events(run);

    if (!replay_known_catch_up(&run->r, &run->known))
        return false;
    for (size_t i = 0; i < run->page.n && (!run->limit || run->seen < run->limit); i++) {
        const struct replay_event *ev = &run->page.v[i];

        run->seen++;
        if (replay_known_has(&run->known, ev->key)) {
            run->r.there++;
            continue;
        }
        if ((run->batch_n == max || (run->batch_n && run->batch_bytes + ev->n > BATCH_BYTES)) && !flush(run))
            return false;
        run->batch[run->batch_n++] = ev;
        run->batch_bytes += ev->n;
    }
    return flush(run);
}

static bool copy(struct run *run)
{
    if (!find_begin(run))
        return !run->r.why[0];
    do {
        char where[sizeof run->before];

        memcpy(where, run->range.where, sizeof where);
        if (!replay_range_next(&run->r, &run->range, &run->page))
            return false;
        if (run->seen)
            memcpy(run->before, where, sizeof where);
        if (!copy_page(run))
            return false;
    } while (run->page.n && (!run->limit || run->seen < run->limit));
    return true;
}

static void summarize(const struct run *run, const struct call *call)
{
    printf("%s %lld event%s of %s to %s", run->dry ? "would copy" : "copied", (long long)run->r.copied,
           run->r.copied == 1 ? "" : "s", call->stream, call->to_stream);
    if (run->r.there)
        printf("; %lld %s there already", (long long)run->r.there, run->r.there == 1 ? "was" : "were");
    putchar('\n');
    fflush(stdout);
}

static bool run_all(struct run *run, const struct call *call, const char *url, const char *token)
{
    struct buf filters = { 0 };
    bool good = false;

    if (!(run->r.http = http_client_new(url, token && token[0] ? token : NULL, call->ca_file, ANSWER_BYTES, run->r.why)))
        return false;
    run->told_us = clock_mono_us();
    if (add_filters(run, "type", &call->types, &filters) && add_filters(run, "subject", &call->subjects, &filters)) {
        buf_char(&filters, '\0');
        run->range.stream = call->stream;
        run->range.filters = run->known.filters = filters.failed ? "" : filters.p;
        good = !filters.failed && begin(run, call);
        if (good) {
            good = copy(run);
            summarize(run, call);
        }
    }
    buf_free(&filters);
    return good;
}

int command_replay(struct call *call)
{
    const char *url = call->url ? call->url : getenv("WEIR_URL"), *wrong;
    const char *token = call->token ? call->token : getenv("WEIR_TOKEN");
    struct run *run = calloc(1, sizeof *run);
    bool good;

    if (!run)
        return complain("memory is out");
    run->dry = call->dry_run;
    run->r.to = call->to_stream;
    if ((wrong = misused(call, url, run))) {
        complain(wrong);
        free(run);
        return 2;
    }
    if (!(good = run_all(run, call, url, token)))
        complain(run->r.why);
    if (!good && strncmp(run->before, "after=", 6) == 0)
        fprintf(stderr, "weir: what is copied stays; run it again, or with --from %s, before which all is done\n", run->before + 6);
    http_client_free(run->r.http);
    replay_known_free(&run->known);
    replay_page_free(&run->page);
    free(run);
    return good ? 0 : 1;
}
