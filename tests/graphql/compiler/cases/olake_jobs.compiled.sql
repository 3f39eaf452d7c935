SELECT (('{"data":{' || '"syncJobs":') || (('{"nodes":' || (SELECT coalesce(CAST(json_agg(x$12) AS TEXT), '[]') AS coalesce_1
FROM (SELECT p$1.n0_c_is_active AS activate, to_char(timezone('UTC', p$1.n0_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at, (SELECT to_json(x$3) AS to_json_1
FROM (SELECT p$2.c_username AS username
FROM (SELECT users.username AS c_username
FROM users
WHERE ($1::BOOLEAN OR users.id = $2::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_1
WHERE memberships_1.user_id = users.id AND ($1::BOOLEAN OR memberships_1.project_id = ANY ($3::BIGINT[]))))) AND users.id = p$1.n0_l_created_by
LIMIT 1) AS p$2) AS x$3) AS created_by, (SELECT to_json(x$5) AS to_json_2
FROM (SELECT coalesce(nullif(p$4.c_config, 'null'::jsonb), CAST('nothing: ' || coalesce(CAST(p$4.c_config AS TEXT), '') AS JSONB)) AS config, CAST(p$4.c_number AS INTEGER) AS id, p$4.c_name AS name, p$4.c_type AS type, p$4.c_connector_version AS version
FROM (SELECT sync_destinations.shown_config AS c_config, sync_destinations.id AS c_number, sync_destinations.name AS c_name, sync_destinations.type AS c_type, sync_destinations.connector_version AS c_connector_version
FROM sync_destinations
WHERE ($1::BOOLEAN OR sync_destinations.project_id = ANY ($4::BIGINT[])) AND sync_destinations.deleted_at IS NULL AND sync_destinations.id = p$1.n0_l_destination_id
LIMIT 1) AS p$4) AS x$5) AS destination, p$1.n0_c_frequency AS frequency, CAST(p$1.n0_c_number AS INTEGER) AS id, to_char(timezone('UTC', p$1.n0_c_last_run_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS last_run_time, (SELECT to_json(x$7) AS to_json_3
FROM (SELECT CASE p$6.c_kind WHEN 'pipeline' THEN 'PIPELINE' WHEN 'notification' THEN 'NOTIFICATION' WHEN 'sync' THEN 'SYNC' WHEN 'clear' THEN 'CLEAR' WHEN 'sync_webhook' THEN 'SYNC_WEBHOOK' WHEN 'check' THEN 'CHECK' WHEN 'discover' THEN 'DISCOVER' ELSE CAST(CAST('no word of RunKind: ' || coalesce(p$6.c_kind, 'nothing') AS INTEGER) AS TEXT) END AS kind, to_char(timezone('UTC', p$6.c_started_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "startedAt", CASE p$6.c_status WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' ELSE CAST(CAST('no word of RunStatus: ' || coalesce(p$6.c_status, 'nothing') AS INTEGER) AS TEXT) END AS status
FROM (SELECT runs.kind AS c_kind, runs.started_at AS c_started_at, runs.status AS c_status
FROM runs JOIN sync_tasks ON sync_tasks.run_id = runs.id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($4::BIGINT[])) AND ((EXISTS (SELECT $5::INTEGER AS anon_2
FROM sync_tasks AS sync_tasks_1
WHERE sync_tasks_1.run_id = runs.id AND (EXISTS (SELECT $6::INTEGER AS anon_3
FROM sync_jobs AS sync_jobs_1
WHERE sync_jobs_1.id = sync_tasks_1.job_id AND sync_jobs_1.deleted_at IS NULL)))) OR $1::BOOLEAN OR runs.project_id = ANY ($7::BIGINT[])) AND runs.id = p$1.n0_l_last_run_id
LIMIT 1) AS p$6) AS x$7) AS last_task, p$1.n0_c_name AS name, (SELECT to_json(x$9) AS to_json_4
FROM (SELECT p$8.c_config_as_text AS as_text, coalesce(nullif(p$8.c_config, 'null'::jsonb), CAST('nothing: ' || coalesce(CAST(p$8.c_config AS TEXT), '') AS JSONB)) AS config, CAST(p$8.c_number AS INTEGER) AS id, p$8.c_name AS name, p$8.c_type AS type, p$8.c_connector_version AS version
FROM (SELECT sync_sources.text_config AS c_config_as_text, sync_sources.shown_config AS c_config, sync_sources.id AS c_number, sync_sources.name AS c_name, sync_sources.type AS c_type, sync_sources.connector_version AS c_connector_version
FROM sync_sources
WHERE ($1::BOOLEAN OR sync_sources.project_id = ANY ($4::BIGINT[])) AND sync_sources.deleted_at IS NULL AND sync_sources.id = p$1.n0_l_source_id
LIMIT 1) AS p$8) AS x$9) AS source, coalesce(nullif(p$1.n0_c_streams_config, 'null'::jsonb), CAST('nothing: ' || coalesce(CAST(p$1.n0_c_streams_config AS TEXT), '') AS JSONB)) AS streams_config, to_char(timezone('UTC', p$1.n0_c_updated_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_at, (SELECT to_json(x$11) AS to_json_5
FROM (SELECT p$10.c_username AS username
FROM (SELECT users.username AS c_username
FROM users
WHERE ($1::BOOLEAN OR users.id = $2::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_2
WHERE memberships_2.user_id = users.id AND ($1::BOOLEAN OR memberships_2.project_id = ANY ($3::BIGINT[]))))) AND users.id = p$1.n0_l_updated_by
LIMIT 1) AS p$10) AS x$11) AS updated_by
FROM (SELECT sync_jobs.is_active AS n0_c_is_active, sync_jobs.created_at AS n0_c_created_at, sync_jobs.created_by AS n0_l_created_by, sync_jobs.destination_id AS n0_l_destination_id, sync_jobs.frequency AS n0_c_frequency, sync_jobs.id AS n0_c_number, (SELECT coalesce(runs_1.started_at, runs_1.created_at) AS coalesce_2
FROM runs AS runs_1 JOIN sync_tasks AS sync_tasks_2 ON sync_tasks_2.run_id = runs_1.id
WHERE runs_1.id = sync_jobs.last_run_id) AS n0_c_last_run_at, sync_jobs.last_run_id AS n0_l_last_run_id, sync_jobs.name AS n0_c_name, sync_jobs.source_id AS n0_l_source_id, sync_jobs.streams AS n0_c_streams_config, sync_jobs.updated_at AS n0_c_updated_at, sync_jobs.updated_by AS n0_l_updated_by, sync_jobs.updated_at AS s0, sync_jobs.id AS s1
FROM sync_jobs
WHERE ($1::BOOLEAN OR sync_jobs.project_id = ANY ($4::BIGINT[])) AND sync_jobs.deleted_at IS NULL AND sync_jobs.project_id = $8::BIGINT AND sync_jobs.source_id = $9::BIGINT AND sync_jobs.destination_id = $10::BIGINT ORDER BY sync_jobs.updated_at DESC, sync_jobs.id DESC
LIMIT $11::BIGINT) AS p$1 ORDER BY p$1.s0 DESC, p$1.s1 DESC) AS x$12)) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $2::BIGINT) AS anon_4
