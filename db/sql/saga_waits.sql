-- What sagas wait for on streams, and how far the streams were read for it.

-- name: saga_waits_begin
-- The heads are read here, and left for the reader ($1): what is recorded from now until the commit it has perhaps passed by then.
with stream as (
    select s.name, s.stream_id,
           array(select p.head from weir.partitions p where p.stream_id = s.stream_id order by p.partition) as heads
      from weir.streams s where s.name = any($2::text[]) and not s.deleted
), again as (
    insert into weir.saga_rereads (stream_id, reread_id, after) select stream_id, $1, heads from stream
), began as (
    insert into weir.saga_waits (saga_id, instance_id, step, kind, version, stream_id, hash, match, after, reread_id)
    select u.saga_id, u.instance_id, u.step, u.kind, u.version, s.stream_id, u.hash, u.match, s.heads, $1
      from unnest($2::text[], $3::int8[], $4::text[], $5::int2[], $6::int2[], $7::int4[], $8::int8[], $9::text[])
               as u (stream, saga_id, instance_id, step, kind, version, hash, match)
      join stream s on s.name = u.stream
    on conflict (saga_id, instance_id, step, kind) do nothing
)
select name from stream;

-- name: saga_waits_end
-- In the order of the key, as saga_waits_take.
delete from weir.saga_waits w
 using (select x.at
          from (select * from unnest($1::int8[], $2::text[], $3::int2[], $4::int2[]) as k (saga_id, instance_id, step, kind)
                 order by k.saga_id, k.instance_id collate "C", k.step, k.kind) as u
         cross join lateral (select ctid as at from weir.saga_waits x
                              where x.saga_id = u.saga_id and x.instance_id = u.instance_id and x.step = u.step and x.kind = u.kind
                             offset 0 for update) as x) as m
 where w.ctid = m.at;

-- name: saga_starts_drop
delete from weir.saga_starts where saga_id = $1;

-- name: saga_starts_put
-- One that is there goes on where it is, if it is of the same stream.
with stream as (
    select s.stream_id, array(select p.head from weir.partitions p where p.stream_id = s.stream_id order by p.partition) as heads
      from weir.streams s where s.name = $2 and not s.deleted
), again as (
    insert into weir.saga_rereads (stream_id, reread_id, after) select stream_id, $3, heads from stream
)
insert into weir.saga_starts as t (saga_id, stream, stream_id, after, reread_id)
select $1, $2, coalesce(s.stream_id, 0), coalesce(s.heads, '{}'), $3 from (select 1) as one left join stream s on true
on conflict (saga_id) do update
   set stream = excluded.stream, stream_id = excluded.stream_id, after = excluded.after, reread_id = excluded.reread_id
 where t.stream <> excluded.stream;

-- name: saga_starts_adopt
-- Streams that came, or were made again, under the name of a start: it begins with their first event.
with came as (
    select t.saga_id, s.stream_id, array(select 0::int8 from weir.partitions p where p.stream_id = s.stream_id) as zero
      from weir.saga_starts t join weir.streams s on s.name = t.stream and not s.deleted and s.stream_id <> t.stream_id
), again as (
    insert into weir.saga_rereads (stream_id, reread_id, after) select distinct stream_id, $1::uuid, zero from came
)
update weir.saga_starts t set stream_id = c.stream_id, after = c.zero, reread_id = $1
  from came c where t.saga_id = c.saga_id;

-- name: saga_readers_tidy
-- Of streams that were deleted; their waits end by their timeouts.
with gone as (
    delete from weir.saga_rereads a
     where not exists (select from weir.streams s where s.stream_id = a.stream_id and not s.deleted)
)
delete from weir.saga_readers r where not exists (select from weir.streams s where s.stream_id = r.stream_id and not s.deleted);

-- name: saga_readers_now
select clock_timestamp() as now;

-- name: saga_readers_list
select s.stream_id, s.name,
       exists (select from weir.saga_rereads a where a.stream_id = s.stream_id) or
       exists (select from weir.partitions p where p.stream_id = s.stream_id and p.head > r.position[p.partition + 1]) as behind
  from (select stream_id from weir.saga_readers union select stream_id from weir.saga_rereads) as i
  join weir.streams s on s.stream_id = i.stream_id and not s.deleted
  left join weir.saga_readers r on r.stream_id = i.stream_id
 order by s.stream_id;

-- name: saga_reader_take
-- The fence: whoever has the row reads the stream.
select position from weir.saga_readers where stream_id = $1 for update skip locked;

-- name: saga_reader_make
-- What was recorded before is for rereads.
insert into weir.saga_readers (stream_id, position)
select s.stream_id, array(select p.head from weir.partitions p where p.stream_id = s.stream_id order by p.partition)
  from weir.streams s
 where s.stream_id = $1 and not s.deleted and exists (select from weir.saga_rereads a where a.stream_id = $1)
on conflict (stream_id) do nothing;

-- name: saga_reader_move
update weir.saga_readers set position = $2 where stream_id = $1;

-- name: saga_reader_leave
delete from weir.saga_readers where stream_id = $1;

