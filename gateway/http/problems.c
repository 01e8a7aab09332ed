#include "gateway/http/reply.h"

/* Rows without a code are never answered as themselves: see problem_of. The others stand in docs/problems.md and
 * openapi.yaml; tests/unit/test_problems.c holds them together. Titles and explanations stand in HTML as they are. */
/* clang-format off */
const struct problem problems[] = {
    [OK] = { 0 },
    [ERR_PARKED] = { 0 },

    [ERR_BAD_REQUEST] = { 400, "bad-request", "The request is malformed",
        "Its framing, its target or a header is not valid HTTP, or is not acceptable here. The detail says which." },
    [ERR_BAD_PARAMETER] = { 400, "bad-parameter", "A parameter is wrong",
        "A query parameter or header is unknown, malformed, out of its bounds, or contradicts another one. Unknown "
        "parameters are refused so that a misspelt filter does not quietly select everything." },
    [ERR_BAD_JSON] = { 400, "bad-json", "The body is not valid JSON",
        "The body must be JSON by RFC 8259 in UTF-8, within the limit of nesting. The detail says at which byte it "
        "ends being so." },
    [ERR_BAD_BODY] = { 400, "bad-body", "The body is not what this call takes",
        "A member is unknown, missing, of the wrong type or out of its bounds. Each entry of errors points to one." },
    [ERR_BAD_EVENT] = { 400, "bad-event", "The event is not a valid CloudEvent",
        "An attribute is missing, has the wrong type or a bad name, or the request has no event at all. Nothing of "
        "the request was recorded. Each entry of errors points to the member." },
    [ERR_BAD_NAME] = { 400, "bad-name", "The name is not allowed",
        "Names begin with a lower-case letter or a digit, go on with these, dots, underscores and hyphens, and "
        "have at most 120 characters." },
    [ERR_BAD_CURSOR] = { 400, "bad-cursor", "The cursor is malformed",
        "A cursor is opaque: send it as an answer gave it, or send earliest or latest. This one was cut, altered "
        "or made up." },
    [ERR_CURSOR_PARTIAL] = { 400, "cursor-partial", "The cursor names only some partitions",
        "The cursor of a receipt names its event's own partition. To read on after a publish, take the header "
        "Weir-Cursor of its answer." },
    [ERR_CURSOR_FOREIGN] = { 400, "cursor-foreign", "The cursor belongs to another stream",
        "A cursor is good for the stream that it came from, and for no other; one of several streams for a selection "
        "that has all of them." },
    [ERR_TOO_MANY_PARTITIONS] = { 400, "too-many-partitions", "Too many partitions are read together",
        "A read of several streams covers at most 256 partitions, and a cursor at most 2,048 characters. Narrow the "
        "patterns, or read in several calls." },

    [ERR_UNAUTHENTICATED] = { 401, "unauthenticated", "A token is needed",
        "Send a JWT in the header Authorization, after the word Bearer. Tokens are never accepted in a URL." },
    [ERR_INVALID_TOKEN] = { 401, "invalid-token", "The token is not valid",
        "Its signature, its issuer, its audience or its time does not hold, or its key is not known here. Get a "
        "new one; the detail helps its owner." },
    [ERR_FORBIDDEN] = { 403, "insufficient-scope", "The token does not grant this",
        "The token is valid but lacks the right that this call needs on this name. Rights are checked before "
        "existence, so this says nothing of whether it exists." },
    [ERR_RESERVED_NAME] = { 403, "reserved-name", "The name is Weir's own",
        "Names that begin with an underscore or with saga. or end in .dlq are Weir's own. Streams of such names are read "
        "like any other, and written by Weir alone." },

    [ERR_NOT_FOUND] = { 404, "not-found", "There is nothing here",
        "No route or resource has this path. The paths are listed at /docs." },
    [ERR_UNKNOWN_STREAM] = { 404, "unknown-stream", "There is no such stream",
        "Create it with PUT, or let publishing create it with the setting streams.auto_create." },
    [ERR_UNKNOWN_GROUP] = { 404, "unknown-group", "There is no such consumer group",
        "Create it with PUT on its path." },
    [ERR_UNKNOWN_LETTER] = { 404, "unknown-letter", "There is no such dead letter",
        "The stream has no letter of this id: it never had one, or retention has removed it." },
    [ERR_UNKNOWN_JOB] = { 404, "unknown-job", "There is no such job",
        "It was never made, its stream was deleted, it ended longer ago than the setting jobs.retention, or the token has no "
        "right to dlq on its stream." },
    [ERR_UNKNOWN_PROJECTION] = { 404, "unknown-projection", "There is no such projection",
        "Define it with PUT on its path." },
    [ERR_UNKNOWN_KEY] = { 404, "unknown-key", "The key has no state",
        "No event of this key was folded yet, or an event has deleted its state. To read what was published just now, send its "
        "cursor in at_least." },
    [ERR_UNKNOWN_SAGA] = { 404, "unknown-saga", "There is no such saga",
        "Define it with PUT on its path. A version that was asked for was never made." },
    [ERR_UNKNOWN_INSTANCE] = { 404, "unknown-instance", "The saga has no such instance",
        "It was never started, or it ended longer ago than the setting sagas.keep." },
    [ERR_UNKNOWN_STEP] = { 404, "unknown-step", "The instance has no such step",
        "An instance runs the version of the saga that was the newest when it began. Its steps are those that a GET on it lists." },
    [ERR_UNKNOWN_SUBJECT] = { 404, "unknown-subject", "There is no such subject",
        "The stream has no event of this subject: none was published, or retention has removed them all and no snapshot was "
        "stored. Its version is 0: publish its first event with expectedversion 0, or If-None-Match: *." },
    [ERR_UNKNOWN_SNAPSHOT] = { 404, "unknown-snapshot", "There is no snapshot",
        "No snapshot of this subject is stored: its state is what its events from version 1 on make of it." },
    [ERR_METHOD_NOT_ALLOWED] = { 405, "method-not-allowed", "The path has no such method",
        "The header Allow lists the methods that it has." },
    [ERR_NOT_ACCEPTABLE] = { 406, "not-acceptable", "No acceptable media type",
        "The header Accept names none of the media types that this call can answer with. They are listed at /docs." },

    [ERR_CONFLICT] = { 409, "conflict", "The state does not allow this",
        "Something changed at the same time, or the resource is not in a state for this call. Read it again and "
        "decide again." },
    [ERR_PARTITIONS_FIXED] = { 409, "partitions-fixed", "The number of partitions is fixed",
        "It is chosen when the stream is created, because it decides in which partition a key lives. Create "
        "another stream and copy." },
    [ERR_ID_REUSED] = { 409, "id-reused", "The id was used for another event",
        "An event of this source and id with other content stands in the stream already. Send a retry as it was, "
        "and give a new event a new id." },
    [ERR_SUBJECT_MOVED] = { 409, "subject-moved", "The subject lives in another partition",
        "All events of a subject are in one partition, so a subject must keep its partitionkey." },
    [ERR_IDEMPOTENCY_IN_FLIGHT] = { 409, "idempotency-in-flight", "A request with this Idempotency-Key is in process",
        "The first request under the key has not been answered yet. Send this one again after Retry-After: it is then "
        "answered as the first was." },
    [ERR_PATCH_TEST_FAILED] = { 409, "patch-test-failed", "A test of the JSON Patch failed",
        "The data are not what an operation test of the patch expects, so nothing was changed. The pointer names the operation." },
    [ERR_PROJECTION_STOPPED] = { 409, "projection-stopped", "The projection does not go on by itself",
        "It is paused, or an event could not be folded, so waiting for at_least would be in vain: GET the projection tells why, "
        "and POST resume has it go on. The member position is how far it is; without at_least its states can be read." },
    [ERR_SNAPSHOT_VERSION] = { 409, "snapshot-version", "The snapshot's version does not fit",
        "A snapshot is the state at a version that the subject has had, current_version at most, and takes the place of one of "
        "the same version or an earlier one. To go back to an earlier one, delete the stored one before." },
    [ERR_SUBJECT_READS_OFF] = { 409, "subject-reads-off", "The subject's events are not in the index",
        "They were recorded while the stream's subject_reads was off, and finding them means looking at more events of the "
        "partition than the setting read.scan_events allows. Read the stream with the filter subject instead, or begin "
        "with a snapshot." },

    [ERR_CURSOR_EXPIRED] = { 410, "cursor-expired", "Events after the cursor have been removed",
        "Retention has removed events that come after this cursor: they cannot be read any more. The member "
        "earliest is the cursor to go on from, the same one with only the expired partitions moved up." },
    [ERR_CURSOR_UNKNOWN] = { 410, "cursor-unknown", "The cursor names what is not there",
        "The stream was deleted and made again, or the database was restored to a time before this cursor. What "
        "was read after that time may not exist any more: start again from earliest, or decide otherwise." },

    [ERR_VERSION_GONE] = { 410, "version-gone", "Events of these versions are not there",
        "Retention has removed events that were asked for: earliest_version is the first version that is kept, and a state that "
        "is made of what is left is another one unless it begins with a snapshot. Or the version that was asked for is "
        "beyond current_version: the database was set back, or the subject was forgotten and began anew." },

    [ERR_TIMEOUT] = { 408, "request-timeout", "The request did not arrive in time",
        "Headers and body must arrive within the setting http.request_timeout." },
    [ERR_VERSION_CONFLICT] = { 412, "version-conflict", "The subject has another version",
        "Somebody else published to the subject since it was read. Read it again, decide again, and publish with "
        "the new version; current_version says what it is. Nothing was recorded." },
    [ERR_BODY_TOO_LARGE] = { 413, "body-too-large", "The body is too large",
        "It is above the limit of this call, or the call takes no body. Publish in smaller requests, or raise the "
        "limit." },
    [ERR_EVENT_TOO_LARGE] = { 413, "event-too-large", "An event is too large",
        "It is above the limit of one event. Keep the data elsewhere and publish where it is, or raise the limit." },
    [ERR_TOO_MANY_EVENTS] = { 413, "too-many-events", "Too many events in one request",
        "Publish them in several requests: each is atomic by itself." },
    [ERR_UNSUPPORTED_MEDIA_TYPE] = { 415, "unsupported-media-type", "The body has a type that this call does not take",
        "Send one of the content types listed at /docs, without Content-Encoding. Other types can be published in "
        "binary mode, with the header ce-specversion." },
    [ERR_IDEMPOTENCY_KEY_REUSED] = { 422, "idempotency-key-reused", "The Idempotency-Key was used for another request",
        "A key stands for one request: the same query, content type, ce- headers, If-Match, If-None-Match and body. Send a "
        "retry as it was, and give a new request a new key. Nothing was recorded." },
    [ERR_SCHEMA_VIOLATION] = { 422, "schema-violation", "The data do not conform to their schema",
        "The stream enforces schemas: the data of each event must conform to the schema of its subject in the registry, the "
        "latest version or the one that dataschema names. Nothing was recorded. Each entry of errors points to a value and "
        "names the keyword of the schema that it does not meet." },
    [ERR_PATCH_FAILED] = { 422, "patch-failed", "The patch does not fit the data",
        "The data are not JSON, or have nothing where the patch points to. A patch is of the event's data, so its paths begin "
        "inside of them: /total, not /data/total. Nothing was changed. Read them again and make the patch anew." },
    [ERR_BAD_DEFINITION] = { 422, "bad-definition", "The definition is impossible",
        "The body has the right form, but not what it says: an unknown operation, a pointer that is none, an operation without "
        "its value. Each entry of errors points to one. Nothing was changed." },
    [ERR_SCHEMA_LIMIT] = { 422, "schema-limit", "Checking against the schema takes too much work",
        "The event nests deeper than its schema can be followed, or so much of the schema applies to it that the check was "
        "given up. Nothing was recorded. The detail says what ran out: make the event smaller or the schema simpler." },
    [ERR_OVERLOADED] = { 429, "overloaded", "Weir is busy",
        "A queue is full and the request was not begun. Try again after the seconds in Retry-After, with growing "
        "pauses." },
    [ERR_QUOTA_EXCEEDED] = { 429, "quota-exceeded", "The caller's quota is used up",
        "The token's subject has had all that it may use for now: RateLimit-Policy says what that is, RateLimit what is "
        "left. Nothing was done. Try again after the seconds in Retry-After." },
    [ERR_TOO_MANY_TICKETS] = { 429, "too-many-tickets", "The caller has too many tickets",
        "As many tickets of this caller as the setting tickets.per_principal allows are still good. Use one again, or wait "
        "until some have ended." },
    [ERR_URI_TOO_LONG] = { 414, "uri-too-long", "The target is too long",
        "Path and query do not fit the memory of a connection. Use fewer or shorter filters." },
    [ERR_HEADERS_TOO_LARGE] = { 431, "headers-too-large", "The headers are too large",
        "They do not fit the memory of a connection, the setting http.connection_memory." },

    [ERR_INTERNAL] = { 500, "internal", "Weir failed",
        "This is a fault of the program. The log has its cause under the request id; please report it." },
    [ERR_NO_MEMORY] = { 503, "out-of-memory", "Out of memory",
        "The request needs more memory than it may take or than there is. Nothing was done." },
    [ERR_DATABASE_UNAVAILABLE] = { 503, "database-unavailable", "The database is not available",
        "PostgreSQL cannot be reached or does not answer in time. Nothing was done; Weir reconnects by itself. Try "
        "again after Retry-After." },
    [ERR_DATABASE_FULL] = { 503, "database-full", "The database is full",
        "PostgreSQL has no space left to write. Nothing was recorded; reading goes on. Free space or lower "
        "retention." },
    [ERR_OUTCOME_UNKNOWN] = { 503, "outcome-unknown", "It is not known whether it was done",
        "The connection to PostgreSQL was lost during the commit. Send the request again as it was: events with an "
        "id of their own, and requests with an Idempotency-Key, are not recorded twice." },
    [ERR_SHUTTING_DOWN] = { 503, "shutting-down", "Weir is shutting down",
        "Nothing was done. Try again: another gateway, or this one after its restart, takes the request." },

    [ERR_PROJECTION_BEHIND] = { 504, "projection-behind", "The projection is not there yet",
        "It did not reach the cursor in at_least within wait. The member position is how far it is: ask again, with a longer "
        "wait, or read what there is without at_least." },

    [ERR_REVOCATIONS_FULL] = { 507, "revocations-full", "The list of revoked tokens is full",
        "It has as many entries as the setting auth.revocations_max allows, and nothing was revoked. Delete some, revoke by "
        "subject instead of one token at a time, or raise the setting." },

    [ERR_REGISTRY] = { 0 }, /* registry.c */
    [ERR_DB_UNIQUE] = { 0 },
    [ERR_DB_RETRY] = { 0 },
};
/* clang-format on */
const size_t problem_count = sizeof problems / sizeof *problems;

_Static_assert(sizeof problems / sizeof *problems == ERR_END, "a row for each error");

/* An error that should have been dealt with inside is a fault of ours, but one that a second try mends is no fault. */
const struct problem *problem_of(enum err e)
{
    if (e == ERR_DB_RETRY)
        return &problems[ERR_DATABASE_UNAVAILABLE];
    if ((size_t)e >= problem_count || !problems[e].code)
        return &problems[ERR_INTERNAL];
    return &problems[e];
}

const struct problem *problem_by_code(struct slice code)
{
    for (size_t i = 0; i < problem_count; i++)
        if (problems[i].code && slice_is(code, problems[i].code))
            return &problems[i];
    return NULL;
}
