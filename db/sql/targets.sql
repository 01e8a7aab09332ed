-- Targets of outbound calls and their circuit breakers, which are those of all gateways. The clock is the database's.

-- name: targets_add
-- Known ones stay; in order, so that two who add never wait for each other.
insert into weir.saga_targets (target, updated) select distinct unnest($1::text[]) as target, now() order by target on conflict do nothing;

-- name: targets_lock
select target, state, failures, successes, opened, probe_owner, probe_until, clock_timestamp() as now
  from weir.saga_targets where target = any($1::text[]) order by target for update;

-- name: targets_set
update weir.saga_targets t
   set state = u.state, failures = u.failures, successes = u.successes, opened = nullif(u.opened, 'epoch'),
       probe_owner = u.probe_owner, probe_until = nullif(u.probe_until, 'epoch'), updated = clock_timestamp()
  from unnest($1::text[], $2::int4[], $3::int4[], $4::int4[], $5::timestamptz[], $6::int8[], $7::timestamptz[])
       as u (target, state, failures, successes, opened, probe_owner, probe_until)
 cross join lateral (select ctid as at from weir.saga_targets x where x.target = u.target offset 0) as l
 where t.ctid = l.at;

-- name: targets_troubled
-- All whose breaker is not as it was at first; one row at least.
select t.target, t.state, t.failures, t.successes, t.opened, t.probe_owner, t.probe_until, c.now
  from (select clock_timestamp() as now) c
  left join weir.saga_targets t on t.state <> 0 or t.failures > 0;

-- name: targets_remove
-- Those that nobody has spoken of for so long. What somebody holds is left for the next time, so that this waits for nobody.
with gone as (delete from weir.saga_targets where target in (
  select target from weir.saga_targets where updated < now() - $1::int8 * interval '1 microsecond' limit $2 for update skip locked) returning 1)
select count(*) as n from gone;

-- name: targets_page
select target, state, failures, successes, opened, probe_owner, probe_until, clock_timestamp() as now
  from weir.saga_targets where target > $1 order by target limit $2;
