WITH p$1 AS
(SELECT triggers.description AS n0_c_description, triggers.event_matchers AS n0_c_event_matchers, triggers.id AS n0_c_number, triggers.last_enabled_at AS n0_c_last_enabled_at, (SELECT runs.status
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id
WHERE pipeline_runs.trigger_id = triggers.id ORDER BY pipeline_runs.number DESC
LIMIT $3::INTEGER) AS n0_c_last_run_status, triggers.name AS n0_c_name, triggers.pipeline_id AS n0_l_pipeline_id, (SELECT count(*) AS count_1
FROM pipeline_runs JOIN runs ON runs.id = pipeline_runs.run_id
WHERE pipeline_runs.trigger_id = triggers.id AND runs.status IN ($14::VARCHAR, $15::VARCHAR) AND runs.kind = $4::VARCHAR AND runs.subject_id = triggers.pipeline_id) AS n0_c_active_run_count, CAST(coalesce((SELECT sum(pipeline_run_tallies.runs) AS sum_1
FROM pipeline_run_tallies
WHERE pipeline_run_tallies.trigger_id = triggers.id), $5::INTEGER) AS BIGINT) AS n0_c_run_count, triggers.interval AS n0_c_interval, triggers.type AS n0_c_type, triggers.settings AS n0_c_settings, triggers.sla AS n0_c_sla, triggers.start_at AS n0_c_start_at, triggers.status AS n0_c_status, triggers.tags AS n0_c_tags, CASE WHEN ($1::BOOLEAN OR triggers.project_id = ANY ($6::BIGINT[])) THEN triggers.token ELSE NULL END AS n0_c_token, triggers.variables AS n0_c_variables, triggers.id AS s0, row_number() OVER (ORDER BY triggers.id DESC) AS place
FROM triggers
WHERE ($1::BOOLEAN OR triggers.project_id = ANY ($2::BIGINT[])) AND triggers.project_id = $7::BIGINT AND (triggers.type = ANY ($8::TEXT[]) OR triggers.pipeline_id IN (SELECT pipelines.id
FROM pipelines
WHERE starts_with(pipelines.uuid, $9::VARCHAR))) ORDER BY triggers.id DESC
LIMIT $10::BIGINT + $11::BIGINT OFFSET $12::BIGINT)
SELECT (('{"data":{' || '"triggers":') || (((((('{"nodes":' || (SELECT coalesce(CAST(json_agg(x$4) AS TEXT), '[]') AS coalesce_1
FROM (SELECT p$1.n0_c_description AS description, coalesce(nullif(p$1.n0_c_event_matchers, 'null'::jsonb), CAST('nothing: ' || coalesce(CAST(p$1.n0_c_event_matchers AS TEXT), '') AS JSONB)) AS event_matchers, CAST(p$1.n0_c_number AS INTEGER) AS id, to_char(timezone('UTC', p$1.n0_c_last_enabled_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS last_enabled_at, p$1.n0_c_last_run_status AS last_pipeline_run_status, p$1.n0_c_name AS name, (SELECT to_json(x$3) AS to_json_1
FROM (SELECT p$2.c_uuid AS uuid
FROM (SELECT pipelines.uuid AS c_uuid
FROM pipelines
WHERE ($1::BOOLEAN OR pipelines.project_id = ANY ($2::BIGINT[])) AND pipelines.id = p$1.n0_l_pipeline_id
LIMIT 1) AS p$2) AS x$3) AS pipeline, CAST(coalesce(p$1.n0_c_active_run_count, CAST('nothing: ' || coalesce(CAST(p$1.n0_c_active_run_count AS TEXT), '') AS INTEGER)) AS INTEGER) AS pipeline_in_progress_runs_count, CAST(coalesce(p$1.n0_c_run_count, CAST('nothing: ' || coalesce(CAST(p$1.n0_c_run_count AS TEXT), '') AS BIGINT)) AS INTEGER) AS pipeline_runs_count, p$1.n0_c_interval AS schedule_interval, CASE p$1.n0_c_type WHEN 'api' THEN 'API' WHEN 'time' THEN 'TIME' WHEN 'event' THEN 'EVENT' ELSE CAST(CAST('no word of TriggerType: ' || coalesce(p$1.n0_c_type, 'nothing') AS INTEGER) AS TEXT) END AS schedule_type, p$1.n0_c_settings AS settings, p$1.n0_c_sla AS sla, to_char(timezone('UTC', p$1.n0_c_start_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS start_time, CASE p$1.n0_c_status WHEN 'active' THEN 'ACTIVE' WHEN 'inactive' THEN 'INACTIVE' ELSE CAST(CAST('no word of TriggerStatus: ' || coalesce(p$1.n0_c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, p$1.n0_c_tags AS tags, p$1.n0_c_token AS token, p$1.n0_c_variables AS variables
FROM p$1
WHERE p$1.place <= $10::BIGINT + $12::BIGINT ORDER BY p$1.s0 DESC) AS x$4)) || ',"pageInfo":') || (('{"hasNextPage":' || coalesce(CAST(to_json((SELECT count(*) AS count_2
FROM p$1) > $10::BIGINT) AS TEXT), 'null')) || '}')) || ',"totalCount":') || coalesce(CAST(CAST((SELECT count(*) AS count_3
FROM triggers
WHERE ($1::BOOLEAN OR triggers.project_id = ANY ($2::BIGINT[])) AND triggers.project_id = $7::BIGINT AND (triggers.type = ANY ($8::TEXT[]) OR triggers.pipeline_id IN (SELECT pipelines.id
FROM pipelines
WHERE starts_with(pipelines.uuid, $9::VARCHAR)))) AS INTEGER) AS TEXT), 'null')) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $13::BIGINT) AS anon_2
