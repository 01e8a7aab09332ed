#include <inttypes.h>

#include "gateway/base/metrics_table.h"

bool metric_keep(struct metric_kept *k, struct buf *text)
{
    struct buf old = *text;
    bool ok = !text->failed;

    if (ok) {
        pthread_mutex_lock(&k->lock);
        old = k->text;
        k->text = *text;
        pthread_mutex_unlock(&k->lock);
    }
    buf_free(&old);
    *text = (struct buf){ 0 };
    return ok;
}

bool metric_kept(struct metric_kept *k, struct buf *out)
{
    bool there;

    pthread_mutex_lock(&k->lock);
    there = k->text.n;
    buf_put(out, k->text.p, k->text.n);
    pthread_mutex_unlock(&k->lock);
    return there;
}

void metric_collected(struct buf *b, const struct metric_row *dropped, int64_t n, const struct metric_row *collected,
                      int64_t unix_us)
{
    metric_head(b, dropped);
    buf_printf(b, "%s %" PRId64 "\n", dropped->name, n);
    metric_head(b, collected);
    buf_printf(b, "%s %.3f\n", collected->name, (double)unix_us / 1e6);
}