-- name: saga_rereads
select reread_id, after from weir.saga_rereads where stream_id = $1;

-- name: saga_rereads_done
delete from weir.saga_rereads where stream_id = $1 and reread_id = any($2::uuid[]);

-- name: saga_rereads_move
update weir.saga_rereads set after = $3 where stream_id = $1 and reread_id = any($2::uuid[]);

-- name: saga_waits_shapes
-- One probe of the index for each.
with recursive shape as (
    (select saga_id, version, step, kind from weir.saga_waits where stream_id = $1
      order by saga_id, version, step, kind limit 1)
    union all
    select n.saga_id, n.version, n.step, n.kind
      from shape s
     cross join lateral (select w.saga_id, w.version, w.step, w.kind from weir.saga_waits w
                          where w.stream_id = $1 and (w.saga_id, w.version, w.step, w.kind) > (s.saga_id, s.version, s.step, s.kind)
                          order by w.saga_id, w.version, w.step, w.kind limit 1) as n
)
select saga_id, version, step, kind from shape;

-- name: saga_starts_of
select t.saga_id, g.version, g.name, t.after, t.reread_id
  from weir.saga_starts t join weir.sagas g on g.saga_id = t.saga_id
 where t.stream_id = $1 order by t.saga_id;

-- name: saga_waits_find
-- A wait whose reread was not taken ($10) comes with it, in a later step; what was passed before ($9) is for those alone that were.
-- Of the first query: behind instance $12. served: another wait of the instance has got the event already; looked up behind the limit.
with hit as (
    select u.n, w.instance_id, w.match, w.reread_id, w.saga_id, u.partition, u."offset"
      from unnest($2::int8[], $3::int4[], $4::int2[], $5::int2[], $6::int8[], $7::int4[], $8::int8[], $9::int2[])
               with ordinality as u (saga_id, version, step, kind, hash, partition, "offset", passed, n)
      join weir.saga_waits w on w.stream_id = $1 and w.saga_id = u.saga_id and w.version = u.version and w.step = u.step
                            and w.kind = u.kind and w.hash = u.hash
     where w.after[u.partition + 1] < u."offset"
       and case when u.passed = 1 then w.reread_id = any($10::uuid[])
                else w.reread_id = any($10::uuid[])
                     or not exists (select from weir.saga_rereads a where a.stream_id = $1 and a.reread_id = w.reread_id) end
       and (u.n > 1 or w.instance_id > $12)
     order by u.n, w.instance_id limit $11
)
select h.n, h.instance_id, h.match, h.reread_id, coalesce(d.served, false) as served
  from hit h
  left join lateral (
      (select true as served from weir.saga_inbox i
        where i.saga_id = h.saga_id and i.instance_id = h.instance_id
          and i.stream_id = $1 and i.partition = h.partition and i."offset" = h."offset" limit 1)
      union all
      (select true from weir.saga_steps s
        where s.saga_id = h.saga_id and s.instance_id = h.instance_id
          and s.event = concat($1, '-', h.partition, '-', h."offset") limit 1)
      limit 1) as d on true
 order by h.n, h.instance_id;

-- name: saga_waits_take
-- Waits that still stand become events for their instances. In the order of the key, as saga_waits_end.
with mine as (
    select w.at, u.event
      from (select * from unnest($2::int8[], $3::text[], $4::int2[], $5::int2[], $6::uuid[], $7::int4[])
                              as k (saga_id, instance_id, step, kind, reread_id, event)
             order by k.saga_id, k.instance_id collate "C", k.step, k.kind) as u
     cross join lateral (select ctid as at from weir.saga_waits x
                          where x.saga_id = u.saga_id and x.instance_id = u.instance_id and x.step = u.step and x.kind = u.kind
                            and x.reread_id = u.reread_id offset 0 for update) as w
), gone as (
    delete from weir.saga_waits w using mine m where w.ctid = m.at
    returning w.saga_id, w.instance_id, w.step, w.kind, m.event
)
insert into weir.saga_inbox (saga_id, instance_id, stream_id, partition, "offset", step, kind, event, at)
select saga_id, instance_id, $1, ($8::int4[])[event + 1], ($9::int8[])[event + 1], step, kind, ($10::text[])[event + 1], clock_timestamp()
  from gone;

-- name: saga_inbox_has
-- Of these instances those for which events are there, or are just being taken by somebody else.
select u.n from unnest($1::int8[], $2::text[]) with ordinality as u (saga_id, instance_id, n)
 where exists (select from weir.saga_inbox i where i.saga_id = u.saga_id and i.instance_id = u.instance_id and i.step >= 0);

-- name: saga_inbox_start
insert into weir.saga_inbox (saga_id, instance_id, stream_id, partition, "offset", step, kind, event, at)
select u.saga_id, u.instance_id, $1, ($5::int4[])[u.event + 1], ($6::int8[])[u.event + 1], -1, 0, ($7::text[])[u.event + 1],
       clock_timestamp()
  from unnest($2::int8[], $3::text[], $4::int4[]) as u (saga_id, instance_id, event)
on conflict do nothing;
