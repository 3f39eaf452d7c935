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
