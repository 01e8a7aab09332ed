-- Who folds which part, and the steps.

-- name: member_beat
-- This gateway ($1) folds for another $2 microseconds. Which others do, and how many parts there are to fold.
with beat as (
    insert into weir.projection_members (owner, until) values ($1, now() + $2::int8 * interval '1 microsecond')
    on conflict (owner) do update set until = excluded.until
)
select (select count(*) from weir.projection_members where owner <> $1 and until > now()) as others,
       (select count(*) from weir.projection_parts t
          join weir.projections p on p.projection_id = t.projection_id and not p.paused
          join weir.projection_builds b on b.projection_id = t.projection_id and b.build = t.build and b.state <> 2
                                       and b.error is null and b.held is null) as parts;

-- name: members_forget
delete from weir.projection_members where until < now() - interval '1 minute';

-- name: member_leave
with gone as (delete from weir.projection_members where owner = $1)
update weir.projection_parts set owner = 0 where owner = $1;

-- name: parts_mine
select projection_id, build, stream_id, partition, epoch from weir.projection_parts where owner = $1;

-- name: parts_claim
-- At most $2 parts that nobody folds, or whose gateway's lease is over. What somebody changes or folds just now is left alone; the
-- projection and the build are locked so that they are seen as they are now.
with free as (
    select t.projection_id, t.build, t.stream_id, t.partition, s.name, b.state
      from weir.projection_parts t
      join weir.projections p on p.projection_id = t.projection_id
      join weir.projection_builds b on b.projection_id = t.projection_id and b.build = t.build
      join weir.streams s on s.stream_id = t.stream_id
     where not p.paused and b.state <> 2 and b.error is null and b.held is null and not s.deleted
       and (t.upto is null or t.position < t.upto)
       and not exists (select from weir.projection_members m where m.owner = t.owner and m.until > now())
     order by t.projection_id, t.build, t.stream_id, t.partition limit $2
       for update of t skip locked for share of p, b skip locked
)
update weir.projection_parts t set epoch = t.epoch + 1, owner = $1
  from free f
 where t.projection_id = f.projection_id and t.build = f.build and t.stream_id = f.stream_id and t.partition = f.partition
returning t.projection_id, t.build, t.stream_id, t.partition, t.part, t.first, t.target, t.position, t.upto, t.epoch, f.name, f.state;

-- name: part_release
update weir.projection_parts set owner = 0
 where projection_id = $1 and build = $2 and stream_id = $3 and partition = $4 and epoch = $5 and owner = $6;

-- name: parts_behind
-- Of this gateway's parts those that have something to fold.
select t.projection_id, t.build, t.stream_id, t.partition
  from weir.projection_parts t join weir.partitions p on p.stream_id = t.stream_id and p.partition = t.partition
 where t.owner = $1 and p.head > t.position;

-- name: part_get
-- What became of a step of which no answer came. Waits for it.
select position, epoch from weir.projection_parts
 where projection_id = $1 and build = $2 and stream_id = $3 and partition = $4 for update;

-- name: part_advance
-- The fence: no row when another gateway has claimed the part, or somebody has stopped it.
-- $9: it begins there, as what stood before is not kept any more.
update weir.projection_parts set position = $7, folded = folded + $8, first = case when $9 then $7 else first end
 where projection_id = $1 and build = $2 and stream_id = $3 and partition = $4 and epoch = $5 and position = $6
returning (select b.state from weir.projection_builds b where b.projection_id = $1 and b.build = $2) as build_state;

-- name: frozen_end
-- Who stands still within a transaction for so many milliseconds loses it: its locks would keep the next one out. Waits for locks end before
-- ($2): one session after the other of who stands still would get them, and keep them for as long again.
select set_config('idle_in_transaction_session_timeout', $1, true) as frozen, set_config('lock_timeout', $2, true) as wait;

-- name: locks_wait
select set_config('lock_timeout', $1, true) as wait;

-- name: states_lock
-- Key by key, in their order: a build begins without statistics, and any other plan would read all of it. Beyond $4 bytes of states there
-- are none; the first one comes always.
select s.key, case when sum(octet_length(s.state)) over (order by u.n rows unbounded preceding) - octet_length(s.state) < $4
                   then s.state end as state, s.version, s.part
  from unnest($3::text[]) with ordinality as u (key, n)
 cross join lateral (select x.key, x.state, x.version, x.part from weir.projection_states x
                      where x.projection_id = $1 and x.build = $2 and x.key = u.key for update) as s
 order by u.n;

-- name: states_insert
-- Of keys that were not there; should another part have made one meanwhile it fails.
insert into weir.projection_states (projection_id, build, key, state, version, part, last_part, last_offset)
select $1, $2, u.key, u.state, u.version, $3, $3, u."offset"
  from unnest($4::text[], $5::text[], $6::int8[], $7::int8[]) as u (key, state, version, "offset");

-- name: states_update
-- Of keys that are there, and locked.
insert into weir.projection_states as s (projection_id, build, key, state, version, part, last_part, last_offset)
select $1, $2, u.key, u.state, u.version, $3, $3, u."offset"
  from unnest($4::text[], $5::text[], $6::int8[], $7::int8[]) as u (key, state, version, "offset")
on conflict (projection_id, build, key) do update
   set state = excluded.state, version = excluded.version, part = case when s.part = $3 then s.part else -1 end,
       last_part = excluded.last_part, last_offset = excluded.last_offset;

-- name: states_delete
-- Of keys that are locked.
delete from weir.projection_states
 where ctid = any (array(select s.at from unnest($3::text[]) as u (key)
                          cross join lateral (select x.ctid as at from weir.projection_states x
                                               where x.projection_id = $1 and x.build = $2 and x.key = u.key offset 0) as s));

-- name: lookups_remove
-- Of states that are locked.
delete from weir.projection_lookups
 where ctid = any (array(select l.at from unnest($3::int8[], $4::text[]) as u (hash, key)
                          cross join lateral (select x.ctid as at from weir.projection_lookups x
                                               where x.projection_id = $1 and x.build = $2 and x.hash = u.hash and x.key = u.key
                                              offset 0) as l));

-- name: lookups_add
insert into weir.projection_lookups (projection_id, build, hash, key)
select $1, $2, u.hash, u.key from unnest($3::int8[], $4::text[]) as u (hash, key)
on conflict do nothing;

-- name: change_add
-- $6: the step folds only what was redriven, and stays where it is.
insert into weir.projection_changes (projection_id, build, part, position, refold, at, keys)
select $1, $2, $3, $4,
       case when $6 then 1 + coalesce((select max(refold) from weir.projection_changes
                                        where projection_id = $1 and build = $2 and part = $3 and position = $4), 0) else 0 end,
       now(), $5;

-- name: states_mixed
update weir.projection_states set part = -1 where projection_id = $1 and build = $2 and key = any($3::text[]);

-- name: skips_of
select "offset" from weir.projection_skips
 where projection_id = $1 and stream_id = $2 and partition = $3 and "offset" > $4 and "offset" <= $5;

-- name: build_fail
-- The step did not move: no row when it did after all, or is somebody else's.
update weir.projection_builds b set error = $7, updated = now()
  from (select projection_id, build from weir.projection_parts
         where projection_id = $1 and build = $2 and stream_id = $3 and partition = $4 and epoch = $5 and position = $6
           for update) as t
 where b.projection_id = t.projection_id and b.build = t.build and b.error is null
returning b.build;
