-- The data of the bench. There is no chance in it: every value follows from its number, so that it
-- is the same each time. `bench.from` and `bench.to` say which runs, `bench.steps` how many steps
-- each of them has. The first batch also makes projects, users and 500 pipelines of five blocks.

INSERT INTO projects (uuid, name)
SELECT 'hidden', 'Hidden' WHERE current_setting('bench.from')::int = 1;

INSERT INTO users (username, email)
SELECT 'reader', 'reader@bench.invalid' WHERE current_setting('bench.from')::int = 1;

INSERT INTO memberships (project_id, user_id, role_id)
SELECT (SELECT min(id) FROM projects), u.id, r.id
  FROM users u, roles r
 WHERE u.username = 'reader' AND r.name = 'viewer' AND current_setting('bench.from')::int = 1;

INSERT INTO pipelines (project_id, uuid, name, type, description, tags, created_at, updated_at)
SELECT CASE WHEN n <= 500 THEN (SELECT min(id) FROM projects)
            ELSE (SELECT id FROM projects WHERE uuid = 'hidden') END,
       format('pipeline_%s', lpad(n::text, 4, '0')),
       format('Pipeline %s', lpad(n::text, 4, '0')),
       CASE n % 5 WHEN 0 THEN 'streaming' ELSE 'python' END,
       format('Loads, checks and stores the figures of department %s.', n % 23),
       ARRAY[format('team_%s', n % 7)],
       timestamptz '2026-01-01 00:00:00+00' + n * interval '61 minutes 3.2051 seconds',
       timestamptz '2026-02-01 00:00:00+00' + n * interval '17 minutes 1.0347 seconds'
  FROM generate_series(1, 550) n
 WHERE current_setting('bench.from')::int = 1
 ORDER BY n;

INSERT INTO blocks (project_id, pipeline_id, uuid, name, type, content, position, upstream_blocks,
                    created_at, updated_at)
SELECT p.project_id, p.id, format('%s_block_%s', p.uuid, b), format('Block %s', b),
       (ARRAY['data_loader', 'transformer', 'custom', 'transformer', 'data_exporter'])[b],
       '@transformer' || chr(10) || 'def transform(data, *args, **kwargs):' || chr(10)
         || '    return data' || chr(10),
       b,
       CASE b WHEN 1 THEN '{}'::text[] ELSE ARRAY[format('%s_block_%s', p.uuid, b - 1)] END,
       p.created_at, p.updated_at
  FROM pipelines p, generate_series(1, 5) b
 WHERE current_setting('bench.from')::int = 1
 ORDER BY p.id, b;

INSERT INTO runs (id, project_id, kind, subject_id, status, created_at, updated_at, started_at,
                  finished_at, attempt)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, p.project_id, 'pipeline',
       p.id,
       CASE WHEN n % 12 = 0 THEN 'failed' WHEN n % 97 = 0 THEN 'cancelled' ELSE 'succeeded' END,
       at, at + interval '42.71 seconds', at + interval '1.0042 seconds',
       at + interval '42.7 seconds', 1 + (n % 31 = 0)::int
  FROM generate_series(current_setting('bench.from')::int, current_setting('bench.to')::int) n
  JOIN pipelines p ON p.uuid = format('pipeline_%s', lpad((1 + n % 500)::text, 4, '0')),
       LATERAL (SELECT timestamptz '2026-03-01 00:00:00+00'
                       + n * interval '7.000113 seconds' AS at) moment
 ORDER BY n;

INSERT INTO pipeline_runs (run_id, number, project_id, pipeline_id, pipeline_uuid, trigger_id,
                           trigger_name, execution_date, end_seen)
SELECT r.id, n, r.project_id, r.subject_id, format('pipeline_%s', lpad((1 + n % 500)::text, 4, '0')),
       1 + n % 500, format('every hour %s', n % 500), r.created_at, true
  FROM generate_series(current_setting('bench.from')::int, current_setting('bench.to')::int) n
  JOIN runs r ON r.id = ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid
 ORDER BY n;

INSERT INTO run_steps (run_id, project_id, position, name, status, attempt, created_at, updated_at,
                       started_at, finished_at)
SELECT r.id, r.project_id, s, format('pipeline_%s_block_%s', lpad((1 + n % 500)::text, 4, '0'), s),
       'succeeded', 1, r.created_at, r.finished_at, r.started_at, r.finished_at
  FROM generate_series(current_setting('bench.from')::int, current_setting('bench.to')::int) n
  JOIN runs r ON r.id = ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       generate_series(1, current_setting('bench.steps')::int) s
 ORDER BY n, s;
