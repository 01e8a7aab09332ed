-- The schema registry. Order of locks: a subject's row, then the one row of weir.registry; all else is written under the latter.

-- name: registry_changes
select changes from weir.registry;

-- name: registry_claim
-- Nobody else changes the registry until the end of the transaction, and every gateway will know that something did.
update weir.registry set changes = changes + 1 returning next_id, changes;

-- name: schema_subject_make
insert into weir.schema_subjects (context, subject) values ($1, $2) on conflict do nothing;

-- name: schema_subject_lock
select compatibility, mode from weir.schema_subjects where context = $1 and subject = $2 for update;

-- name: schema_subject_put
update weir.schema_subjects set compatibility = $3, mode = $4 where context = $1 and subject = $2;

-- name: schema_subject_drop
-- Nothing is left of it.
delete from weir.schema_subjects s
 where context = $1 and subject = $2 and compatibility is null and mode is null
   and not exists (select from weir.schema_versions v where v.context = $1 and v.subject = $2);

-- name: schema_settings
-- What is set for a subject itself, and what holds for it.
select s.compatibility, coalesce(s.compatibility, c.compatibility, g.compatibility), s.mode, coalesce(s.mode, c.mode, g.mode)
  from (select) as one
  left join weir.schema_subjects s on s.context = $1 and s.subject = $2
  left join weir.schema_subjects c on c.context = $1 and c.subject = ''
  left join weir.schema_subjects g on g.context = '.' and g.subject = '';

-- name: schema_count
-- Versions of a subject, those deleted softly as well, and the greatest; the number of subjects.
select count(*), coalesce(max(version), 0), (select count(*) from weir.schema_subjects where subject <> '')
  from weir.schema_versions where context = $1 and subject = $2;

-- name: schema_any
-- Is there a version that is not deleted: of the subject, of the context ($2 empty), or, with the default one, at all?
select exists (select from weir.schema_versions
                where not deleted and ($2 = '' and $1 = '.' or context = $1 and ($2 = '' or subject = $2)));

-- name: schema_get
-- Versions from $3 to $4, newest first.
select v.context, v.subject, v.version, v.deleted, s.schema_id, s.type, s.schema, s.refs, s.metadata, s.rule_set
  from weir.schema_versions v join weir.schemas s on s.context = v.context and s.schema_id = v.schema_id
 where v.context = $1 and v.subject = $2 and v.version between $3 and $4 and ($5 or not v.deleted)
 order by v.version desc limit $6;

-- name: schema_by_id
-- In this context, or else in any.
select s.context, '', 0, false, s.schema_id, s.type, s.schema, s.refs, s.metadata, s.rule_set
  from weir.schemas s where s.schema_id = $2 order by s.context <> $1, s.context limit 1;

-- name: schema_subjects
-- After a subject, in order, and how many versions it has. $5: with those that are deleted; $6: subjects of which all are, alone.
select context, subject, (count(*) filter (where $5 or not deleted))::int4, false
  from weir.schema_versions
 where (context, subject) > ($1, $2) and ($3 = '' or context = $3) and starts_with(subject, $4)
 group by context, subject having case when $6 then bool_and(deleted) else $5 or not bool_and(deleted) end
 order by context, subject limit $7;

-- name: schema_versions
select context, subject, version, deleted from weir.schema_versions where context = $1 and subject = $2 order by version;

-- name: schema_uses
-- Versions that have a schema, after one of them, in order.
select context, subject, version, deleted from weir.schema_versions
 where context = $1 and schema_id = $2 and (subject, version) > ($3, $4) order by subject, version limit $5;

-- name: schema_match
-- The version of a subject with this content.
select v.context, v.subject, v.version, v.deleted, s.schema_id, s.type, s.schema, s.refs, s.metadata, s.rule_set
  from weir.schemas s join weir.schema_versions v on v.context = s.context and v.schema_id = s.schema_id
 where s.context = $1 and v.subject = $2 and s.digest = $3 and ($4 or not v.deleted)
 order by v.deleted, v.version desc limit 1;

-- name: schema_find
select schema_id, digest = $2 from weir.schemas where context = $1 and (digest = $2 or schema_id = $3) order by digest = $2 desc;

-- name: schema_add
with made as (
    insert into weir.schemas (context, schema_id, type, digest, schema, refs, metadata, rule_set)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
)
update weir.registry set next_id = greatest(next_id, $2 + 1);

-- name: schema_refer
insert into weir.schema_references (context, schema_id, ref_context, ref_subject, ref_version)
select $1, $2, r.context, r.subject, r.version from unnest($3::text[], $4::text[], $5::int4[]) as r (context, subject, version)
on conflict do nothing;

-- name: schema_refs_there
-- How many of these are versions that are not deleted.
select count(*) from unnest($1::text[], $2::text[], $3::int4[]) as r (context, subject, version)
 cross join lateral (select from weir.schema_versions v
                      where v.context = r.context and v.subject = r.subject and v.version = r.version and not v.deleted offset 0) as v;

-- name: schema_version_add
insert into weir.schema_versions (context, subject, version, schema_id, created) values ($1, $2, $3, $4, clock_timestamp());

-- name: schema_referrers
-- Schemas that name versions from $3 to $4. $5: also those of which all versions are deleted softly; $6: but for those that only this
-- very subject has.
select distinct r.context, r.schema_id
  from weir.schema_references r
 where r.ref_context = $1 and r.ref_subject = $2 and r.ref_version between $3 and $4
   and exists (select from weir.schema_versions v
                where v.context = r.context and v.schema_id = r.schema_id and ($5 or not v.deleted)
                  and not ($6 and v.context = $1 and v.subject = $2))
 order by r.context, r.schema_id;

-- name: schema_hide
-- Soft deletion.
update weir.schema_versions set deleted = true
 where context = $1 and subject = $2 and version between $3 and $4 and not deleted returning version;

-- name: schema_remove
-- For good.
delete from weir.schema_versions
 where context = $1 and subject = $2 and version between $3 and $4 and deleted returning version, schema_id;

-- name: schema_forget
-- Those of these schemas that no version has any more.
delete from weir.schemas s
 where s.context = $1 and s.schema_id = any($2::int4[])
   and not exists (select from weir.schema_versions v where v.context = s.context and v.schema_id = s.schema_id);
