SELECT (('{"data":{' || '"pipelineRun":') || coalesce((SELECT CAST(to_json(x$4) AS TEXT) AS to_json_1
FROM (SELECT encode(convert_to('PipelineRun:' || p$1.k, 'UTF8'), 'base64') AS id, CAST(p$1.c_number AS INTEGER) AS number, CASE p$1.c_status WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' ELSE CAST(CAST('no word of RunStatus: ' || coalesce(p$1.c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, json_build_object('nodes', (SELECT coalesce(json_agg(x$3), '[]'::json) AS coalesce_1
FROM (WITH p$2 AS
(SELECT run_logs.seq AS n0_c_seq, run_logs.at AS n0_c_at, run_logs.level AS n0_c_level, run_logs.step AS n0_c_step, run_logs.step_id AS n0_c_step_number, run_logs.message AS n0_c_message, run_logs.seq AS s0, row_number() OVER (ORDER BY run_logs.seq ASC) AS place
FROM run_logs
WHERE ($1::BOOLEAN OR run_logs.project_id = ANY ($2::BIGINT[])) AND run_logs.run_id = p$1.l_id AND run_logs.seq >= $3::BIGINT AND run_logs.step = $4::VARCHAR ORDER BY run_logs.seq ASC
LIMIT $5::BIGINT + $6::BIGINT)
SELECT CAST(p$2.n0_c_seq AS TEXT) AS seq, to_char(timezone('UTC', p$2.n0_c_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, p$2.n0_c_level AS level, p$2.n0_c_step AS step, CAST(p$2.n0_c_step_number AS TEXT) AS "stepNumber", p$2.n0_c_message AS message
FROM p$2
WHERE p$2.place <= $5::BIGINT ORDER BY p$2.s0 ASC) AS x$3), 'pageInfo', json_build_object('hasNextPage', (WITH p$2 AS
(SELECT run_logs.seq AS n0_c_seq, run_logs.at AS n0_c_at, run_logs.level AS n0_c_level, run_logs.step AS n0_c_step, run_logs.step_id AS n0_c_step_number, run_logs.message AS n0_c_message, run_logs.seq AS s0, row_number() OVER (ORDER BY run_logs.seq ASC) AS place
FROM run_logs
WHERE ($1::BOOLEAN OR run_logs.project_id = ANY ($2::BIGINT[])) AND run_logs.run_id = p$1.l_id AND run_logs.seq >= $3::BIGINT AND run_logs.step = $4::VARCHAR ORDER BY run_logs.seq ASC
LIMIT $5::BIGINT + $6::BIGINT)
SELECT count(*) AS count_1
FROM p$2) > $5::BIGINT)) AS logs
FROM (SELECT runs.id AS k, pipeline_runs.number AS c_number, runs.status AS c_status, runs.id AS l_id
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND pipeline_runs.number = $7::BIGINT
LIMIT 1) AS p$1) AS x$4), 'null')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $8::BIGINT) AS anon_2
