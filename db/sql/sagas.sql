-- Sagas: definitions, and the transactions of their instances. What is read of them to be shown: sagas_read.sql

-- name: saga_create
-- No row: the name is taken, or there are $4 sagas.
with made as (
    insert into weir.sagas (saga_id, name, version, created, updated)
    select $1, $2, 1, now(), now() where (select count(*) from weir.sagas) < $4
    on conflict do nothing
    returning saga_id
)
insert into weir.saga_definitions (saga_id, version, definition, steps, created) select saga_id, 1, $3, $5, now() from made
returning version;

-- name: sagas_count
select count(*) as n from weir.sagas;

-- name: saga_lock
select s.saga_id, s.version, d.definition
  from weir.sagas s join weir.saga_definitions d on d.saga_id = s.saga_id and d.version = s.version
 where s.name = $1 for update of s;

-- name: saga_version_add
with added as (
    insert into weir.saga_definitions (saga_id, version, definition, steps, created) values ($1, $2, $3, $4, now())
)
update weir.sagas set version = $2, updated = now() where saga_id = $1;

-- name: saga_delete
-- Its definitions stay until its instances are removed, batch by batch.
with starts as (
    delete from weir.saga_starts where saga_id = $1
), inbox as (
    delete from weir.saga_inbox where saga_id = $1
)
delete from weir.sagas where saga_id = $1;

-- name: saga_unfinished
select exists (select from weir.saga_instances where saga_id = $1 and state = any('{0,1,2,3}'::smallint[])) as unfinished;

-- name: sagas_find
-- Nobody deletes them until the end of the transaction.
select s.saga_id, s.version, s.name from weir.sagas s where s.name = any($1::text[]) order by s.saga_id for key share;

-- name: sagas_hold
-- The same, of events that start instances.
select s.saga_id, s.version, s.name from weir.sagas s where s.saga_id = any($1::int8[]) order by s.saga_id for key share;

-- name: saga_definition
select s.name, d.definition
  from weir.saga_definitions d join weir.sagas s on s.saga_id = d.saga_id
 where d.saga_id = $1 and d.version = $2;

-- name: saga_moment
-- Which transaction this is: a COMMIT without an answer is looked up by it. A gateway that stands still in it keeps its locks for $1 only.
select pg_current_xact_id() as xid, clock_timestamp() as now, set_config('idle_in_transaction_session_timeout', $1, true) as idle;

-- name: saga_outcome
select coalesce(pg_xact_status($1), '') as status;

-- name: saga_inbox_take
-- The oldest first, until there are $4 bytes; what another gateway is about to take is passed over, and what is of instances that are set
-- aside ($2, $3).
delete from weir.saga_inbox
 where ctid = any (array(
    select w.place
      from (select o.place, sum(o.bytes) over (order by o.at, o.stream_id, o.partition, o."offset", o.place
                                               rows between unbounded preceding and 1 preceding) as before
              from (select ctid as place, octet_length(event) as bytes, at, stream_id, partition, "offset" from weir.saga_inbox
                     where (saga_id, instance_id) not in (select * from unnest($2::int8[], $3::text[]))
                     order by at, stream_id, partition, "offset" limit $1 for update skip locked) as o) as w
     where w.before is null or w.before < $4::int8))
returning saga_id, instance_id, stream_id, partition, "offset", step, kind, event;

-- name: saga_inbox_first
select saga_id, instance_id from weir.saga_inbox
 where (saga_id, instance_id) not in (select * from unnest($1::int8[], $2::text[]))
 order by at, stream_id, partition, "offset" limit 1;

-- name: saga_instances_lock
-- In the order of the key. Inputs of more than $3 bytes in all are not brought. `lateral … offset 0`, here and below: one probe of the key
-- for each, whatever the planner believes; rows that change are of instances that are locked, so their ctid stays.
select i.saga_id, i.instance_id, i.version, i.state, i.pivot_sent, i.seq,
       case when (select coalesce(sum(n.bytes), 0)
                    from unnest($1::int8[], $2::text[]) as k (saga_id, instance_id)
                   cross join lateral (select octet_length(x.input) as bytes from weir.saga_instances x
                                        where x.saga_id = k.saga_id and x.instance_id = k.instance_id offset 0) as n) <= $3::int8
            then i.input end as input,
       i.input_hash, i.cause, i.traceparent, i.deadline, i.created, i.updated, i.ended
  from (select * from unnest($1::int8[], $2::text[]) as k (saga_id, instance_id) order by k.saga_id, k.instance_id collate "C") as u
 cross join lateral (select * from weir.saga_instances x
                      where x.saga_id = u.saga_id and x.instance_id = u.instance_id offset 0 for update) as i;

