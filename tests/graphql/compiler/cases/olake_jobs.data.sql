-- What OLake's jobs will need at least, and what the fields of the operation will be declared as:
--
--   @sql_type(t.sources, policy=may_read)          -- Destination is its twin
--   class Source(Node, Timestamped):
--       number: int = column(t.sources.c.id, ...)
--       name / version: str = column(...)
--       type: str = column(t.sources.c.type, ...)
--       config: JSON = column(t.sources.c.masked_config, "The settings, secrets as handles.")
--   @sql_type(t.jobs, policy=may_read)
--   class Job(Node, Timestamped):
--       source: Source | None = one("Source", t.jobs.c.source_id, ...)
--       destination: Destination | None = one("Destination", t.jobs.c.destination_id, ...)
--       streams: JSON = column(t.jobs.c.streams, ...)
--       is_active: bool = column(t.jobs.c.is_active, ...)
--       last_task: SyncTask | None = newest("SyncTask", t.jobs.c.id, t.sync_tasks.c.job_id,
--                                           order=[t.sync_tasks.c.number.desc()], ...)
--       created_by / updated_by: User | None = one("User", ...)
--
-- `masked_config` is written together with the sealed settings, so that a read neither opens a
-- secret nor leaves SQL. A relation "the newest of many" is the one shape that is not there yet.

create table sources (
  id bigint primary key, project_id bigint not null references projects, name text not null,
  type text not null, version text not null, sealed_config text not null, masked_config jsonb not null,
  deleted_at timestamptz
);
create table destinations (like sources including all);
create table jobs (
  id bigint primary key, project_id bigint not null references projects, name text not null,
  source_id bigint not null references sources, destination_id bigint not null references destinations,
  streams jsonb not null, frequency text not null, is_active boolean not null,
  created_by bigint references users, updated_by bigint references users,
  created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz
);
create table sync_tasks (
  run_id uuid primary key references runs on delete cascade, number bigint not null unique,
  project_id bigint not null references projects, job_id bigint not null references jobs
);
create index on jobs (project_id, updated_at desc, id desc) where deleted_at is null;
create index on sync_tasks (job_id, number desc);

insert into sources values
  (1, 1, 'shop', 'postgres', 'v1', 'v1:k1:sealed', '{"host": "db", "password": "secret:source:1:password:ab12"}', null),
  (2, 102, 'far', 'mysql', 'v1', 'v1:k1:sealed', '{}', null);
insert into destinations values
  (1, 1, 'lake', 'parquet', 'v2', 'v1:k1:sealed', '{"path": "/lake"}', null),
  (2, 102, 'far', 'iceberg', 'v1', 'v1:k1:sealed', '{}', null);
insert into jobs values
  (1, 1, 'orders', 1, 1, '{"selected_streams": {"public": []}, "streams": []}', '0 * * * *', true,
    101, 101, '2026-04-01T00:00:00Z', '2026-04-02T00:00:00Z', null),
  (2, 1, 'never ran', 1, 1, '{}', '', false, null, null, '2026-04-01T00:00:00Z', '2026-04-03T00:00:00Z', null),
  (3, 1, 'deleted', 1, 1, '{}', '', false, null, null, '2026-04-01T00:00:00Z', '2026-04-04T00:00:00Z', '2026-04-05T00:00:00Z'),
  (4, 102, 'far', 2, 2, '{}', '', true, null, null, '2026-04-01T00:00:00Z', '2026-04-05T00:00:00Z', null);
insert into runs (id, project_id, kind, status, started_at, finished_at) values
  ('01900000-0000-7000-8000-000000000101', 1, 'sync', 'failed', '2026-04-02T01:00:00Z', '2026-04-02T01:01:30Z'),
  ('01900000-0000-7000-8000-000000000102', 1, 'sync', 'running', '2026-04-02T02:00:00Z', null);
insert into sync_tasks values
  ('01900000-0000-7000-8000-000000000101', 1, 1, 1), ('01900000-0000-7000-8000-000000000102', 2, 1, 1);
