#ifndef WEIR_ENGINE_VALIDATE_H
#define WEIR_ENGINE_VALIDATE_H

#include "gateway/engine/schema_cache.h"
#include "gateway/engine/streams.h"

/* What schema_validation of a stream asks of events before they are recorded. An event's data must conform to the latest version of
 * its subject (subject_template); or to the version of it that dataschema names as /registry/schemas/ids/{id}, or that its bytes name
 * (checker_frame). An event of which the subject has no version does not conform, unless the stream has allow_unknown_types. */
#define VALIDATE_FINDINGS 20

/* Off: nothing. Warn: what does not conform gets the attribute schemaerror. Enforce: ERR_SCHEMA_VIOLATION, with up to
 * VALIDATE_FINDINGS of all events in f->findings, in the arena, and those events are marked `refused`.
 * db NULL: ERR_PARKED when that would block or take long: nothing has changed, call it again with db. Else it may block. */
enum err validate_events(struct schema_cache *c, struct db *db, const struct stream_row *s, struct events *events, struct arena *a,
                         struct fault *f);

/* The same of one that was recorded, whatever the mode, off excepted. *ret_n: findings, at most max; their pointers lead into the
 * data. db: as above. */
enum err validate_recorded(struct schema_cache *c, struct db *db, const struct stream_row *s, const struct event *ev,
                           struct arena *a, struct finding *ret, size_t max, size_t *ret_n, struct fault *f);

/* ERR_SCHEMA_VIOLATION with these findings; `rest` ends the sentence about the first. */
enum err findings_fault(struct fault *f, const struct finding *found, size_t n, const char *rest);

/* Templates hold the words {stream} and {type}. */
bool subject_template_valid(struct slice template);
struct slice subject_of(struct arena *a, struct slice template, struct slice stream, struct slice type); /* p == NULL: no memory */

#endif
