-- Projections: definitions, builds, and what is read of them. How they are folded: projections_parts.sql

-- name: projection_create
-- No row: the name is taken, or there are $5 projections.
insert into weir.projections (projection_id, name, build, paused, definition, created, updated)
select $1, $2, 1, $3, $4, now(), now() where (select count(*) from weir.projections) < $5
on conflict do nothing
returning created;

-- name: projection_lock
select projection_id, name, build, paused, definition, created, updated from weir.projections where name = $1 for update;

-- name: projection_get
select projection_id, name, build, paused, definition, created, updated from weir.projections where name = $1;

-- name: projection_lock_id
select projection_id, name, build, paused, definition, created, updated from weir.projections
 where projection_id = $1 for update skip locked;

-- name: projection_list
select projection_id, name, build, paused, definition, created, updated from weir.projections
 where name > $1 order by name limit $2;

-- name: projection_update
update weir.projections set build = $2, paused = $3, definition = $4, updated = now() where projection_id = $1;

-- name: projection_delete
-- Builds that belong to no projection are removed as retired ones are, batch by batch.
with skips as (
    delete from weir.projection_skips where projection_id = $1
), letters as ( -- nobody folds what was redriven; another projection of the name has nothing to do with them
    update weir.dead_letters l
       set state = case when l.state = 1 then 0 else l.state end, orphaned = true,
           updated_at = case when l.state = 1 then now() else l.updated_at end
      from weir.projections p where p.projection_id = $1 and l.group_name = 'projection:' || p.name and not l.orphaned
), builds as (
    update weir.projection_builds set state = 2, updated = now() where projection_id = $1
)
delete from weir.projections where projection_id = $1;

-- name: builds_of
select projection_id, build, state, definition, error, held, created, updated from weir.projection_builds
 where projection_id = $1 and state <> 2 order by build;

-- name: build_get
select projection_id, build, state, definition, error, held, created, updated,
       exists (select from weir.projection_skips s where s.projection_id = $1) as skips
  from weir.projection_builds where projection_id = $1 and build = $2;

-- name: build_add
-- With the number after the last one's.
insert into weir.projection_builds (projection_id, build, state, definition, streams, created, updated)
select $1, coalesce(max(build), 0) + 1, $2, $3, $4, now(), now() from weir.projection_builds where projection_id = $1
returning build;

-- name: build_set
update weir.projection_builds
   set state = $3, definition = $4, error = $5, held = case when $6 then coalesce(held, now()) end, updated = now()
 where projection_id = $1 and build = $2;

-- name: parts_fence
-- Whoever folds parts of these builds of the projection finds out with its next step; those that are under way end first.
update weir.projection_parts t set epoch = t.epoch + 1, owner = 0
  from (select projection_id, build, stream_id, partition from weir.projection_parts
         where projection_id = $1 and build = any($2::int4[]) order by build, stream_id, partition for update) as f
 where t.projection_id = f.projection_id and t.build = f.build and t.stream_id = f.stream_id and t.partition = f.partition;

-- name: parts_add
-- A number is never given again: changes and ETags of a stream that was deleted bear its parts' numbers.
with numbers as (
    update weir.projection_builds set parts = parts + cardinality($3::int8[]) where projection_id = $1 and build = $2
    returning parts - cardinality($3::int8[]) as next
)
insert into weir.projection_parts (projection_id, build, stream_id, partition, part, first, position, target, kept)
select $1, $2, u.stream_id, u.partition, n.next + u.ord - 1, u.first, u.first, u.target, u.first
  from unnest($3::int8[], $4::int4[], $5::int8[], $6::int8[]) with ordinality as u (stream_id, partition, first, target, ord)
 cross join numbers n
on conflict do nothing;

-- name: parts_of
select t.stream_id, t.partition, t.position, t.part, t.first, t.target, t.kept, t.folded, t.upto, p.head, p.earliest, s.name
  from weir.projection_builds b
  join weir.projection_parts t on t.projection_id = b.projection_id and t.build = b.build
  join weir.streams s on s.stream_id = t.stream_id and not s.deleted
  join weir.partitions p on p.stream_id = t.stream_id and p.partition = t.partition
 where b.projection_id = $1 and b.build = $2
 order by array_position(b.streams, s.name::text), t.partition;

-- name: skip_add
insert into weir.projection_skips (projection_id, stream_id, partition, "offset", at) values ($1, $2, $3, $4, now())
on conflict do nothing;

