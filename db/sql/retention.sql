-- Room for what comes, removal of what is over.

-- name: make_room
select weir.make_room($1) as made;

-- name: drop_over
select weir.drop_what_is_over($1) as dropped;

-- name: retention_due
-- Partitions whose oldest event is over.
select s.stream_id, p.partition, p.earliest, s.retention
  from weir.streams s join weir.partitions p using (stream_id)
  join lateral (select e.recorded from weir.events e
                 where e.stream_id = s.stream_id and e.partition = p.partition and e."offset" >= p.earliest
                 order by e."offset" limit 1) as oldest on true
 where s.retention is not null and p.head >= p.earliest
   and oldest.recorded < $1::timestamptz - s.retention * interval '1 microsecond'
 limit $2;

-- name: partition_hold
-- Nobody publishes, or stores a snapshot (snapshots_hold), meanwhile.
select partition from weir.partitions where stream_id = $1 and partition = $2 for update;

-- name: retention_remove
-- A batch of a partition's oldest events; its head row is locked before, so no publish meets a half-removed subject. A subject of
-- which there is a snapshot stays.
with gone as (
    delete from weir.events
     where stream_id = $1 and partition = $2 and "offset" >= $3 and "offset" < $3 + $4 and recorded < $5
    returning "offset", subject, octet_length(attributes) + coalesce(octet_length(data), 0) as bytes
), last as (
    select max("offset") as "offset", count(*) as n, sum(bytes) as bytes from gone
), subjects as (
    delete from weir.subjects s using (select distinct subject from gone where subject is not null) g, last
     where s.stream_id = $1 and s.subject = g.subject and s.last_offset <= last."offset"
       and not exists (select from weir.snapshots n where n.stream_id = $1 and n.subject = g.subject)
), months as (
    delete from weir.partition_months m using last
     where m.stream_id = $1 and m.partition = $2
       and exists (select from weir.partition_months later
                    where later.stream_id = m.stream_id and later.partition = m.partition
                      and later.month > m.month and later.first_offset <= last."offset" + 1)
)
update weir.partitions p set earliest = last."offset" + 1, bytes = p.bytes - last.bytes
  from last where p.stream_id = $1 and p.partition = $2 and last.n > 0
returning last.n::int8 as removed;

-- name: answers_remove
-- A batch of answers kept under an Idempotency-Key whose window is over. Who replaces one just now is not waited for.
delete from weir.idempotency
 where ctid = any (array(select ctid from weir.idempotency where expires <= $1 order by expires limit $2 for update skip locked));

-- name: letters_remove_closed
-- A batch of letters that were resolved or discarded before $1. Who changes one just now is not waited for. A projection's stay as long as
-- it does: when it is built anew they say what to make of their events.
delete from weir.dead_letters
 where ctid = any (array(select l.ctid from weir.dead_letters l
                          where l.state >= 2 and l.updated_at < $1
                            and (l.orphaned or not exists (select from weir.projections p where 'projection:' || p.name = l.group_name))
                          order by l.updated_at limit $2 for update of l skip locked));

-- name: letters_remove_parked
-- A batch of letters that died before $1 and are parked since.
delete from weir.dead_letters
 where ctid = any (array(select l.ctid from weir.streams s
                           join lateral (select d.stream_id, d.letter_id from weir.dead_letters d
                                          where d.stream_id = s.stream_id and d.state = 0 and d.dead_at < $1
                                          order by d.dead_at limit $2) as old on true
                           join weir.dead_letters l on l.stream_id = old.stream_id and l.letter_id = old.letter_id
                          limit $2 for update of l skip locked));

-- name: deleted_streams
select stream_id from weir.streams where deleted limit 100;

-- name: deleted_remove
delete from weir.events e
 using (select partition, "offset", recorded from weir.events where stream_id = $1 limit $2) as batch
 where e.stream_id = $1 and e.partition = batch.partition and e."offset" = batch."offset" and e.recorded = batch.recorded;

-- name: deleted_letters
delete from weir.dead_letters
 where stream_id = $1 and letter_id = any (array(select letter_id from weir.dead_letters where stream_id = $1 limit $2));

-- name: deleted_snapshots
delete from weir.snapshots
 where stream_id = $1 and subject = any (array(select subject from weir.snapshots where stream_id = $1 limit $2));

-- name: deleted_forget
-- Not what is in the outbox: it tells of what has happened, and goes on its way.
with d as (delete from weir.dedup where stream_id = $1),
     j as (delete from weir.subjects where stream_id = $1),
     m as (delete from weir.partition_months where stream_id = $1),
     k as (delete from weir.idempotency where stream_id = $1),
     l as (delete from weir.leases where stream_id = $1),
     r as (delete from weir.retries where stream_id = $1),
     s as (delete from weir.skips where stream_id = $1),
     b as (delete from weir.jobs where stream_id = $1)
delete from weir.streams where stream_id = $1;

-- name: clock_look
select clock_timestamp() as now;
