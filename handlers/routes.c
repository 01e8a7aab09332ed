#include "handlers/handlers.h"

/* Every endpoint on one page: the only registration. tests/api/test_routes.py holds it against openapi.yaml, both ways. */
#define MANAGE_BODY ((size_t)64 << 10)
#define ACK_BODY ((size_t)1 << 20) /* 1,000 ids, and an error that will be cut */
#define REPAIR_BODY ((size_t)2 << 20)

const struct route routes[] = {
    { "getRoot", "GET", "/", PERM_NONE, 0, false, handle_root, NULL },
    { "getHealth", "GET", "/healthz", PERM_NONE, 0, false, handle_health, NULL },
    { "getReady", "GET", "/readyz", PERM_NONE, 0, true, handle_ready, NULL },
    { "getVersion", "GET", "/version", PERM_NONE, 0, false, handle_version, NULL },
    { "getMetrics", "GET", "/metrics", PERM_ADMIN, 0, false, handle_metrics, NULL },
    { "getOpenapiJson", "GET", "/openapi.json", PERM_NONE, 0, false, handle_openapi_json, NULL },
    { "getOpenapiYaml", "GET", "/openapi.yaml", PERM_NONE, 0, false, handle_openapi_yaml, NULL },
    { "getDocs", "GET", "/docs", PERM_NONE, 0, false, handle_docs, NULL },
    { "getDocsAsset", "GET", "/docs/{asset}", PERM_NONE, 0, false, handle_docs_asset, NULL },
    { "getProblem", "GET", "/problems/{code}", PERM_NONE, 0, false, handle_problem, NULL },

    { "listStreams", "GET", "/v1/streams", PERM_AUTHENTICATED, 0, true, handle_list_streams, "limit after" },
    { "putStream", "PUT", "/v1/streams/{stream}", PERM_MANAGE, MANAGE_BODY, true, handle_put_stream, NULL },
    { "getStream", "GET", "/v1/streams/{stream}", PERM_ANY, 0, true, handle_get_stream, NULL },
    { "patchStream", "PATCH", "/v1/streams/{stream}", PERM_MANAGE, MANAGE_BODY, true, handle_patch_stream, NULL },
    { "deleteStream", "DELETE", "/v1/streams/{stream}", PERM_MANAGE, 0, true, handle_delete_stream, NULL },

    { "listDeadLetters", "GET", "/v1/streams/{stream}/dlq", PERM_DLQ, 0, true, handle_list_letters,
      "group state reason type subject fingerprint from to limit after" },
    { "summarizeDeadLetters", "GET", "/v1/streams/{stream}/dlq/summary", PERM_DLQ, 0, true, handle_summarize_letters,
      "group state reason type subject fingerprint from to limit after" },
    { "getDeadLetter", "GET", "/v1/streams/{stream}/dlq/{id}", PERM_DLQ, 0, true, handle_get_letter, NULL },
    { "repairDeadLetter", "PATCH", "/v1/streams/{stream}/dlq/{id}", PERM_DLQ, REPAIR_BODY, true, handle_repair_letter, NULL },
    { "redriveDeadLetter", "POST", "/v1/streams/{stream}/dlq/{id}/redrive", PERM_DLQ, MANAGE_BODY, true, handle_redrive_letter,
      NULL },
    { "discardDeadLetter", "POST", "/v1/streams/{stream}/dlq/{id}/discard", PERM_DLQ, MANAGE_BODY, true, handle_discard_letter,
      NULL },
    { "redriveDeadLetters", "POST", "/v1/streams/{stream}/dlq/redrive", PERM_DLQ, MANAGE_BODY, true, handle_redrive_letters,
      NULL },
    { "discardDeadLetters", "POST", "/v1/streams/{stream}/dlq/discard", PERM_DLQ, MANAGE_BODY, true, handle_discard_letters,
      NULL },
    { "listJobs", "GET", "/v1/jobs", PERM_AUTHENTICATED, 0, true, handle_list_jobs, "limit after stream state" },
    { "getJob", "GET", "/v1/jobs/{id}", PERM_DLQ, 0, false, handle_get_job, "ticket" },
    { "cancelJob", "DELETE", "/v1/jobs/{id}", PERM_DLQ, 0, true, handle_cancel_job, NULL },

    { "listGroups", "GET", "/v1/streams/{stream}/groups", PERM_ANY, 0, true, handle_list_groups, "limit after" },
    { "getGroup", "GET", "/v1/streams/{stream}/groups/{group}", PERM_ANY, 0, true, handle_get_group, NULL },
    { "explainGroup", "GET", "/v1/streams/{stream}/groups/{group}/explain", PERM_ANY, 0, true, handle_explain_group, NULL },
    { "putGroup", "PUT", "/v1/streams/{stream}/groups/{group}", PERM_MANAGE, MANAGE_BODY, true, handle_put_group, NULL },
    { "deleteGroup", "DELETE", "/v1/streams/{stream}/groups/{group}", PERM_MANAGE, 0, true, handle_delete_group, NULL },
    { "seekGroup", "POST", "/v1/streams/{stream}/groups/{group}/seek", PERM_MANAGE, MANAGE_BODY, true, handle_seek_group, NULL },

    { "makeTicket", "POST", "/v1/tickets", PERM_AUTHENTICATED, MANAGE_BODY, true, handle_make_ticket, NULL },
    { "revokeTokens", "POST", "/v1/revocations", PERM_ADMIN, MANAGE_BODY, true, handle_revoke, NULL },
    { "listRevocations", "GET", "/v1/revocations", PERM_ADMIN, 0, true, handle_list_revocations, "limit after" },
    { "getRevocation", "GET", "/v1/revocations/{id}", PERM_ADMIN, 0, true, handle_get_revocation, NULL },
    { "deleteRevocation", "DELETE", "/v1/revocations/{id}", PERM_ADMIN, 0, true, handle_unrevoke, NULL },

    { "publishEvents", "POST", "/v1/streams/{stream}/events", PERM_PUBLISH, SIZE_MAX, false, handle_publish, NULL },
    { "readEvents", "GET", "/v1/streams/{stream}/events", PERM_SUBSCRIBE, 0, false, handle_read,
      "after limit from_time wait partition type* subject* last_event_id ticket" },
    { "readManyEvents", "GET", "/v1/events", PERM_SUBSCRIBE, 0, false, handle_read_many,
      "stream* after limit from_time wait type* subject* last_event_id ticket" },

    { "receiveDeliveries", "POST", "/v1/streams/{stream}/groups/{group}/receive", PERM_SUBSCRIBE, MANAGE_BODY, false,
      handle_receive, NULL },
    { "ackDeliveries", "POST", "/v1/streams/{stream}/groups/{group}/ack", PERM_SUBSCRIBE, ACK_BODY, false, handle_ack, NULL },
    { "nackDeliveries", "POST", "/v1/streams/{stream}/groups/{group}/nack", PERM_SUBSCRIBE, ACK_BODY, false, handle_nack, NULL },
    { "rejectDeliveries", "POST", "/v1/streams/{stream}/groups/{group}/reject", PERM_SUBSCRIBE, ACK_BODY, false, handle_reject,
      NULL },
    { "extendDeliveries", "POST", "/v1/streams/{stream}/groups/{group}/extend", PERM_SUBSCRIBE, ACK_BODY, false, handle_extend,
      NULL },
};
const size_t route_count = sizeof routes / sizeof *routes;
