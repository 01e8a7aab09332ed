-- The outbox of the audit log.

-- name: audit_insert
insert into weir.audit (id, recorded, type, resource, traceparent, data) values ($1, clock_timestamp(), $2, $3, $4, $5);

-- name: audit_pending
select id, recorded, type, resource, traceparent, data from weir.audit where recorded < 'infinity' order by recorded, id limit $1;

-- name: audit_set_aside
-- Out of the way of the others; its id still tells when it was made.
update weir.audit set recorded = 'infinity' where id = $1;

-- name: audit_remove
delete from weir.audit where id = any($1::uuid[]);
