-- The small data set that the cases on today's tables read. Three callers: the first owner (made by
-- the migration), vera (viewer of the default project) and stan (editor of another project).

insert into users (id, username, first_name) values (101, 'vera', 'Vera'), (102, 'stan', null);
insert into projects (id, uuid, name) values (102, 'elsewhere', 'Elsewhere');
insert into memberships (project_id, user_id, role_id)
  select 1, 101, id from roles where name = 'viewer'
  union all select 102, 102, id from roles where name = 'editor';
insert into sessions (user_id, token_hash, expires_at)
  select id, encode(sha256(convert_to('token-of-' || username, 'UTF8')), 'hex'), now() + interval '1 day'
  from users where id in (101, 102);

insert into pipelines (id, project_id, uuid, name, type, description, tags, variables, settings,
    created_by, created_at, updated_at) values
  (1, 1, 'arwen_starlight', 'arwen-starlight', 'python', 'Counts "stars"', '{demo,daily}', '{"env": "prod"}',
    '{"triggers": null}', (select id from users where is_owner), '2026-01-02T03:04:05Z', '2026-02-03T04:05:06.120Z'),
  (2, 1, 'bilbo_rents', 'Bilbo rents', 'integration', null, '{daily}', '{}', '{}',
    101, '2026-01-03T00:00:00Z', '2026-01-03T00:00:00Z'),
  (3, 1, 'celeborn', 'Celeborn', 'python', 'No blocks yet', '{}', '{}', '{}',
    null, '2026-01-04T00:00:00Z', '2026-01-04T00:00:00Z'),
  (4, 1, 'dwalin_daily', 'Dwalin daily', 'streaming', 'Ünïcode', '{daily,old}', '{}', '{}',
    null, '2026-01-05T00:00:00Z', '2026-01-05T00:00:00Z'),
  (6, 1, 'aaron_adds', 'Aaron adds', 'python', null, '{demo}', '{}', '{}',
    null, '2026-01-07T00:00:00Z', '2026-01-07T00:00:00Z'),
  (5, 102, 'elrond', 'Elrond', 'python', null, '{daily}', '{}', '{}',
    102, '2026-01-06T00:00:00Z', '2026-01-06T00:00:00Z');

insert into blocks (id, project_id, pipeline_id, uuid, name, type, content, position, upstream_blocks,
    status, configuration, timeout_s) values
  (1, 1, 1, 'load', 'load', 'data_loader', 'x = 1', 0, '{}', 'executed', '{"limit": 10}', null),
  (2, 1, 1, 'clean', 'clean', 'transformer', '', 1, '{load}', 'updated', '{}', 60),
  (3, 1, 1, 'export', 'export', 'data_exporter', '', 2, '{clean}', 'not_executed', '{}', null),
  (4, 1, 1, 'on_end', 'on end', 'callback', '', 3, '{clean}', 'not_executed', '{}', null),
  (5, 1, 2, 'rent', 'rent', 'custom', '', 0, '{}', 'failed', '{}', null),
  (6, 102, 5, 'far', 'far', 'custom', '', 0, '{}', 'not_executed', '{}', null);

insert into triggers (id, project_id, pipeline_id, name, type, status, interval, token, variables, settings,
    tags, sla, start_at, last_enabled_at, next_fire_at, created_at, updated_at) values
  (1, 1, 1, 'by call', 'api', 'active', null, 'token-one', '{"env": "api"}', null, '{}', null,
    null, '2026-02-01T00:00:00Z', null, '2026-02-01T00:00:00Z', '2026-02-01T00:00:00Z'),
  (2, 1, 1, 'nightly', 'time', 'inactive', '@daily', 'token-two', null, '{"timeout": 60}', '{night}', 3600,
    '2026-02-02T00:00:00Z', null, null, '2026-02-02T00:00:00Z', '2026-02-02T10:00:00.5Z'),
  (3, 1, 2, 'rents', 'time', 'active', '0 6 * * 1', 'token-three', null, null, '{}', null,
    null, '2026-02-03T00:00:00Z', '2026-03-02T06:00:00Z', '2026-02-03T00:00:00Z', '2026-02-03T00:00:00Z'),
  (4, 102, 5, 'far', 'api', 'active', null, 'token-four', null, null, '{}', null,
    null, null, null, '2026-02-04T00:00:00Z', '2026-02-04T00:00:00Z');

