-- The list of revoked tokens. Whatever changes it raises the clock in the same transaction and tells the gateways.

-- name: revocation_add
-- No row: the list is full.
with clock as (
    update weir.revocations_clock set version = version + 1, entries = entries + 1 where entries < $9 returning version
), added as (
    insert into weir.revocations (id, jti, sub, iss, issued_before, expires, reason, created, created_by)
    select version, $1, $2, $3, $4, $5, $6, $7, $8 from clock
    returning id
)
select id, pg_notify('weir', 'r') as told from added;

-- name: revocation_remove
with gone as (
    delete from weir.revocations where id = $1 returning id
), clock as (
    update weir.revocations_clock set version = version + 1, entries = entries - 1 where exists (select from gone) returning version
)
select version, pg_notify('weir', 'r') as told from clock;

-- name: revocation_get
select id, jti, sub, iss, issued_before, expires, reason, created, created_by from weir.revocations where id = $1;

-- name: revocations_list
select id, jti, sub, iss, issued_before, expires, reason, created, created_by
  from weir.revocations where id > $1 order by id limit $2;

-- name: revocations_version
select version from weir.revocations_clock;

-- name: revocations_all
-- What is in force, with the version it belongs to: one snapshot, at least one row.
select c.version, r.jti, r.sub, r.iss, r.issued_before, r.expires
  from weir.revocations_clock c left join weir.revocations r on r.expires > $1;

-- name: revocations_forget
-- A batch of those that are over. The version stays: an entry that is over has no effect wherever it is.
with gone as (
    delete from weir.revocations where id in (
        select id from weir.revocations where expires <= $1 limit $2 for update skip locked)
    returning id
), n as (
    select count(*) as n from gone
)
update weir.revocations_clock set entries = entries - n.n from n where n.n > 0 returning n.n as forgotten;
