-- What a commit lane says. Lock first, look second: the statement that waited for the head rows' locks still sees its old
-- snapshot, so ids and versions are looked up by later statements of the same transaction.

-- name: heads_lock
select partition, head, recorded from weir.partitions
 where stream_id = $1 and partition = any($2::int4[])
 order by partition for no key update;

-- name: heads_advance
-- For events without id and subject of their own: nothing to look up, so the heads move in the first statement. A head behind what the
-- lane has seen is of another server (a failover, a restored database): the division fails, and the lane looks at everything anew.
update weir.partitions p
   set head = p.head + u.n / (p.head >= u.seen)::int4, recorded = greatest(p.recorded, $6), bytes = p.bytes + u.bytes
  from unnest($2::int4[], $3::int8[], $4::int8[], $5::int8[]) as u (partition, n, bytes, seen)
 where p.stream_id = $1 and p.partition = u.partition
returning p.partition, p.head, p.recorded;

-- name: heads_set
update weir.partitions p
   set head = u.head, recorded = u.recorded, bytes = p.bytes + u.bytes
  from unnest($2::int4[], $3::int8[], $4::timestamptz[], $5::int8[]) as u (partition, head, recorded, bytes)
 where p.stream_id = $1 and p.partition = u.partition;

-- name: events_append
-- `back`: how many events of the batch follow in the same partition.
insert into weir.events (stream_id, partition, "offset", recorded, id, source, type, attributes, data_format, data)
select $1, u.partition, p.head - u.back, p.recorded, u.id, u.source, u.type, u.attributes, u.data_format, u.data
  from unnest($2::int4[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int2[], $9::bytea[])
       as u (partition, back, id, source, type, attributes, data_format, data)
  join weir.partitions p on p.stream_id = $1 and p.partition = u.partition;

-- name: log_append
-- The same for a batch of one partition, notification included, as one statement that is its own transaction: the head row is
-- found once instead of once an event.
with h as (
    update weir.partitions
       set head = head + $3::int8 / (head >= $12)::int4, recorded = greatest(recorded, $4), bytes = bytes + $5
     where stream_id = $1 and partition = $2
    returning head, recorded
), e as (
    insert into weir.events (stream_id, partition, "offset", recorded, id, source, type, attributes, data_format, data)
    select $1, $2, h.head - $3 + u.ord, h.recorded, u.id, u.source, u.type, u.attributes, u.data_format, u.data
      from h cross join unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::int2[], $11::bytea[]) with ordinality
           as u (id, source, type, attributes, data_format, data, ord)
)
select $2, head, recorded, pg_notify('weir', 'h' || $1 || ':' || $2 || ':' || head) from h;

-- name: log_append_many
-- For hundreds of events: a function in FROM stores its rows before it gives the first, which costs 4 us an event; one in the select
-- list gives them as it goes, but takes 70 us to begin.
with h as (
    update weir.partitions
       set head = head + $3::int8 / (head >= $12)::int4, recorded = greatest(recorded, $4), bytes = bytes + $5
     where stream_id = $1 and partition = $2
    returning head, recorded
), e as (
    insert into weir.events (stream_id, partition, "offset", recorded, id, source, type, attributes, data_format, data)
    select $1, $2, h.head - $3 + u.ord, h.recorded, u.id, u.source, u.type, u.attributes, u.data_format, u.data
      from h cross join (select generate_series(1, $3) as ord, unnest($6::text[]) as id, unnest($7::text[]) as source,
                                unnest($8::text[]) as type, unnest($9::text[]) as attributes, unnest($10::int2[]) as data_format,
                                unnest($11::bytea[]) as data) as u
)
select $2, head, recorded, pg_notify('weir', 'h' || $1 || ':' || $2 || ':' || head) from h;

-- name: events_insert
insert into weir.events (stream_id, partition, "offset", recorded, id, source, type, subject, version, subject_hash, attributes,
                         data_format, data)