insert into runs (id, project_id, kind, status, attempt, created_at, updated_at, available_at,
    started_at, finished_at, reason, error, created_by, version) values
  ('01900000-0000-7000-8000-000000000001', 1, 'pipeline', 'succeeded', 1, '2026-03-01T00:00:01Z', '2026-03-01T00:00:09Z',
    '2026-03-01T00:00:01Z', '2026-03-01T00:00:02.25Z', '2026-03-01T00:00:09Z', null, null, null, 9),
  ('01900000-0000-7000-8000-000000000002', 1, 'pipeline', 'failed', 2, '2026-03-02T00:00:01Z', '2026-03-02T00:00:09Z',
    '2026-03-02T00:00:01Z', '2026-03-02T00:00:02Z', '2026-03-02T00:00:09Z', 'error', 'Block clean failed.', 101, 7),
  ('01900000-0000-7000-8000-000000000003', 1, 'pipeline', 'cancelled', 0, '2026-03-03T00:00:01Z', '2026-03-03T00:00:02Z',
    '2026-03-03T00:00:01Z', null, '2026-03-03T00:00:02Z', null, null, null, 2),
  ('01900000-0000-7000-8000-000000000004', 1, 'pipeline', 'running', 1, '2026-03-04T00:00:01Z', '2026-03-04T00:00:02Z',
    '2026-03-04T00:00:01Z', '2026-03-02T00:00:02Z', null, null, null, (select id from users where is_owner), 3),
  ('01900000-0000-7000-8000-000000000005', 1, 'pipeline', 'queued', 0, '2026-03-05T00:00:01Z', '2026-03-05T00:00:01Z',
    '2026-03-05T00:00:01Z', null, null, null, null, null, 1),
  ('01900000-0000-7000-8000-000000000006', 1, 'pipeline', 'queued', 0, '2026-03-06T00:00:01Z', '2026-03-06T00:00:01Z',
    '2026-03-06T00:00:01Z', null, null, null, null, null, 9007199254740993),
  ('01900000-0000-7000-8000-000000000007', 102, 'pipeline', 'succeeded', 1, '2026-03-07T00:00:01Z', '2026-03-07T00:00:03Z',
    '2026-03-07T00:00:01Z', '2026-03-07T00:00:02Z', '2026-03-07T00:00:03Z', null, null, 102, 4);

insert into pipeline_runs (run_id, number, project_id, pipeline_id, pipeline_uuid, trigger_id, trigger_name,
    execution_date, variables, event_variables, metrics) values
  ('01900000-0000-7000-8000-000000000001', 1, 1, 1, 'arwen_starlight', 1, 'by call', '2026-03-01T00:00:00Z', '{"env": "api"}', null, '{"rows": 3.5}'),
  ('01900000-0000-7000-8000-000000000002', 2, 1, 1, 'arwen_starlight', 1, 'by call', '2026-03-02T00:00:00Z', '{"env": "api", "n": [1, null]}', '{"a": 1}', null),
  ('01900000-0000-7000-8000-000000000003', 3, 1, 1, 'arwen_starlight', 99, 'gone', '2026-03-03T00:00:00Z', null, null, null),
  ('01900000-0000-7000-8000-000000000004', 4, 1, 2, 'bilbo_rents', 3, 'rents', '2026-03-03T00:00:00Z', null, null, null),
  ('01900000-0000-7000-8000-000000000005', 5, 1, 1, 'arwen_starlight', 1, 'by call', '2026-03-05T00:00:00Z', null, null, null),
  ('01900000-0000-7000-8000-000000000006', 6, 1, null, 'removed', null, null, '2026-03-06T00:00:00Z', '{}', null, null),
  ('01900000-0000-7000-8000-000000000007', 7, 102, 5, 'elrond', 4, 'far', '2026-03-07T00:00:00Z', null, null, null);

