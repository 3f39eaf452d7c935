WITH p$1 AS
(SELECT runs.id AS n0_1_k, pipeline_runs.number AS n0_1_c_number, runs.status AS n0_1_c_status, runs.started_at AS n0_1_c_started_at, runs.started_at AS s0, runs.id AS s1, row_number() OVER (ORDER BY runs.started_at DESC NULLS LAST, runs.id DESC) AS place
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($2::BOOLEAN OR runs.project_id = ANY ($3::BIGINT[])) AND pipeline_runs.project_id = $4::BIGINT AND runs.status != $5::VARCHAR ORDER BY runs.started_at DESC NULLS LAST, runs.id DESC
LIMIT $6::BIGINT + $7::BIGINT)
SELECT (('{"data":{' || '"pipelineRuns":') || (((((('{"edges":' || (SELECT coalesce(CAST(json_agg(x$3) AS TEXT), '[]') AS coalesce_1
FROM (SELECT translate(encode(convert_to((((((('["' || $1::VARCHAR) || '"') || ',') || coalesce(('"' || replace(to_char(timezone('UTC', p$1.s0), 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '')) || '+00:00"', 'null')) || ',') || coalesce(CAST(to_json(p$1.s1) AS TEXT), 'null')) || ']', 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT to_json(y$2) AS to_json_1
FROM (SELECT encode(convert_to('PipelineRun:' || p$1.n0_1_k, 'UTF8'), 'base64') AS id, CAST(p$1.n0_1_c_number AS INTEGER) AS number, CASE p$1.n0_1_c_status WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' ELSE CAST(CAST('no word of RunStatus: ' || coalesce(p$1.n0_1_c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, to_char(timezone('UTC', p$1.n0_1_c_started_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "startedAt") AS y$2) AS node
FROM p$1
WHERE p$1.place <= $6::BIGINT ORDER BY p$1.s0 DESC NULLS LAST, p$1.s1 DESC) AS x$3)) || ',"pageInfo":') || (((((((('{"hasNextPage":' || coalesce(CAST(to_json((SELECT count(*) AS count_1
FROM p$1) > $6::BIGINT) AS TEXT), 'null')) || ',"hasPreviousPage":') || coalesce(CAST(to_json(false) AS TEXT), 'null')) || ',"startCursor":') || coalesce(CAST(to_json((SELECT translate(encode(convert_to((((((('["' || $1::VARCHAR) || '"') || ',') || coalesce(('"' || replace(to_char(timezone('UTC', p$1.s0), 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '')) || '+00:00"', 'null')) || ',') || coalesce(CAST(to_json(p$1.s1) AS TEXT), 'null')) || ']', 'UTF8'), 'base64'), E'+/=\n', '-_') AS translate_1
FROM p$1
WHERE p$1.place <= $6::BIGINT ORDER BY p$1.place ASC
LIMIT 1)) AS TEXT), 'null')) || ',"endCursor":') || coalesce(CAST(to_json((SELECT translate(encode(convert_to((((((('["' || $1::VARCHAR) || '"') || ',') || coalesce(('"' || replace(to_char(timezone('UTC', p$1.s0), 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '')) || '+00:00"', 'null')) || ',') || coalesce(CAST(to_json(p$1.s1) AS TEXT), 'null')) || ']', 'UTF8'), 'base64'), E'+/=\n', '-_') AS translate_2
FROM p$1
WHERE p$1.place <= $6::BIGINT ORDER BY p$1.place DESC
LIMIT 1)) AS TEXT), 'null')) || '}')) || ',"totalCount":') || coalesce(CAST(CAST((SELECT count(*) AS count_2
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($2::BOOLEAN OR runs.project_id = ANY ($3::BIGINT[])) AND pipeline_runs.project_id = $4::BIGINT AND runs.status != $5::VARCHAR) AS INTEGER) AS TEXT), 'null')) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $8::BIGINT) AS anon_2
