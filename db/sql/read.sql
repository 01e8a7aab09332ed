-- Pages of the log. Each looks into the months that can hold its offsets ($5 <= recorded < $6) and ends early at $7 bytes:
-- the size of a stored value is known without reading it.

-- name: page
select "offset", recorded, id, source, type, subject, version, attributes, data_format, data
  from (select e.*, sum(octet_length(e.attributes) + coalesce(octet_length(e.data), 0) + 200)
                        over (order by e."offset" rows unbounded preceding) as running
          from (select * from weir.events
                 where stream_id = $1 and partition = $2 and "offset" > $3 and recorded >= $5 and recorded < $6
                 order by "offset" limit $4) as e) as p
 where running <= $7 or "offset" = $3 + 1
 order by "offset";

-- name: page_filtered
-- Types and subjects as LIKE patterns (null: any); at most to offset $8. The first match is always given; `found` tells
-- how many there were before the cut by bytes.
select "offset", recorded, id, source, type, subject, version, attributes, data_format, data, found
  from (select e.*, sum(octet_length(e.attributes) + coalesce(octet_length(e.data), 0) + 200)
                        over (order by e."offset" rows unbounded preceding) as running,
               row_number() over (order by e."offset" rows unbounded preceding) as nth, count(*) over () as found
          from (select * from weir.events
                 where stream_id = $1 and partition = $2 and "offset" > $3 and recorded >= $5 and recorded < $6
                   and "offset" <= $8
                   and ($9::text[] is null or type like any($9::text[]))
                   and ($10::text[] is null or subject like any($10::text[]))
                 order by "offset" limit $4) as e) as p
 where running <= $7 or nth = 1
 order by "offset";

-- name: read_bounds
-- For each partition and position: heads, and the month that holds the next offset (null: before the first known month, or
-- the last one) with the last offset of that month.
select p.partition, p.head, p.earliest, lo.month::timestamp at time zone 'UTC' as month_from,
       hi.month::timestamp at time zone 'UTC' as month_to, hi.first_offset - 1 as month_last
  from unnest($2::int4[], $3::int8[]) as u (partition, pos)
  join weir.partitions p on p.stream_id = $1 and p.partition = u.partition
  left join lateral (select m.month from weir.partition_months m
                      where m.stream_id = $1 and m.partition = u.partition
                        and m.first_offset <= greatest(u.pos + 1, p.earliest)
                      order by m.month desc limit 1) lo on true
  left join lateral (select m.month, m.first_offset from weir.partition_months m
                      where m.stream_id = $1 and m.partition = u.partition
                        and m.first_offset > greatest(u.pos + 1, p.earliest)
                      order by m.month limit 1) hi on true
 order by p.partition;

-- name: recorded_at
-- One step of the search for a time, in all partitions at once; null: removed meanwhile.
select (select e.recorded from weir.events e
         where e.stream_id = $1 and e.partition = u.partition and e."offset" = u."offset") as recorded
  from unnest($2::int4[], $3::int8[]) with ordinality as u (partition, "offset", ord) order by u.ord;

-- name: page_back
-- Newest first: after offset $3, up to $8, of one type alone ($9; null: any).
select "offset", recorded, id, source, type, subject, version, attributes, data_format, data
  from (select e.*, sum(octet_length(e.attributes) + coalesce(octet_length(e.data), 0) + 200)
                        over (order by e."offset" desc rows unbounded preceding) as running,
               row_number() over (order by e."offset" desc rows unbounded preceding) as nth
          from (select * from weir.events
                 where stream_id = $1 and partition = $2 and "offset" > $3 and recorded >= $5 and recorded < $6
                   and "offset" <= $8 and ($9::text is null or type = $9)
                 order by "offset" desc limit $4) as e) as p
 where running <= $7 or nth = 1
 order by "offset" desc;