update runs set subject_id = f.pipeline_id from pipeline_runs f where f.run_id = runs.id;

insert into run_steps (id, run_id, project_id, position, name, status, attempt, created_at, updated_at,
    started_at, finished_at, metrics, error, traceback) values
  (1, '01900000-0000-7000-8000-000000000001', 1, 0, 'load', 'succeeded', 1, '2026-03-01T00:00:01Z', '2026-03-01T00:00:04Z',
    '2026-03-01T00:00:02.5Z', '2026-03-01T00:00:04Z', '{"cpu_s": 0.25}', null, null),
  (2, '01900000-0000-7000-8000-000000000001', 1, 1, 'clean', 'succeeded', 1, '2026-03-01T00:00:01Z', '2026-03-01T00:00:06Z',
    '2026-03-01T00:00:04Z', '2026-03-01T00:00:06Z', null, null, null),
  (3, '01900000-0000-7000-8000-000000000002', 1, 0, 'load', 'succeeded', 1, '2026-03-02T00:00:01Z', '2026-03-02T00:00:04Z',
    '2026-03-02T00:00:02Z', '2026-03-02T00:00:04Z', null, null, null),
  (4, '01900000-0000-7000-8000-000000000002', 1, 1, 'clean', 'failed', 2, '2026-03-02T00:00:01Z', '2026-03-02T00:00:08Z',
    '2026-03-02T00:00:05Z', '2026-03-02T00:00:08Z', null, 'KeyError: ''x''', E'Traceback:\n\tline 1'),
  (5, '01900000-0000-7000-8000-000000000002', 1, 2, 'export', 'upstream_failed', 0, '2026-03-02T00:00:01Z', '2026-03-02T00:00:08Z',
    null, null, null, null, null),
  (6, '01900000-0000-7000-8000-000000000007', 102, 0, 'far', 'succeeded', 1, '2026-03-07T00:00:01Z', '2026-03-07T00:00:03Z',
    '2026-03-07T00:00:02Z', '2026-03-07T00:00:03Z', null, null, null);

insert into run_logs (run_id, seq, project_id, at, level, step, step_id, message)
  select '01900000-0000-7000-8000-000000000002', n, 1,
    timestamptz '2026-03-02T00:00:02Z' + n * interval '1.5 second',
    case when n % 4 = 0 then 'ERROR' else 'INFO' end,
    case when n = 1 then null when n < 4 then 'load' else 'clean' end,
    case when n = 1 then null when n < 4 then 3 else 4 end,
    E'line "' || n || E'"\t\u0001 é'
  from generate_series(1, 9) n;

-- Syncs, in a project of their own that vera reads.
insert into projects (id, uuid, name) values (103, 'harbour', 'Harbour');
insert into memberships (project_id, user_id, role_id) select 103, 101, id from roles where name = 'viewer';
insert into sync_sources (id, project_id, name, type, connector_version, sealed, shown_config, text_config, deleted_at) values
  (1, 103, 'shop', 'postgres', 'v0.9.4', 'v1:k1:sealed', '{"host": "db", "password": "secret:source:1:password:ab12"}', true, null),
  (2, 102, 'far', 'mysql', 'v0.9.4', 'v1:k1:sealed', '{}', false, null),
  (3, 103, 'shop', 'postgres', 'v0.9.4', '', '{}', false, '2026-04-05T00:00:00Z');
insert into sync_destinations (id, project_id, name, type, connector_version, sealed, shown_config) values
  (1, 103, 'lake', 'parquet', 'v0.9.4', 'v1:k1:sealed', '{"path": "/lake"}'),
  (2, 102, 'far', 'iceberg', 'v0.9.4', 'v1:k1:sealed', '{}');
