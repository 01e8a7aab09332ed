#ifndef WEIR_DB_PROJECTION_LETTERS_H
#define WEIR_DB_PROJECTION_LETTERS_H

#include "db/letters.h"
#include "db/projections_parts.h"

/* Dead letters of projections, whose group is projection:<name>. Slices belong to the arena. */
struct fold_letter {
    uint8_t letter_id[16];
    int state;                 /* enum letter_state */
    int64_t offset, recorded_us, version;
    struct slice id, source, type, subject, attributes, data;
    int data_format;
};

extern const struct stmt FOLD_GROUP, FOLD_LETTERS, LETTERS_REFOLD, PARTS_REDRIVEN;

/* *ret_group: p == NULL: the build is gone. *ret_any: there are letters. ret_state: of the build. */
enum err db_fold_group(struct db *db, struct arena *a, int64_t projection_id, int32_t build, struct slice *ret_group, bool *ret_any,
                       int *ret_state, struct fault *f);
/* By offset: all after `after` up to `upto`, and at most `limit` of the redriven ones up to `redriven`. */
enum err db_fold_letters(struct db *db, struct arena *a, const struct part_id *part, struct slice group, int64_t after,
                         int64_t upto, int64_t redriven, int64_t limit, struct fold_letter **ret, size_t *ret_n, struct fault *f);
/* Inside a transaction that has locked the letters: the parked ones of these groups are to be folded. Their ids. */
enum err db_letters_refold(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                           const struct slice *groups, size_t group_n, struct slice note, struct rows *ret, struct fault *f);
/* Those of the gateway's parts that have redriven letters to fold. */
enum err db_parts_redriven(struct db *db, struct arena *a, int64_t owner, struct part_id **ret, size_t *ret_n, struct fault *f);

#endif