select $1, u.partition, u."offset", u.recorded, u.id, u.source, u.type, u.subject, u.version,
       case when $2 then hashtextextended(u.subject, 0) end, u.attributes, u.data_format, u.data
  from unnest($3::int4[], $4::int8[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[], $10::int8[],
              $11::text[], $12::int2[], $13::bytea[])
       as u (partition, "offset", recorded, id, source, type, subject, version, attributes, data_format, data);

-- name: dedup_look
-- `lateral … offset 0`, here and below: one probe of the primary key for each key, whatever the planner believes. A plan that was
-- cached while the table was small would read all rows of the stream.
select u.ord::int4 as ord, d.fingerprint, d.partition, d."offset", d.version, d.recorded, d.expires, d.week
  from unnest($2::uuid[]) with ordinality as u (key, ord)
 cross join lateral (select * from weir.dedup d where d.stream_id = $1 and d.key = u.key and d.week >= $3 offset 0) as d;

-- name: dedup_expire
delete from weir.dedup d using unnest($2::uuid[]) as u (key)
 where d.stream_id = $1 and d.key = u.key and d.week >= $3 and d.expires <= $4;

-- name: dedup_insert
insert into weir.dedup (stream_id, week, key, fingerprint, expires, partition, "offset", version, recorded)
select $1, $2, u.key, u.fingerprint, $3, u.partition, u."offset", u.version, u.recorded
  from unnest($4::uuid[], $5::uuid[], $6::int4[], $7::int8[], $8::int8[], $9::timestamptz[])
       as u (key, fingerprint, partition, "offset", version, recorded);

-- name: idempotency_look
-- The answer comes along only for the request that it belongs to.
select u.ord::int4 as ord, k.fingerprint, k.expires, k.status, case when k.fingerprint = u.fingerprint then k.answer end as answer,
       k.cursor
  from unnest($2::uuid[], $3::uuid[]) with ordinality as u (key, fingerprint, ord)
 cross join lateral (select * from weir.idempotency k where k.stream_id = $1 and k.key = u.key offset 0) as k;

-- name: idempotency_expire
delete from weir.idempotency k
 using (select x.at
          from unnest($2::uuid[]) as u (key)
         cross join lateral (select ctid as at from weir.idempotency x where x.stream_id = $1 and x.key = u.key offset 0) x) t
 where k.ctid = t.at and k.expires <= $3;

-- name: idempotency_insert
insert into weir.idempotency (stream_id, key, fingerprint, expires, status, answer, cursor)
select $1, u.key, u.fingerprint, $2, u.status, u.answer, u.cursor
  from unnest($3::uuid[], $4::uuid[], $5::int2[], $6::bytea[], $7::text[]) as u (key, fingerprint, status, answer, cursor);

-- name: subjects_look
select s.subject, s.partition, s.version
  from unnest($2::text[]) as u (subject)
 cross join lateral (select * from weir.subjects s where s.stream_id = $1 and s.subject = u.subject offset 0) as s;

-- name: subjects_insert
-- No upsert: a subject that another partition made meanwhile must be seen, so it raises and the lane looks again.
insert into weir.subjects (stream_id, subject, partition, version, last_offset)
select $1, u.subject, u.partition, u.version, u.last_offset
  from unnest($2::text[], $3::int4[], $4::int8[], $5::int8[]) as u (subject, partition, version, last_offset);

-- name: subjects_update
-- By ctid: the rows stay where they are, since the head rows of their partitions are locked.
update weir.subjects s set version = t.version, last_offset = t.last_offset
  from (select x.at, u.version, u.last_offset
          from unnest($2::text[], $3::int8[], $4::int8[]) as u (subject, version, last_offset)
         cross join lateral (select ctid as at from weir.subjects x where x.stream_id = $1 and x.subject = u.subject offset 0) x) t
 where s.ctid = t.at;

-- name: months_insert
insert into weir.partition_months (stream_id, partition, month, first_offset)
select $1, u.partition, date_trunc('month', u.recorded at time zone 'UTC')::date, u.first_offset
  from unnest($2::int4[], $3::timestamptz[], $4::int8[]) as u (partition, recorded, first_offset)
on conflict do nothing;

-- name: heads_notify
-- One notification a transaction: "h<stream>:<partition>:<head>;…"; empty (look at all) when it would not fit.
select pg_notify('weir', case when length(t.payload) < 7900 then t.payload else '' end)
  from (select string_agg('h' || p.stream_id || ':' || p.partition || ':' || p.head, ';') as payload
          from unnest($1::int8[], $2::int4[]) as u (stream_id, partition)
         cross join lateral (select * from weir.partitions x
                              where x.stream_id = u.stream_id and x.partition = u.partition offset 0) as p) as t
 where t.payload is not null;

-- name: outcome_look
-- After a connection was lost at COMMIT: which of our events are there? The head rows are locked before. Times never go back within
-- a partition, so ours come after the last one from before the batch; what a gateway remembers of heads may be of another server.
select e.partition, e."offset", e.recorded, e.id, e.source, e.version
  from unnest($2::int4[]) as u (partition)
 cross join lateral (select coalesce((select b."offset" from weir.events b
                                       where b.stream_id = $1 and b.partition = u.partition and b.recorded < $3
                                       order by b."offset" desc limit 1), 0) as "offset" offset 0) as before
 cross join lateral (select * from weir.events x
                      where x.stream_id = $1 and x.partition = u.partition and x."offset" > before."offset" and x.recorded >= $3
                        and x.id = any($4::text[]) offset 0) as e;

-- name: backend_end
-- The lane's lost backend may still be at work: end it before looking.
select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = $1 and application_name = $2;