insert into runs (id, project_id, kind, subject_id, status, created_at, updated_at, started_at, finished_at, params) values
  ('01900000-0000-7000-8000-000000000101', 103, 'sync', 1, 'failed', '2026-04-02T01:00:00Z', '2026-04-02T01:01:30Z',
    '2026-04-02T01:00:00Z', '2026-04-02T01:01:30Z', '{}'),
  ('01900000-0000-7000-8000-000000000102', 103, 'clear', 1, 'running', '2026-04-02T02:00:00Z', '2026-04-02T02:00:00Z',
    '2026-04-02T02:00:00Z', null, '{}'),
  ('01900000-0000-7000-8000-000000000103', 103, 'sync', 3, 'cancelled', '2026-04-03T02:00:00Z', '2026-04-03T02:00:00Z',
    null, '2026-04-03T02:00:00Z', '{}'),
  ('01900000-0000-7000-8000-000000000104', 103, 'check', null, 'succeeded', '2026-04-03T03:00:00Z', '2026-04-03T03:00:01Z',
    '2026-04-03T03:00:00Z', '2026-04-03T03:00:01Z', '{"type": "postgres"}');
insert into sync_jobs (id, project_id, name, source_id, destination_id, streams, frequency, cron, is_active, last_run_id,
    next_fire_at, created_by, updated_by, created_at, updated_at, deleted_at) values
  (1, 103, 'orders', 1, 1, '{"selected_streams": {"public": []}, "streams": []}', '1-hours', '0 * * * *', true,
    '01900000-0000-7000-8000-000000000102', '2026-04-02T03:00:00Z', 101, 101, '2026-04-01T00:00:00Z', '2026-04-02T00:00:00Z', null),
  (2, 103, 'never ran', 1, 1, '{}', '', '', false, null, null, null, null, '2026-04-01T00:00:00Z', '2026-04-03T00:00:00Z', null),
  (3, 103, 'deleted', 1, 1, '{}', '', '', false, null, null, null, null, '2026-04-01T00:00:00Z', '2026-04-04T00:00:00Z', '2026-04-05T00:00:00Z'),
  (4, 102, 'far', 2, 2, '{}', '', '', true, null, null, null, null, '2026-04-01T00:00:00Z', '2026-04-05T00:00:00Z', null);
insert into sync_streams (id, project_id, job_id, position, namespace, name, is_selected, sync_mode, state, rows, state_at) values
  (1, 103, 1, 0, 'public', 'orders', true, 'incremental', '{"chunks": [], "id": 7}', 9007199254740993, '2026-04-02T01:01:00Z'),
  (2, 103, 1, 1, 'public', 'items', true, 'full_refresh', '{}', 0, null),
  (3, 103, 3, 0, 'public', 'gone', true, 'full_refresh', '{}', 0, '2026-04-02T01:01:00Z');
insert into sync_tasks (run_id, number, project_id, job_id, job_type, rows, bytes, rows_per_s, streams) values
  ('01900000-0000-7000-8000-000000000101', 1, 103, 1, 'sync', 12, 345, 1.5, '{"public.orders": {"rows": 12}}'),
  ('01900000-0000-7000-8000-000000000102', 2, 103, 1, 'clear', 0, 0, 0, '{}'),
  ('01900000-0000-7000-8000-000000000103', 3, 103, 3, 'sync', 0, 0, 0, '{}');

insert into organization_types (id, title, short_name) values (1, 'International Organization', 'IO');
insert into organizations (id, title, short_name, verified, organization_type_id, created_by) values
  (1, 'Relief Web', 'RW', true, 1, 101), (2, 'River Office', '', false, null, null);
insert into lead_groups (id, project_id, title) values (1, 1, 'Floods'), (2, 102, 'Far');
insert into attachments (id, uuid, title, mime_type, bytes, md5, created_by) values
  (1, '01900000-0000-7000-8000-0000000000a1', 'report.pdf', 'application/pdf', 12, 'abc', 101),
  (2, '01900000-0000-7000-8000-0000000000a2', 'far.txt', 'text/plain', 9876543210, 'def', 102);
