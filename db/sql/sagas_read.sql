-- Sagas as callers look at them. What changes them: sagas.sql.

-- name: saga_show
-- In version $2; null: the newest. The definition is null where there is no such version.
select s.saga_id, s.name, coalesce($2, s.version), s.version, d.definition, s.created, d.created
  from weir.sagas s left join weir.saga_definitions d on d.saga_id = s.saga_id and d.version = coalesce($2, s.version)
 where s.name = $1::text;

-- name: sagas_show
select s.saga_id, s.name, s.version, s.version, d.definition, s.created, d.created
  from weir.sagas s join weir.saga_definitions d on d.saga_id = s.saga_id and d.version = s.version
 where s.name > $1::text order by s.name limit $2;

-- name: saga_counts
-- Those that have not ended: how many ever have would take longer with each that does.
select i.state, count(*) from weir.saga_instances i
 where i.saga_id = $1 and i.state in (0, 1, 2, 3) group by i.state order by i.state;

-- name: saga_step_numbers
-- Of a step's name in version $3; null: in each that has it.
select version, (array_position(steps, $2::text) - 1)::smallint as step from weir.saga_definitions
 where saga_id = $1 and ($3::integer is null or version = $3) and array_position(steps, $2) is not null;

-- The filter is the same wherever instances are chosen, $5 to $9: a version, started from, numbers of steps in versions of which one has an
-- error, LIKE what that says, or the answer that came; null: any.

-- name: saga_instances_show
-- The newest first, before ($2, $3); in state $4, which is null in this one. $10 at most.
select i.instance_id, i.version, i.state, i.pivot_sent, i.seq, i.cause, i.deadline, i.created, i.updated, i.ended
  from weir.saga_instances i
 where i.saga_id = $1 and (i.created, i.instance_id) < ($2::timestamptz, $3::text) and $4::smallint is null
   and ($5::integer is null or i.version = $5) and i.created >= coalesce($6::timestamptz, '-infinity')
   and ($7::int4[] is null and $9::text is null or exists (
        select from weir.saga_steps t
         where t.saga_id = i.saga_id and t.instance_id = i.instance_id and t.error is not null and ($9 is null or t.error like $9 or t.answer like $9)
           and ($7 is null or (i.version, t.step) in (select * from unnest($7, $8::int2[])))))
 order by i.created desc, i.instance_id desc limit $10;

-- name: saga_instances_show_in
-- The same in the state $4.
select i.instance_id, i.version, i.state, i.pivot_sent, i.seq, i.cause, i.deadline, i.created, i.updated, i.ended
  from weir.saga_instances i
 where i.saga_id = $1 and i.state = $4::smallint and (i.created, i.instance_id) < ($2::timestamptz, $3::text)
   and ($5::integer is null or i.version = $5) and i.created >= coalesce($6::timestamptz, '-infinity')
   and ($7::int4[] is null and $9::text is null or exists (
        select from weir.saga_steps t
         where t.saga_id = i.saga_id and t.instance_id = i.instance_id and t.error is not null and ($9 is null or t.error like $9 or t.answer like $9)
           and ($7 is null or (i.version, t.step) in (select * from unnest($7, $8::int2[])))))
 order by i.created desc, i.instance_id desc limit $10;

-- name: saga_instance_show
-- No row: there is no such saga. id is null: it has no such instance.
select s.saga_id, i.instance_id, i.version, i.state, i.pivot_sent, i.seq, i.cause, i.deadline, i.created, i.updated, i.ended,
       i.traceparent, i.input, d.definition
  from weir.sagas s
  left join weir.saga_instances i on i.saga_id = s.saga_id and i.instance_id = $2::text
  left join weir.saga_definitions d on d.saga_id = i.saga_id and d.version = i.version
 where s.name = $1::text;

-- name: saga_steps_show
select t.step, t.kind, t.status, t.attempts, t.unknown, t.due, t.target, t.result, t.error, t.request, t.answer, t.begun, t.ended
  from weir.sagas s join weir.saga_steps t on t.saga_id = s.saga_id
 where s.name = $1::text and t.instance_id = $2::text;

-- name: saga_history_show
-- After ($3, $4), $5 at most, ended early at $6 bytes but for the first; found: with those that were left out then. No row: there is no such saga. seq is null: nothing follows; known:
-- there is such an instance.
select i.instance_id is not null as known, h.seq, h.n, h.at, h.type, h.step, h.data, h.found
  from weir.sagas s
  left join weir.saga_instances i on i.saga_id = s.saga_id and i.instance_id = $2::text
  left join lateral (
        select p.*, sum(length(p.data)) over (order by p.seq, p.n) - length(p.data) as before, count(*) over () as found
          from (select * from weir.saga_history r
                 where r.saga_id = s.saga_id and r.instance_id = $2 and (r.seq, r.n) > ($3::bigint, $4::smallint)
                 order by r.seq, r.n limit $5) p) h on h.before = 0 or h.before < $6
 where s.name = $1::text order by h.seq, h.n;