-- name: projection_view
select p.projection_id, p.build, p.paused, p.name, b.definition, b.error
  from weir.projections p join weir.projection_builds b on b.projection_id = p.projection_id and b.build = p.build
 where p.name = $1;

-- name: projection_view_parts
select s.name, t.stream_id, t.partition, t.part, t.position, t.kept
  from weir.projections p
  join weir.projection_builds b on b.projection_id = p.projection_id and b.build = p.build
  join weir.projection_parts t on t.projection_id = p.projection_id and t.build = p.build
  join weir.streams s on s.stream_id = t.stream_id and not s.deleted
 where p.name = $1
 order by array_position(b.streams, s.name::text), t.partition;

-- name: state_get
select s.key, s.state, s.version, s.build, s.part, s.last_part, s.last_offset
  from weir.projections p
 cross join lateral (select * from weir.projection_states x
                      where x.projection_id = p.projection_id and x.build = p.build and x.key = $2 offset 0) as s
 where p.name = $1;

-- name: states_page
-- Keys after $3, from $4, before $5; ends early at $7 bytes. `found` tells how many there were before the cut by bytes.
select key, state, version, build, part, last_part, last_offset, found
  from (select s.*, sum(octet_length(s.state)) over (order by s.key rows unbounded preceding) as running,
               row_number() over (order by s.key rows unbounded preceding) as nth, count(*) over () as found
          from (select * from weir.projection_states
                 where projection_id = $1 and build = $2 and key > $3 and key >= $4 and key < $5
                 order by key limit $6) as s) as p
 where running <= $7 or nth = 1
 order by key;

-- name: states_found
-- The same of those that have one of the hashes $8.
select key, state, version, build, part, last_part, last_offset, found
  from (select s.*, sum(octet_length(s.state)) over (order by s.key rows unbounded preceding) as running,
               row_number() over (order by s.key rows unbounded preceding) as nth, count(*) over () as found
          from (select distinct x.key
                  from unnest($8::int8[]) as h (hash)
                 cross join lateral (select l.key from weir.projection_lookups l
                                      where l.projection_id = $1 and l.build = $2 and l.hash = h.hash and l.key > $3 and l.key >= $4
                                        and l.key < $5
                                      order by l.key limit $6) as x
                 order by x.key limit $6) as k
         cross join lateral (select * from weir.projection_states t
                              where t.projection_id = $1 and t.build = $2 and t.key = k.key offset 0) as s) as p
 where running <= $7 or nth = 1
 order by key;

-- name: streams_ahead
-- Streams of a build that its reader had not seen among its parts ($3): they were made since, and may have become parts by now.
select s.name::text, s.stream_id, s.partitions
  from weir.projection_builds b cross join lateral unnest(b.streams) as n (name)
 cross join lateral (select * from weir.streams x where x.name = n.name and not x.deleted offset 0) as s
 where b.projection_id = $1 and b.build = $2 and s.stream_id <> all ($3);

-- name: states_of
select s.key, s.state, s.version, s.build, s.part, s.last_part, s.last_offset
  from unnest($3::text[]) as u (key)
 cross join lateral (select * from weir.projection_states x
                      where x.projection_id = $1 and x.build = $2 and x.key = u.key offset 0) as s;

-- name: changes_read
-- The keys of the next steps of each part ($3, after $4, and of those that stayed there after $7), in the order in which they came, until
-- there are $6 keys; whole steps.
select c.part, c.position, c.refold, k.key
  from (select q.*, sum(cardinality(q.keys)) over (order by q.came, q.part, q.position, q.refold rows unbounded preceding)
                    - cardinality(q.keys) as before
          from (select n.*, max(n.at) over (partition by n.part order by n.position, n.refold) as came
                  from unnest($3::int4[], $4::int8[], $7::int4[]) as u (part, after, told)
                 cross join lateral (select * from weir.projection_changes x
                                      where x.projection_id = $1 and x.build = $2 and x.part = u.part
                                        and (x.position, x.refold) > (u.after, u.told)
                                      order by x.position, x.refold limit $5) as n) as q) as c
 cross join lateral unnest(c.keys) as k (key)
 where c.before < $6
 order by c.came, c.part, c.position, c.refold;