insert into leads (id, uuid, project_id, title, source_raw, source_id, url, url_key, status, priority, confidentiality,
    published_on, lead_group_id, attachment_id, created_by, created_at, updated_at, version) values
  (1, '01900000-0000-7000-8000-0000000000b1', 1, 'Flood report', 'Relief web', 1, 'https://a.test/1', 'a.test/1',
    'not_tagged', 'high', 'unprotected', '2026-05-01', 1, 1, 101, '2026-05-02T00:00:00Z', '2026-05-03T00:00:00Z', 2),
  (2, '01900000-0000-7000-8000-0000000000b2', 1, 'Flood notes', '', null, 'https://a.test/1', 'a.test/1',
    'tagged', 'low', 'confidential', null, 1, null, 101, '2026-05-02T00:00:00Z', '2026-05-04T00:00:00Z', 1),
  (3, '01900000-0000-7000-8000-0000000000b3', 1, 'Same flood', '', null, 'https://a.test/1', 'a.test/1',
    'in_progress', 'medium', 'restricted', '2026-05-02', null, null, null, '2026-05-02T00:00:00Z', '2026-05-03T00:00:00Z', 1),
  (4, '01900000-0000-7000-8000-0000000000b4', 1, 'Drought', '', 2, '', '', 'not_tagged', 'low', 'unprotected',
    null, null, null, null, '2026-05-02T00:00:00Z', '2026-05-01T00:00:00Z', 1),
  (5, '01900000-0000-7000-8000-0000000000b5', 102, 'Flood far away', '', null, '', '', 'not_tagged', 'low', 'unprotected',
    null, 2, 2, null, '2026-05-02T00:00:00Z', '2026-05-01T00:00:00Z', 1);
insert into lead_authors (lead_id, organization_id, position) values (1, 2, 0), (1, 1, 1), (5, 1, 0);
insert into lead_assignees (lead_id, user_id, position) values (1, 102, 0), (1, 101, 1), (3, 101, 0), (3, 102, 1), (5, 101, 0);
insert into project_organizations (id, project_id, organization_id, kind, position) values
  (1, 1, 2, 'donor', 0), (2, 1, 1, 'lead_organization', 1), (3, 102, 1, 'government', 0);
insert into user_groups (id, title, data) values (1, 'Analysts', '{"myKey": 1}');
insert into user_group_members (id, group_id, user_id, is_admin) values (1, 1, 101, true), (2, 1, 102, false);
insert into join_requests (id, project_id, user_id, reason) values (1, 1, 102, 'need it');
update projects set is_private = false where id = 102;
-- Models and queries of two projects.
insert into semantic_models (id, project_id, version, files, note, created_by, created_at) values
  (1, 103, 1, '{"tables/a.yml": "tables: []"}', 'first', 101, '2026-04-01T00:00:00Z'),
  (2, 103, 2, '{"tables/a.yml": "tables: [] # é", "user_groups.yml": ""}', '', null, '2026-04-02T00:00:00.5Z'),
  (3, 102, 1, '{}', 'far', 1, '2026-04-03T00:00:00Z');
insert into semantic_queries (id, project_id, key, data_source, place, dialect, sql, values, state, rows, error,
    asked_at, queued_at, started_at, finished_at, result) values
  (1, 103, 'k1', 'default', 'warehouse', 'postgres', 'SELECT $1', '["x"]', 'done', 1, null,
    '2026-04-02T01:00:00Z', '2026-04-02T01:00:00Z', '2026-04-02T01:00:00.25Z', '2026-04-02T01:00:02Z', '\x7b7d'),
  (2, 103, 'k2', 'lake', 'destination:1:1', 'duckdb', 'SELECT 2', '[]', 'failed', null, 'It "broke".',
    '2026-04-02T02:00:00Z', '2026-04-02T02:00:00Z', '2026-04-02T02:00:00Z', '2026-04-02T02:00:00Z', null),
  (3, 103, 'k3', 'default', 'warehouse', 'postgres', 'SELECT 3', '[]', 'queued', null, null,
    '2026-04-02T03:00:00Z', '2026-04-02T03:00:00Z', null, null, null),
  (4, 102, 'k4', 'default', 'warehouse', 'postgres', 'SELECT 4', '[]', 'queued', null, null,
    '2026-04-02T04:00:00Z', '2026-04-02T04:00:00Z', null, null, null);