-- name: saga_steps_load
-- What came to a step is not looked at again, but for a rejection that may come twice. Texts of more than $3 bytes in all are not brought.
select saga_id, instance_id, step, kind, status, attempts, unknown, due, owner, case when bytes <= $3::int8 then result end as result,
       case when bytes <= $3 then error end as error, case when bytes <= $3 then early end as early, begun, ended, ended_seq,
       case when bytes <= $3 then decision end as decision, round, event, bytes > $3 as cut
  from (select s.saga_id, s.instance_id, s.step, s.kind, s.status, s.attempts, s.unknown, s.due, s.owner, s.result, s.error, s.early,
               s.begun, s.ended, s.ended_seq, case when s.target is null and s.status = 5 then s.answer end as decision, s.round, s.event,
               sum(coalesce(octet_length(s.result), 0) + coalesce(octet_length(s.error), 0) + coalesce(octet_length(s.early), 0)) over ()
                   as bytes
          from unnest($1::int8[], $2::text[]) as u (saga_id, instance_id)
         cross join lateral (select * from weir.saga_steps x
                              where x.saga_id = u.saga_id and x.instance_id = u.instance_id offset 0) as s) as t
 order by saga_id, instance_id;

-- name: saga_instances_insert
insert into weir.saga_instances (saga_id, instance_id, version, state, pivot_sent, seq, input, input_hash, cause, traceparent, deadline,
                                 created, updated, ended)
select u.saga_id, u.instance_id, u.version, u.state, u.pivot <> 0, u.seq, u.input, u.hash, u.cause, u.traceparent,
       'epoch'::timestamptz + u.deadline * interval '1 microsecond', 'epoch'::timestamptz + u.created * interval '1 microsecond',
       'epoch'::timestamptz + u.updated * interval '1 microsecond', 'epoch'::timestamptz + u.ended * interval '1 microsecond'
  from unnest($1::int8[], $2::text[], $3::int4[], $4::int2[], $5::int2[], $6::int8[], $7::text[], $8::uuid[], $9::text[], $10::text[],
              $11::int8[], $12::int8[], $13::int8[], $14::int8[]) with ordinality
       as u (saga_id, instance_id, version, state, pivot, seq, input, hash, cause, traceparent, deadline, created, updated, ended, ord)
 order by u.ord;

-- name: saga_instances_update
update weir.saga_instances i
   set state = u.state, pivot_sent = u.pivot <> 0, seq = u.seq, cause = u.cause,
       deadline = 'epoch'::timestamptz + u.deadline * interval '1 microsecond',
       updated = 'epoch'::timestamptz + u.updated * interval '1 microsecond',
       ended = 'epoch'::timestamptz + u.ended * interval '1 microsecond'
  from unnest($1::int8[], $2::text[], $3::int2[], $4::int2[], $5::int8[], $6::text[], $7::int8[], $8::int8[], $9::int8[])
       as u (saga_id, instance_id, state, pivot, seq, cause, deadline, updated, ended)
 cross join lateral (select ctid as at from weir.saga_instances x
                      where x.saga_id = u.saga_id and x.instance_id = u.instance_id offset 0) as t
 where i.ctid = t.at;

-- name: saga_steps_insert
insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, unknown, due, owner, target, result, error, early,
                             request, answer, begun, ended, ended_seq, round, event, awaits)
select u.saga_id, u.instance_id, u.step, u.kind, u.status, u.attempts, u.unknown <> 0,
       'epoch'::timestamptz + u.due * interval '1 microsecond', u.owner, u.target, u.result, u.error, u.early, u.request, u.answer,
       'epoch'::timestamptz + u.begun * interval '1 microsecond', 'epoch'::timestamptz + u.ended * interval '1 microsecond', u.ended_seq,
       u.round, u.event, u.awaits
  from unnest($1::int8[], $2::text[], $3::int2[], $4::int2[], $5::int2[], $6::int4[], $7::int2[], $8::int8[], $9::int8[], $10::text[],
              $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int8[], $17::int8[], $18::int8[], $19::int4[],
              $20::text[], $21::text[])
       as u (saga_id, instance_id, step, kind, status, attempts, unknown, due, owner, target, result, error, early, request, answer,
             begun, ended, ended_seq, round, event, awaits);

