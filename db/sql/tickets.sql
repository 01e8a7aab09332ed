-- Tickets for event streams.

-- name: ticket_add
-- Unless its owner has as many as allowed: then no row.
insert into weir.tickets (hash, url, owner, claims, created, expires)
select $1, $2, $3, $4, $5, $6
 where (select count(*) from (select from weir.tickets where owner = $3 and expires > $5 limit $7) live) < $7
returning expires;

-- name: ticket_find
select claims, expires from weir.tickets where hash = $1 and expires > $2;

-- name: tickets_forget
delete from weir.tickets where hash in (select hash from weir.tickets where expires <= $1 limit $2 for update skip locked);
