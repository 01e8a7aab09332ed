#ifndef WEIR_ENGINE_DRY_RUN_H
#define WEIR_ENGINE_DRY_RUN_H

#include "gateway/engine/checker.h"
#include "gateway/engine/streams.h"

/* What a schema would have refused: the last events of a stream that are of a subject, checked against a schema that need not be
 * registered. Nothing is stored. Blocks. */
#define DRY_RUN_SAMPLES 10                 /* events that are shown */
#define DRY_RUN_FINDINGS 10                /* of each */
#define DRY_RUN_BYTES ((int64_t)256 << 20) /* of events that are read, */
#define DRY_RUN_US ((int64_t)20 * 1000000) /* and the time: then it ends early */

struct dry_run_sample {
    int partition;
    int64_t offset;
    struct slice id;
    struct finding v[DRY_RUN_FINDINGS];   /* of its data; without keyword and schema_pointer where it is not about one */
    size_t n;
};

struct dry_run {
    int64_t checked, refused;
    bool complete;                        /* it did not end early */
    struct dry_run_sample samples[DRY_RUN_SAMPLES];
    size_t n;
};

/* The `last` events of the subject, newest first by when they were recorded, or all there are, as publishing them under this checker,
 * whatever schema they name themselves, would be judged. stop(arg) is asked now and then whether nobody waits any more. Texts of the
 * samples are in the arena. ERR_REGISTRY: no event of this stream can be of the subject. ERR_UNKNOWN_STREAM */
enum err dry_run(struct db *db, struct arena *a, const struct stream *s, const struct schema_subject *subject,
                 struct checker *checker, int64_t last, bool (*stop)(void *arg), void *arg, struct dry_run *ret, struct fault *f);

/* Of which type events must be so that the template makes this subject of them. false: none is. ret->p == NULL: any. Text in the
 * arena. */
bool dry_run_type(struct arena *a, struct slice template, struct slice stream, const struct schema_subject *subject,
                  struct slice *ret);

#endif
