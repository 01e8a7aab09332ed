-- What the metrics tell of groups and dead letters, of all streams at once.

-- name: figures_groups
-- The $1 groups with the largest lag, of how many. What has failed is counted once: those that are due wait, unless as many are handed
-- out, for consumers are given them first. Of what is handed out, that of which the deadline has passed waits. Nothing that was skipped
-- is the oldest: it waits for an older one.
select k.stream, k.name, k.lag, greatest(0, extract(epoch from clock_timestamp() - least(k.began, e.recorded)) * 1000000)::int8 as age,
       k.in_flight, k.retrying, k.groups
  from (select s.name as stream, g.name, g.stream_id, g.group_id, t.next, l.began,
               (a.ahead + l.open + r.waiting + greatest(r.due - l.open, 0) + n.skipped)::int8 as lag,
               l.live::int8 as in_flight, (l.open - l.live + r.waiting + greatest(r.due - l.open, 0))::int8 as retrying,
               count(*) over () as groups
          from weir.groups g
          join weir.streams s on s.stream_id = g.stream_id and not s.deleted
         cross join lateral (select next, lease_floor from weir.group_states
                              where stream_id = g.stream_id and group_id = g.group_id order by seq desc limit 1) as t
         cross join lateral (select coalesce(sum(greatest(p.head + 1 - greatest(t.next[p.partition + 1], p.earliest), 0)), 0) as ahead
                               from weir.partitions p where p.stream_id = g.stream_id) as a
         cross join lateral (select coalesce(sum(open), 0) as open, coalesce(sum(open) filter (where deadline > now()), 0) as live,
                                    min(began) as began
                               from weir.leases
                              where stream_id = g.stream_id and group_id = g.group_id and lease_id >= t.lease_floor) as l
         cross join lateral (select count(*) filter (where not_before > now()) as waiting,
                                    count(*) filter (where not_before <= now()) as due
                               from weir.retries where stream_id = g.stream_id and group_id = g.group_id) as r
         cross join lateral (select coalesce(sum(n), 0) as skipped
                               from weir.skips where stream_id = g.stream_id and group_id = g.group_id) as n
         order by lag desc, s.name, g.name limit $1) as k
 cross join lateral (
    select min(y.recorded) as recorded
      from weir.partitions p
     cross join lateral (select least((select min(r."offset") from weir.retries r
                                        where r.stream_id = k.stream_id and r.group_id = k.group_id and r.partition = p.partition
                                          and r.round = 0),
                                      case when p.head >= k.next[p.partition + 1]
                                           then greatest(k.next[p.partition + 1], p.earliest) end) as "offset") as o
     cross join lateral (select m.month::timestamp as month from weir.partition_months m
                          where m.stream_id = p.stream_id and m.partition = p.partition and m.first_offset <= o."offset"
                          order by m.month desc limit 1) as m
      join weir.events y on y.stream_id = p.stream_id and y.partition = p.partition and y."offset" = o."offset"
                        and y.recorded >= m.month at time zone 'UTC' and y.recorded < (m.month + interval '1 month') at time zone 'UTC'
     where p.stream_id = k.stream_id) as e
 order by k.stream, k.name;

-- name: figures_letters
-- Parked letters of the $1 groups, of how many, that have the most; also of groups that were deleted.
select k.stream, k.group_name, k.parked, k.poison, k.groups
  from (select s.name as stream, d.group_name, d.parked, d.poison, count(*) over () as groups
          from (select stream_id, group_name, count(*) as parked, count(*) filter (where poison) as poison
                  from weir.dead_letters where state = 0 group by group_name, stream_id) as d
          join weir.streams s on s.stream_id = d.stream_id and not s.deleted
         order by d.parked desc, s.name, d.group_name limit $1) as k
 order by k.stream, k.group_name;

-- name: figures_projections
-- The $1 projections with the largest lag, of how many: what is read of them. Failed ones first: they fall behind without an end.
select k.name, k.lag, greatest(0, extract(epoch from clock_timestamp() - e.recorded) * 1000000)::int8 as age, k.failed, k.paused,
       k.projections
  from (select p.name, p.projection_id, p.build, p.paused, b.error is not null as failed, a.lag, count(*) over () as projections
          from weir.projections p
          join weir.projection_builds b on b.projection_id = p.projection_id and b.build = p.build
         cross join lateral (select coalesce(sum(greatest(h.head - t.position, 0)), 0)::int8 as lag
                               from weir.projection_parts t
                               join weir.partitions h on h.stream_id = t.stream_id and h.partition = t.partition
                              where t.projection_id = p.projection_id and t.build = p.build) as a
         order by failed desc, a.lag desc, p.name limit $1) as k
 cross join lateral (
    select min(y.recorded) as recorded
      from weir.projection_parts t
      join weir.partitions h on h.stream_id = t.stream_id and h.partition = t.partition and h.head > t.position
     cross join lateral (select greatest(t.position + 1, h.earliest) as "offset") as o
     cross join lateral (select m.month::timestamp as month from weir.partition_months m
                          where m.stream_id = t.stream_id and m.partition = t.partition and m.first_offset <= o."offset"
                          order by m.month desc limit 1) as m
      join weir.events y on y.stream_id = t.stream_id and y.partition = t.partition and y."offset" = o."offset"
                        and y.recorded >= m.month at time zone 'UTC' and y.recorded < (m.month + interval '1 month') at time zone 'UTC'
     where t.projection_id = k.projection_id and t.build = k.build) as e
 order by k.name;

-- name: figures_sagas
-- The $1 sagas with the most instances that have not ended, of how many: how many are running, waiting, paused, compensating.
select k.name, k.running, k.waiting, k.paused, k.compensating, k.sagas
  from (select s.name, i.running, i.waiting, i.paused, i.compensating, count(*) over () as sagas
          from weir.sagas s
         cross join lateral (select count(*) filter (where n.state = 0) as running, count(*) filter (where n.state = 1) as waiting,
                                    count(*) filter (where n.state = 2) as paused, count(*) filter (where n.state = 3) as compensating
                               from weir.saga_instances n where n.saga_id = s.saga_id and n.state in (0, 1, 2, 3)) as i
         order by i.running + i.waiting + i.paused + i.compensating desc, s.name limit $1) as k
 order by k.name;
