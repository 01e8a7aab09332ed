-- Dead letters of projections: those of the group projection:<name>.

-- name: fold_group
-- The group of a projection, whether it has letters, and the state of a build.
select 'projection:' || p.name, exists (select from weir.dead_letters l where l.group_name = 'projection:' || p.name and not l.orphaned), b.state
  from weir.projections p join weir.projection_builds b on b.projection_id = p.projection_id and b.build = $2
 where p.projection_id = $1;

-- name: fold_letters
-- Of a partition's events between the positions $4 and $5, and what was redriven up to $6; by offset. While another build is made or
-- compared, what was redriven is as parked: all of them pass over it, and whichever is read in the end folds it.
with busy as (
    select exists (select from weir.projection_builds b where b.projection_id = $8 and b.state in (0, 3)) as busy
)
select letter_id, case when state = 1 and busy then 0::int2 else state end, "offset", recorded, id, source, type, subject, version,
       attributes, data_format, data
  from weir.dead_letters cross join busy
 where group_name = $1 and stream_id = $2 and partition = $3 and "offset" > $4 and "offset" <= $5 and not orphaned
union all
(select letter_id, state, "offset", recorded, id, source, type, subject, version, attributes, data_format, data
   from weir.dead_letters
  where group_name = $1 and stream_id = $2 and partition = $3 and "offset" <= $6 and state = 1 and not orphaned
    and not (select busy from busy)
  order by "offset" limit $7)
order by 3;

-- name: letters_refold
-- Parked letters of the groups $3, which are projections': the part that folds their partition takes them up.
update weir.dead_letters
   set state = 1, redrives = redrives + 1, note = $4, poison = false, updated_at = statement_timestamp()
 where stream_id = $1 and letter_id = any($2::uuid[]) and state + 0 = 0 and group_name || '' = any($3::text[])
   and not orphaned
returning letter_id;

-- name: parts_redriven
-- Of this gateway's parts those that have a redriven letter behind them.
select distinct t.projection_id, t.build, t.stream_id, t.partition
  from weir.dead_letters l
  join weir.projections p on 'projection:' || p.name = l.group_name
  join weir.projection_parts t on t.projection_id = p.projection_id and t.build = p.build and t.stream_id = l.stream_id
                              and t.partition = l.partition and t.position >= l."offset" and t.owner = $1
 where l.state = 1 and l.group_name >= 'projection:' and l.group_name < 'projection;'
   and not exists (select from weir.projection_builds b where b.projection_id = p.projection_id and b.state in (0, 3));