-- name: saga_steps_update
-- texts: bits of those that are to be written; the others stay.
update weir.saga_steps s
   set status = u.status, attempts = u.attempts, unknown = u.unknown <> 0,
       due = 'epoch'::timestamptz + u.due * interval '1 microsecond', owner = u.owner,
       result = case when u.texts & 1 > 0 then u.result else s.result end,
       error = case when u.texts & 2 > 0 then u.error else s.error end,
       early = case when u.texts & 4 > 0 then u.early else s.early end,
       request = case when u.texts & 8 > 0 then u.request else s.request end,
       answer = case when u.texts & 16 > 0 then u.answer else s.answer end,
       begun = 'epoch'::timestamptz + u.begun * interval '1 microsecond',
       ended = 'epoch'::timestamptz + u.ended * interval '1 microsecond', ended_seq = u.ended_seq, round = u.round,
       event = u.event
  from unnest($1::int8[], $2::text[], $3::int2[], $4::int2[], $5::int2[], $6::int4[], $7::int2[], $8::int8[], $9::int8[], $10::int4[],
              $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int8[], $17::int8[], $18::int8[], $19::int4[],
              $20::text[])
       as u (saga_id, instance_id, step, kind, status, attempts, unknown, due, owner, texts, result, error, early, request, answer,
             begun, ended, ended_seq, round, event)
 cross join lateral (select ctid as at from weir.saga_steps x
                      where x.saga_id = u.saga_id and x.instance_id = u.instance_id and x.step = u.step and x.kind = u.kind
                     offset 0) as t
 where s.ctid = t.at;

-- name: saga_history_add
-- And to be told on saga.<name>: later ones have later times, also within a transaction.
with told as (
    insert into weir.outbox (stream_id, id, stream, recorded, type, source, subject, traceparent, data)
    select 0, md5(concat(u.saga_id, '/', u.seq, '/', u.n, '/', u.instance_id))::uuid, 'saga.' || u.name,
           clock_timestamp() + u.nth * interval '1 microsecond', u.type, '/v1/sagas/' || u.name, u.instance_id, u.traceparent, u.told
      from unnest($1::int8[], $2::text[], $3::int8[], $4::int2[], $6::text[], $9::text[], $10::text[], $11::text[], $12::int4[])
           with ordinality as u (saga_id, instance_id, seq, n, type, name, traceparent, told, nth, ord)
     order by u.ord
)
insert into weir.saga_history (saga_id, instance_id, seq, n, at, type, step, data)
select u.saga_id, u.instance_id, u.seq, u.n, 'epoch'::timestamptz + u.at * interval '1 microsecond', u.type, u.step, u.data
  from unnest($1::int8[], $2::text[], $3::int8[], $4::int2[], $5::int8[], $6::text[], $7::text[], $8::text[])
       as u (saga_id, instance_id, seq, n, at, type, step, data);

-- name: saga_due
-- What time alone changes: timeouts of what waits (but for events: saga_awaits_due), and of whole sagas, but for those that await events of
-- the streams $4; and what is to be published. Not what is held, nor (here and below) what is of instances that are set aside.
(select s.saga_id, s.instance_id, s.due from weir.saga_steps s
  where s.due <= now() and s.target is null and (s.status = 1 or (s.status = 3 and s.awaits is null))
    and (s.saga_id, s.instance_id) not in (select * from unnest($2::int8[], $3::text[])) order by s.due limit $1)
union all
(select i.saga_id, i.instance_id, i.deadline from weir.saga_instances i
  where i.deadline <= now() and (i.saga_id, i.instance_id) not in (select * from unnest($2::int8[], $3::text[]))
    and ($4::int8[] = '{}' or
         coalesce((select false from weir.saga_waits w
                    where w.saga_id = i.saga_id and w.instance_id = i.instance_id and w.stream_id = any($4) limit 1), true))
  order by i.deadline limit $1);

-- name: saga_awaits_streams
-- Each stream whose events are waited for with a timeout that is over, and the first of these; found by one look into the index.
with recursive t as (
    (select s.awaits, s.due from weir.saga_steps s where s.status = 3 and s.awaits is not null and s.due is not null
      order by s.awaits, s.due limit 1)
    union all
    select n.awaits, n.due
      from t cross join lateral (select s.awaits, s.due from weir.saga_steps s
                                  where s.status = 3 and s.awaits > t.awaits and s.due is not null
                                  order by s.awaits, s.due limit 1) as n
)
select awaits, due from t where due <= now();

-- name: saga_awaits_due
-- Of each stream up to where it was read.
select s.saga_id, s.instance_id
  from unnest($1::text[], $2::int8[]) with ordinality as u (stream, until, ord)
 cross join lateral (select * from weir.saga_steps x
                      where x.status = 3 and x.awaits = u.stream
                        and x.due <= least(now(), 'epoch'::timestamptz + u.until * interval '1 microsecond')
                        and (x.saga_id, x.instance_id) not in (select * from unnest($4::int8[], $5::text[]))
                      order by x.due limit $3) as s
 order by u.ord, s.due limit $3;

