-- Verifying projections: a scratch build beside the one that is read.

-- name: check_add
insert into weir.projection_checks (projection_id, job_id, name, state, automatic, build, scratch, error, created, updated, due)
values ($1, $2, $3, $4, $5, $6, $7, $8, now(), now(), now())
returning created;

-- name: check_find
select projection_id, job_id, name, state, automatic, build, scratch, checked, drifted, order_dependent, result, error, created, updated
  from weir.projection_checks where job_id = $1;

-- name: check_running
select projection_id, job_id, name, state, automatic, build, scratch, checked, drifted, order_dependent, result, error, created, updated
  from weir.projection_checks where projection_id = $1 and state = 0;

-- name: check_last
-- The last one that came to an end by itself, without what it found.
select projection_id, job_id, name, state, automatic, build, scratch, checked, drifted, order_dependent, null::text as result, error,
       created, updated
  from weir.projection_checks where projection_id = $1 and state in (1, 3) order by updated desc limit 1;

-- name: check_take
-- One of which a step is due. It is taken for $1 microseconds.
update weir.projection_checks set due = now() + $1::int8 * interval '1 microsecond'
 where (projection_id, job_id) = (select projection_id, job_id from weir.projection_checks
                                   where state = 0 and due <= now() order by due limit 1 for update skip locked)
returning projection_id, job_id, name, state, automatic, build, scratch, checked, drifted, order_dependent, result, error, created,
          updated;

-- name: check_due
update weir.projection_checks set due = now() + $3::int8 * interval '1 microsecond', checked = $4, updated = now()
 where projection_id = $1 and job_id = $2 and state = 0
returning checked;

-- name: check_end
update weir.projection_checks
   set state = $3, checked = $4, drifted = $5, order_dependent = $6, result = $7, error = $8, updated = now()
 where projection_id = $1 and job_id = $2 and state = 0
returning updated;

-- name: checks_forget
-- Those that ended long ago but the last of each projection, and those of projections that are gone.
delete from weir.projection_checks c
 where (c.state > 0 and c.updated < now() - $1::int8 * interval '1 microsecond'
        and exists (select from weir.projection_checks x
                     where x.projection_id = c.projection_id and x.state in (1, 3) and x.updated > c.updated))
    or not exists (select from weir.projections p where p.projection_id = c.projection_id);

-- name: check_progress
-- How far the scratch build ($3) is from where it is to come (rest) and from what is read ($2: behind; uneven: parts that differ).
-- No row: the one that is read is another one now, or the scratch build is gone.
select p.paused, a.held is not null as held, b.error, coalesce(d.rest, 0)::int8 as rest, coalesce(d.behind, 0)::int8 as behind,
       coalesce(d.uneven, 0)::int8 as uneven
  from weir.projections p
  join weir.projection_builds a on a.projection_id = p.projection_id and a.build = p.build
  join weir.projection_builds b on b.projection_id = p.projection_id and b.build = $3 and b.state = 3
 cross join lateral (
    select sum(greatest(coalesce(y.upto, x.position) - coalesce(y.position, x.first), 0)) as rest,
           sum(greatest(x.position - coalesce(y.position, x.first), 0)) as behind,
           count(*) filter (where y.position is distinct from x.position) as uneven
      from weir.projection_parts x
      left join weir.projection_parts y on y.projection_id = $1 and y.build = $3 and y.stream_id = x.stream_id
                                       and y.partition = x.partition
     where x.projection_id = $1 and x.build = $2) as d
 where p.projection_id = $1 and p.build = $2;

-- name: check_follow
-- The scratch build's parts, which are those of the build that is read: up to where that one is now.
insert into weir.projection_parts as s (projection_id, build, stream_id, partition, part, first, position, target, kept, upto)
select projection_id, $3, stream_id, partition, part, first, first, position, first, position
  from weir.projection_parts where projection_id = $1 and build = $2 order by stream_id, partition
on conflict (projection_id, build, stream_id, partition) do update set upto = excluded.upto;

-- name: check_page
-- States of both builds side by side, by key, after $4: of each at most $5. Texts only where something differs. `last`: there are no more.
with hi as (
    select least((select key from weir.projection_states where projection_id = $1 and build = $2 and key > $4 order by key
                   offset $5 limit 1),
                 (select key from weir.projection_states where projection_id = $1 and build = $3 and key > $4 order by key
                   offset $5 limit 1)) as key
), a as (
    select key, state, version, part from weir.projection_states
     where projection_id = $1 and build = $2 and key > $4 and key < coalesce((select key from hi), repeat(chr(1114111), 257))
), b as (
    select key, state, version, part from weir.projection_states
     where projection_id = $1 and build = $3 and key > $4 and key < coalesce((select key from hi), repeat(chr(1114111), 257))
)
select coalesce(a.key, b.key) as key, d.differs, case when d.differs then a.state end as is_state,
       case when d.differs then b.state end as should_state, a.version as is_version, b.version as should_version, a.part as is_part,
       b.part as should_part, (select hi.key is null from hi) as last
  from a full join b on b.key = a.key
 cross join lateral (select a.state is distinct from b.state or a.version is distinct from b.version as differs) as d
 order by 1;

-- name: checks_wanted
-- Projections that may have to be verified by themselves, with when that was done last.
select p.name, b.definition,
       (extract(epoch from now() - coalesce((select max(c.created) from weir.projection_checks c where c.projection_id = p.projection_id),
                                            p.updated)) * 1000000)::int8 as since
  from weir.projections p join weir.projection_builds b on b.projection_id = p.projection_id and b.build = p.build
 where not p.paused and b.definition like '%"verify_every":"%'
   and not exists (select from weir.projection_checks c where c.projection_id = p.projection_id and c.state = 0);

-- name: checks_forsaken
-- Scratch builds that no check is at.
select b.projection_id, b.build from weir.projection_builds b
 where b.state = 3 and not exists (select from weir.projection_checks c
                                    where c.projection_id = b.projection_id and c.state = 0 and c.scratch = b.build);