-- name: swap_candidates
-- Builds that could take the place of what is read, and how far they are behind it, or behind the heads when they began: what is read may
-- stand still.
select n.projection_id, n.build, p.build as active, o.held, coalesce(d.behind, 0)::int8 as behind,
       coalesce(extract(epoch from now() - o.held) * 1000000, 0)::int8 as held_for
  from weir.projection_builds n
  join weir.projections p on p.projection_id = n.projection_id and not p.paused
  join weir.projection_builds o on o.projection_id = p.projection_id and o.build = p.build
 cross join lateral (
    select sum(greatest(greatest(coalesce(t.position, 0), x.target) - x.position, 0)) as behind
      from weir.projection_parts x
      left join weir.projection_parts t on t.projection_id = x.projection_id and t.build = p.build and t.stream_id = x.stream_id
                                       and t.partition = x.partition
     where x.projection_id = n.projection_id and x.build = n.build) as d
 where n.state = 0 and n.error is null;

-- name: builds_forsaken
-- Held, with nobody left to wait for.
update weir.projection_builds b set held = null, updated = now()
 where b.held < now() - $1::int8 * interval '1 microsecond' and b.state <> 2
returning b.projection_id;

-- name: builds_release
-- What they waited for is given up.
update weir.projection_builds set held = null, updated = now() where projection_id = $1 and held is not null;

-- name: build_hold
update weir.projection_builds set held = case when $3 then coalesce(held, now()) end, updated = now()
 where projection_id = $1 and build = $2;

-- name: parts_keep_from
-- Changes of a build that begins to be read are remembered from here on.
update weir.projection_parts set kept = position where projection_id = $1 and build = $2;

-- name: streams_without_parts
-- Streams of builds that were made after them.
select b.projection_id, b.build, s.stream_id, s.partitions
  from weir.projection_builds b cross join lateral unnest(b.streams) as n (name)
 cross join lateral (select * from weir.streams x where x.name = n.name and not x.deleted offset 0) as s
 where b.state in (0, 1)
   and not exists (select from weir.projection_parts t
                    where t.projection_id = b.projection_id and t.build = b.build and t.stream_id = s.stream_id)
 limit 100;

-- name: parts_forget
-- Of streams that were deleted.
with skips as (
    delete from weir.projection_skips k
     where not exists (select from weir.streams s where s.stream_id = k.stream_id and not s.deleted)
)
delete from weir.projection_parts t
 where not exists (select from weir.streams s where s.stream_id = t.stream_id and not s.deleted);

-- name: builds_retired
select projection_id, build from weir.projection_builds where state = 2 order by updated limit 10;

-- name: states_remove
delete from weir.projection_states
 where ctid = any (array(select ctid from weir.projection_states where projection_id = $1 and build = $2 limit $3));

-- name: lookups_drop
delete from weir.projection_lookups
 where ctid = any (array(select ctid from weir.projection_lookups where projection_id = $1 and build = $2 limit $3));

-- name: changes_drop
delete from weir.projection_changes
 where ctid = any (array(select ctid from weir.projection_changes where projection_id = $1 and build = $2 limit $3));

-- name: build_remove
-- Only when nothing of it is left: another gateway may be removing it too.
with parts as (
    delete from weir.projection_parts where projection_id = $1 and build = $2
)
delete from weir.projection_builds
 where projection_id = $1 and build = $2 and state = 2
   and not exists (select from weir.projection_states where projection_id = $1 and build = $2)
   and not exists (select from weir.projection_lookups where projection_id = $1 and build = $2)
   and not exists (select from weir.projection_changes where projection_id = $1 and build = $2);

-- name: changes_trim
-- A batch of the oldest changes of a part: those that came more than $4 microseconds ago, and what is beyond the newest $5 steps. Who is
-- where steps of redriven letters stayed cannot tell whether he has them: they go only after the part went on, and then he has a gap.
with old as (
    select x.position, x.refold from weir.projection_changes x
     where x.projection_id = $1 and x.build = $2 and x.part = $3
       and (x.at < now() - $4::int8 * interval '1 microsecond'
            or x.position <= (select y.position from weir.projection_changes y
                               where y.projection_id = $1 and y.build = $2 and y.part = $3
                               order by y.position desc offset $5 limit 1))
       and (x.refold = 0 or x.position < (select t.position from weir.projection_parts t
                                          where t.projection_id = $1 and t.build = $2 and t.part = $3))
     order by x.position, x.refold limit $6
), gone as (
    delete from weir.projection_changes x using old
     where x.projection_id = $1 and x.build = $2 and x.part = $3 and x.position = old.position and x.refold = old.refold
)
update weir.projection_parts t set kept = greatest(t.kept, m.position)
  from (select max(position + (refold > 0)::int) as position from old) as m
 where t.projection_id = $1 and t.build = $2 and t.part = $3 and m.position is not null
returning t.kept;