-- name: saga_targets_due
-- Each target with a call that is due, found by one look into the index.
with recursive t as (
    (select s.target, s.due from weir.saga_steps s where s.status = 1 and s.target is not null order by s.target, s.due limit 1)
    union all
    select n.target, n.due
      from t cross join lateral (select s.target, s.due from weir.saga_steps s where s.status = 1 and s.target > t.target
                                  order by s.target, s.due limit 1) as n
)
select target from t where due <= now();

-- name: saga_inbox_any
select exists (select from weir.saga_inbox
                where (saga_id, instance_id) not in (select * from unnest($1::int8[], $2::text[]))) as found;

-- name: saga_calls_due
select s.saga_id, s.instance_id, s.step, s.kind, s.target
  from unnest($1::text[], $2::int4[]) with ordinality as u (target, room, ord)
 cross join lateral (select * from weir.saga_steps x where x.status = 1 and x.target = u.target and x.due <= now()
                        and (x.saga_id, x.instance_id) not in (select * from unnest($3::int8[], $4::text[]))
                      order by x.due limit u.room) as s
 order by u.ord, s.due;

-- name: saga_member_beat
-- mine: its lease was not over. When PostgreSQL has begun anew nobody could renew his: they last for one more from then on.
with beat as (
    insert into weir.saga_members (owner, until) values ($1, now() + $2::int8 * interval '1 microsecond')
    on conflict (owner) do update set until = excluded.until
    returning owner
)
select count(*) filter (where m.owner <> $1) as others, coalesce(bool_or(m.owner = $1), false) as mine
  from weir.saga_members m
 where greatest(m.until, pg_postmaster_start_time() + $2::int8 * interval '1 microsecond') > now();

-- name: saga_member_leave
delete from weir.saga_members where owner = $1;

-- name: saga_members_forget
delete from weir.saga_members where until < now() - interval '1 hour';

-- name: saga_owners_gone
-- Whose attempts nobody makes any more.
with recursive o as (
    (select s.owner from weir.saga_steps s where s.owner <> 0 order by s.owner limit 1)
    union all
    select (select s.owner from weir.saga_steps s where s.owner <> 0 and s.owner > o.owner order by s.owner limit 1) from o
     where o.owner is not null
)
select o.owner from o
 where o.owner is not null and not exists (select from weir.saga_members m
                    where m.owner = o.owner
                      and greatest(m.until, pg_postmaster_start_time() + $1::int8 * interval '1 microsecond') > now());

-- name: saga_attempts_of
select saga_id, instance_id, step, kind, attempts, owner
  from weir.saga_steps
 where owner = any($1::int8[]) and owner <> 0 and (saga_id, instance_id) not in (select * from unnest($3::int8[], $4::text[])) limit $2;

-- name: saga_ended_remove
-- Instances that have ended before, with all that there is of them.
with gone as (
    delete from weir.saga_instances
     where ctid = any (array(select ctid from weir.saga_instances
                              where ended < now() - $1::int8 * interval '1 microsecond' order by ended limit $2 for update skip locked))
    returning saga_id, instance_id
), steps as (
    delete from weir.saga_steps s using gone g where s.saga_id = g.saga_id and s.instance_id = g.instance_id
), history as (
    delete from weir.saga_history h using gone g where h.saga_id = g.saga_id and h.instance_id = g.instance_id
)
select count(*) as gone from gone;

-- name: sagas_forsaken
-- Deleted ones, of which something is left.
select distinct d.saga_id from weir.saga_definitions d
 where not exists (select from weir.sagas s where s.saga_id = d.saga_id) order by d.saga_id limit 2;

-- name: saga_forsaken_remove
with gone as (
    delete from weir.saga_instances
     where ctid = any (array(select ctid from weir.saga_instances where saga_id = $1 order by instance_id limit $2 for update skip locked))
    returning saga_id, instance_id
), steps as (
    delete from weir.saga_steps s using gone g where s.saga_id = g.saga_id and s.instance_id = g.instance_id
), history as (
    delete from weir.saga_history h using gone g where h.saga_id = g.saga_id and h.instance_id = g.instance_id
)
select count(*) as gone from gone;

-- name: saga_forget
delete from weir.saga_definitions
 where saga_id = $1 and not exists (select from weir.saga_instances where saga_id = $1);
