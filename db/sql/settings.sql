-- What belongs to the database as a whole.

-- name: setting_read
select value from weir.settings where name = $1;

-- name: setting_keep
-- The first one stays: gateways that start together end with the same value.
insert into weir.settings (name, value) values ($1, $2) on conflict (name) do nothing;
