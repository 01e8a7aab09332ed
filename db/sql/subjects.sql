-- Reads by subject, and snapshots. The months that can hold a subject's events: recorded >= from, recorded < to.

-- name: subject_look
-- No row: the stream was deleted. Nulls: there is no such subject.
select s.partition, s.version, s.last_offset, p.earliest, st.subjects_unindexed,
       (select m.month::timestamp at time zone 'UTC' from weir.partition_months m
         where m.stream_id = $1 and m.partition = s.partition order by m.month limit 1) as month_from,
       (select m.month::timestamp at time zone 'UTC' from weir.partition_months m
         where m.stream_id = $1 and m.partition = s.partition and m.first_offset > s.last_offset
         order by m.month limit 1) as month_to,
       n.version as snapshot_version
  from weir.streams st
  left join weir.subjects s on s.stream_id = $1 and s.subject = $2
  left join weir.partitions p on p.stream_id = $1 and p.partition = s.partition
  left join weir.snapshots n on n.stream_id = $1 and n.subject = $2
 where st.stream_id = $1 and not st.deleted;

-- name: subject_page
-- Its events from version $3 on that were recorded while subject_reads was on. Others may have its hash.
select "offset", recorded, id, source, type, subject, version, attributes, data_format, data
  from (select e.*, sum(octet_length(e.attributes) + coalesce(octet_length(e.data), 0) + 200)
                        over (order by e.version rows unbounded preceding) as running,
               row_number() over (order by e.version rows unbounded preceding) as nth
          from (select * from weir.events
                 where stream_id = $1 and subject_hash = hashtextextended($2, 0) and version >= $3 and subject = $2
                   and recorded >= $4 and recorded < $5
                 order by version limit $6) as e) as p
 where running <= $7 or nth = 1
 order by version;

-- name: subject_before
select "offset" from weir.events
 where stream_id = $1 and subject_hash = hashtextextended($2, 0) and version < $3 and subject = $2
   and recorded >= $4 and recorded < $5
 order by version desc limit 1;

-- name: subject_scan
-- The same as subject_page where the index has nothing: after offset $4 and before $5 of its partition.
select "offset", recorded, id, source, type, subject, version, attributes, data_format, data
  from (select e.*, sum(octet_length(e.attributes) + coalesce(octet_length(e.data), 0) + 200)
                        over (order by e."offset" rows unbounded preceding) as running,
               row_number() over (order by e."offset" rows unbounded preceding) as nth
          from (select * from weir.events
                 where stream_id = $1 and partition = $2 and "offset" > $4 and "offset" < $5 and recorded >= $6 and recorded < $7
                   and subject = $3 and version >= $8
                 order by "offset" limit $9) as e) as p
 where running <= $10 or nth = 1
 order by "offset";

-- name: snapshot_get
select version, state, updated from weir.snapshots where stream_id = $1 and subject = $2;

-- name: snapshots_hold
-- No subject of the partition is forgotten until the transaction ends (partition_hold); publishing goes on.
select partition from weir.partitions where stream_id = $1 and partition = $2 for key share;

-- name: snapshots_put
-- In the order of subjects, so that two of these do not wait for each other. $7: replaces one of the same version, too.
insert into weir.snapshots as n (stream_id, subject, version, state, updated)
select $1, u.subject, u.version, u.state, $6
  from unnest($3::text[], $4::int8[], $5::text[]) as u (subject, version, state)
 cross join lateral (select from weir.subjects s
                      where s.stream_id = $1 and s.subject = u.subject and s.partition = $2 and s.version >= u.version
                     offset 0) as s
 order by u.subject collate "C"
    on conflict (stream_id, subject) do update set version = excluded.version, state = excluded.state, updated = excluded.updated
 where n.version < excluded.version or ($7 and n.version = excluded.version)
returning n.xmax = 0 as first;

-- name: snapshot_delete
-- Without an event left the subject goes too. Its partition is held (partition_hold).
with gone as (
    delete from weir.snapshots where stream_id = $1 and subject = $3 returning subject
), forgotten as (
    delete from weir.subjects s using gone, weir.partitions p
     where s.stream_id = $1 and s.subject = gone.subject and s.partition = $2
       and p.stream_id = $1 and p.partition = $2 and s.last_offset < p.earliest
)
select count(*) as gone from gone;
