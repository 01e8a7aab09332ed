#ifndef WEIR_HANDLERS_HANDLERS_H
#define WEIR_HANDLERS_HANDLERS_H

#include "gateway/http/reply.h"
#include "gateway/http/ticket.h"

/* What the route table (routes.c) names: one function an operation of openapi.yaml. */

/* docs.c: what a newcomer looks at; all public, none blocks */
handler_fn handle_root, handle_version;
handler_fn handle_openapi_json, handle_openapi_yaml, handle_docs, handle_docs_asset;
handler_fn handle_ui, handle_ui_slash, handle_ui_asset;
handler_fn handle_problem;

/* ops.c */
handler_fn handle_health, handle_metrics;
handler_fn handle_ready; /* blocks */

/* streams.c: all block */
handler_fn handle_list_streams, handle_put_stream, handle_get_stream, handle_patch_stream, handle_delete_stream;
enum err auto_create_stream(struct request *rq, struct slice name); /* for a publish; in a job */

/* subjects.c, subjects_snapshot.c: all block */
handler_fn handle_load_subject, handle_read_subject;
handler_fn handle_put_snapshot, handle_get_snapshot, handle_delete_snapshot;

/* dlq.c, dlq_change.c: all block */
handler_fn handle_list_letters, handle_summarize_letters, handle_get_letter;
handler_fn handle_redrive_letter, handle_discard_letter, handle_repair_letter;
/* jobs.c: all block; job_watch.c: does not */
handler_fn handle_redrive_letters, handle_discard_letters, handle_list_jobs, handle_cancel_job;
handler_fn handle_get_job;

/* projections.c: all block; projection_state.c, projection_watch.c: do not */
handler_fn handle_list_projections, handle_get_projection, handle_put_projection, handle_delete_projection;
handler_fn handle_pause_projection, handle_resume_projection, handle_rebuild_projection, handle_verify_projection;
handler_fn handle_get_projection_state, handle_list_projection_states, handle_watch_projection;

/* sagas.c, saga_instances.c, saga_acts.c, targets.c: all block; saga_start.c: does not */
handler_fn handle_list_sagas, handle_get_saga, handle_put_saga, handle_delete_saga;
handler_fn handle_list_saga_instances, handle_get_saga_instance, handle_get_saga_history;
handler_fn handle_cancel_saga_instance, handle_retry_saga_instance, handle_skip_saga_step, handle_signal_saga_instance,
    handle_approve_saga_instance, handle_retry_saga_instances;
handler_fn handle_start_saga_instance;
handler_fn handle_list_targets;

/* groups.c, groups_status.c: all block */
handler_fn handle_get_group, handle_explain_group;
handler_fn handle_list_groups, handle_put_group, handle_delete_group, handle_seek_group;

/* The schema registry; all block. registry.c */
handler_fn handle_registry_root, handle_schema_types, handle_registry_associations, handle_list_contexts;
/* registry_subjects.c */
handler_fn handle_list_subjects, handle_list_schemas, handle_list_versions, handle_get_schema_version,
    handle_get_schema_version_text, handle_get_schema_by_metadata, handle_list_referrers, handle_delete_subject,
    handle_delete_schema_version;
/* registry_register.c */
handler_fn handle_register_schema, handle_look_up_schema, handle_roll_back_subject, handle_check_with_version,
    handle_check_with_versions;
/* registry_schemas.c */
handler_fn handle_get_schema, handle_get_schema_text, handle_get_schema_subjects, handle_get_schema_uses;
/* registry_contracts.c, registry_matrix.c */
handler_fn handle_list_contracts, handle_put_contract, handle_get_contract, handle_delete_contract;
handler_fn handle_get_matrix;
/* registry_dry_run.c: does not block */
handler_fn handle_dry_run_schema;
/* registry_config.c: of all, or of the subject that the path names */
handler_fn handle_get_registry_config, handle_put_registry_config, handle_delete_registry_config;
handler_fn handle_get_registry_mode, handle_put_registry_mode, handle_delete_registry_mode;

/* revocations.c: all block */
handler_fn handle_revoke, handle_list_revocations, handle_get_revocation, handle_unrevoke;

/* tickets.c: both block */
handler_fn handle_make_ticket;
ticket_find_fn tickets_look_up; /* the server's */

/* publish.c, read.c, read_many.c */
handler_fn handle_publish, handle_read, handle_read_many;

/* deliveries.c */
handler_fn handle_receive, handle_ack, handle_nack, handle_reject, handle_extend;

extern const struct route routes[];
extern const size_t route_count;

#endif
