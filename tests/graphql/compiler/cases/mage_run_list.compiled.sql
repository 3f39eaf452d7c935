WITH p$1 AS
(SELECT pipeline_runs.backfill_id AS n0_c_backfill_number, runs.created_at AS n0_c_created_at, pipeline_runs.event_variables AS n0_c_event_variables, pipeline_runs.execution_date AS n0_c_execution_date, runs.finished_at AS n0_c_finished_at, pipeline_runs.number AS n0_c_number, pipeline_runs.metrics AS n0_c_metrics, pipeline_runs.passed_sla AS n0_c_passed_sla, pipeline_runs.trigger_id AS n0_c_trigger_number, pipeline_runs.pipeline_uuid AS n0_c_pipeline_uuid, runs.started_at AS n0_c_started_at, runs.status AS n0_c_status, pipeline_runs.trigger_name AS n0_c_trigger_name, pipeline_runs.variables AS n0_c_variables, (SELECT count(*) AS count_1
FROM run_steps
WHERE run_steps.run_id = runs.id) AS n0_c_step_count, (SELECT count(*) AS count_2
FROM run_steps
WHERE run_steps.run_id = runs.id AND run_steps.status = $4::VARCHAR) AS n0_c_succeeded_step_count, pipeline_runs.trigger_id AS n0_l_trigger_id, pipeline_runs.pipeline_id AS n0_l_pipeline_id, runs.id AS n0_l_id, pipeline_runs.execution_date AS s0, pipeline_runs.number AS s1, row_number() OVER (ORDER BY pipeline_runs.execution_date DESC, pipeline_runs.number DESC) AS place
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($3::BIGINT[])) AND pipeline_runs.project_id = $5::BIGINT AND runs.status = ANY ($6::TEXT[]) AND pipeline_runs.pipeline_id IN (SELECT pipelines.id
FROM pipelines
WHERE pipelines.type = $7::VARCHAR) AND runs.created_at >= $8::TIMESTAMP WITH TIME ZONE ORDER BY pipeline_runs.execution_date DESC, pipeline_runs.number DESC
LIMIT $9::BIGINT + $10::BIGINT OFFSET $11::BIGINT)
SELECT (('{"data":{' || '"pipelineRuns":') || (((((('{"nodes":' || (SELECT coalesce(CAST(json_agg(x$8) AS TEXT), '[]') AS coalesce_1
FROM (SELECT CAST(p$1.n0_c_backfill_number AS INTEGER) AS backfill_id, to_char(timezone('UTC', p$1.n0_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at, p$1.n0_c_event_variables AS event_variables, to_char(timezone('UTC', p$1.n0_c_execution_date), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS execution_date, to_char(timezone('UTC', p$1.n0_c_finished_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS finished_at, CAST(p$1.n0_c_number AS INTEGER) AS id, p$1.n0_c_metrics AS metrics, p$1.n0_c_passed_sla AS passed_sla, CAST(p$1.n0_c_trigger_number AS INTEGER) AS pipeline_schedule_id, p$1.n0_c_pipeline_uuid AS pipeline_uuid, to_char(timezone('UTC', p$1.n0_c_started_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started_at, CASE p$1.n0_c_status WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' ELSE CAST(CAST('no word of RunStatus: ' || coalesce(p$1.n0_c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, p$1.n0_c_trigger_name AS trigger_name, p$1.n0_c_variables AS variables, CAST(coalesce(p$1.n0_c_step_count, CAST('nothing: ' || coalesce(CAST(p$1.n0_c_step_count AS TEXT), '') AS INTEGER)) AS INTEGER) AS block_runs_count, CAST(coalesce(p$1.n0_c_succeeded_step_count, CAST('nothing: ' || coalesce(CAST(p$1.n0_c_succeeded_step_count AS TEXT), '') AS INTEGER)) AS INTEGER) AS completed_block_runs_count, (SELECT to_json(x$3) AS to_json_1
FROM (SELECT p$2.c_name AS name, p$2.c_token AS token, CASE p$2.c_type WHEN 'api' THEN 'API' WHEN 'time' THEN 'TIME' WHEN 'event' THEN 'EVENT' ELSE CAST(CAST('no word of TriggerType: ' || coalesce(p$2.c_type, 'nothing') AS INTEGER) AS TEXT) END AS type
FROM (SELECT triggers.name AS c_name, CASE WHEN ($1::BOOLEAN OR triggers.project_id = ANY ($2::BIGINT[])) THEN triggers.token ELSE NULL END AS c_token, triggers.type AS c_type
FROM triggers
WHERE ($1::BOOLEAN OR triggers.project_id = ANY ($3::BIGINT[])) AND triggers.id = p$1.n0_l_trigger_id
LIMIT 1) AS p$2) AS x$3) AS trigger, (SELECT to_json(x$5) AS to_json_2
FROM (SELECT p$4.c_tags AS tags, CASE p$4.c_type WHEN 'python' THEN 'PYTHON' WHEN 'integration' THEN 'INTEGRATION' WHEN 'streaming' THEN 'STREAMING' WHEN 'pyspark' THEN 'PYSPARK' WHEN 'databricks' THEN 'DATABRICKS' WHEN 'execution_framework' THEN 'EXECUTION_FRAMEWORK' ELSE CAST(CAST('no word of PipelineType: ' || coalesce(p$4.c_type, 'nothing') AS INTEGER) AS TEXT) END AS type
FROM (SELECT pipelines.tags AS c_tags, pipelines.type AS c_type
FROM pipelines
WHERE ($1::BOOLEAN OR pipelines.project_id = ANY ($3::BIGINT[])) AND pipelines.id = p$1.n0_l_pipeline_id
LIMIT 1) AS p$4) AS x$5) AS pipeline, (SELECT coalesce(CASE WHEN (count(*) <= 500) THEN json_agg(x$7) ELSE CAST('a list of: ' || CAST(count(*) AS TEXT) AS JSON) END, '[]'::json) AS coalesce_2
FROM (SELECT p$6.c_name AS block_uuid, p$6.c_error AS error, to_char(timezone('UTC', p$6.c_finished_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS finished_at, CAST(p$6.c_number AS INTEGER) AS id, p$6.c_metrics AS metrics, to_char(timezone('UTC', p$6.c_started_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started_at, CASE p$6.c_status WHEN 'pending' THEN 'PENDING' WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' WHEN 'upstream_failed' THEN 'UPSTREAM_FAILED' WHEN 'skipped' THEN 'SKIPPED' ELSE CAST(CAST('no word of StepStatus: ' || coalesce(p$6.c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, p$6.c_traceback AS traceback
FROM (SELECT run_steps.name AS c_name, run_steps.error AS c_error, run_steps.finished_at AS c_finished_at, run_steps.id AS c_number, run_steps.metrics AS c_metrics, run_steps.started_at AS c_started_at, run_steps.status AS c_status, run_steps.traceback AS c_traceback, run_steps.position AS s0, run_steps.id AS s1
FROM run_steps
WHERE ($1::BOOLEAN OR run_steps.project_id = ANY ($3::BIGINT[])) AND run_steps.run_id = p$1.n0_l_id ORDER BY run_steps.position ASC, run_steps.id ASC
LIMIT 501) AS p$6 ORDER BY p$6.s0 ASC, p$6.s1 ASC) AS x$7) AS steps
FROM p$1
WHERE p$1.place <= $9::BIGINT + $11::BIGINT ORDER BY p$1.s0 DESC, p$1.s1 DESC) AS x$8)) || ',"pageInfo":') || (('{"hasNextPage":' || coalesce(CAST(to_json((SELECT count(*) AS count_3
FROM p$1) > $9::BIGINT) AS TEXT), 'null')) || '}')) || ',"totalCount":') || coalesce(CAST(CAST((SELECT count(*) AS count_4
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($3::BIGINT[])) AND pipeline_runs.project_id = $5::BIGINT AND runs.status = ANY ($6::TEXT[]) AND pipeline_runs.pipeline_id IN (SELECT pipelines.id
FROM pipelines
WHERE pipelines.type = $7::VARCHAR) AND runs.created_at >= $8::TIMESTAMP WITH TIME ZONE) AS INTEGER) AS TEXT), 'null')) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $12::BIGINT) AS anon_2
