-- The outbox of the audit log.

-- name: audit_insert
insert into weir.audit (id, recorded, type, resource, traceparent, data) values ($1, clock_timestamp(), $2, $3, $4, $5);

-- name: audit_pending
select id, recorded, type, resource, traceparent, data from weir.audit order by recorded, id limit $1;

-- name: audit_remove
delete from weir.audit where id = any($1::uuid[]);
