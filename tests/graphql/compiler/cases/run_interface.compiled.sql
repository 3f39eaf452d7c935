SELECT (('{"data":{' || '"runs":') || (((('{"totalCount":' || coalesce(CAST(CAST((SELECT count(*) AS count_1
FROM runs LEFT OUTER JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND runs.kind IN ($7::VARCHAR, $8::VARCHAR) AND runs.project_id = $3::BIGINT) AS INTEGER) AS TEXT), 'null')) || ',"nodes":') || (SELECT coalesce(CAST(json_agg(x$8."whole object") AS TEXT), '[]') AS coalesce_1
FROM (SELECT CASE WHEN (p$1.n0_mark = 'pipeline') THEN (SELECT to_json(y$4) AS to_json_1
FROM (SELECT CAST('PipelineRun' AS TEXT) AS __typename, encode(convert_to('PipelineRun:' || p$1.n0_v0_k, 'UTF8'), 'base64') AS id, CASE p$1.n0_v0_c_kind WHEN 'pipeline' THEN 'PIPELINE' WHEN 'notification' THEN 'NOTIFICATION' ELSE CAST(CAST('no word of RunKind: ' || coalesce(p$1.n0_v0_c_kind, 'nothing') AS INTEGER) AS TEXT) END AS kind, CASE p$1.n0_v0_c_status WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' ELSE CAST(CAST('no word of RunStatus: ' || coalesce(p$1.n0_v0_c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, CAST(p$1.n0_v0_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v0_c_attempt AS attempt, p$1.n0_v0_c_reason AS reason, p$1.n0_v0_c_error AS error, to_char(timezone('UTC', p$1.n0_v0_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$3) AS to_json_2
FROM (SELECT encode(convert_to('User:' || p$2.k, 'UTF8'), 'base64') AS id, p$2.c_username AS username, p$2.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_1
WHERE memberships_1.user_id = users.id AND ($1::BOOLEAN OR memberships_1.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v0_l_created_by
LIMIT 1) AS p$2) AS x$3) AS "createdBy", CAST(p$1.n0_v0_c_number AS INTEGER) AS number, p$1.n0_v0_c_pipeline_uuid AS "pipelineUuid", p$1.n0_v0_c_variables AS variables) AS y$4) WHEN (p$1.n0_mark = 'notification') THEN (SELECT to_json(y$7) AS to_json_3
FROM (SELECT CAST('NotificationRun' AS TEXT) AS __typename, encode(convert_to('NotificationRun:' || p$1.n0_v1_k, 'UTF8'), 'base64') AS id, CASE p$1.n0_v1_c_kind WHEN 'pipeline' THEN 'PIPELINE' WHEN 'notification' THEN 'NOTIFICATION' ELSE CAST(CAST('no word of RunKind: ' || coalesce(p$1.n0_v1_c_kind, 'nothing') AS INTEGER) AS TEXT) END AS kind, CASE p$1.n0_v1_c_status WHEN 'queued' THEN 'QUEUED' WHEN 'running' THEN 'RUNNING' WHEN 'succeeded' THEN 'SUCCEEDED' WHEN 'failed' THEN 'FAILED' WHEN 'cancelled' THEN 'CANCELLED' ELSE CAST(CAST('no word of RunStatus: ' || coalesce(p$1.n0_v1_c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, CAST(p$1.n0_v1_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v1_c_attempt AS attempt, p$1.n0_v1_c_reason AS reason, p$1.n0_v1_c_error AS error, to_char(timezone('UTC', p$1.n0_v1_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$6) AS to_json_4
FROM (SELECT encode(convert_to('User:' || p$5.k, 'UTF8'), 'base64') AS id, p$5.c_username AS username, p$5.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_2
WHERE memberships_2.user_id = users.id AND ($1::BOOLEAN OR memberships_2.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v1_l_created_by
LIMIT 1) AS p$5) AS x$6) AS "createdBy") AS y$7) END AS "whole object"
FROM (SELECT runs.kind AS n0_mark, runs.id AS n0_v0_k, runs.kind AS n0_v0_c_kind, runs.status AS n0_v0_c_status, runs.version AS n0_v0_c_last_seq, runs.attempt AS n0_v0_c_attempt, runs.reason AS n0_v0_c_reason, runs.error AS n0_v0_c_error, runs.created_at AS n0_v0_c_created_at, runs.created_by AS n0_v0_l_created_by, pipeline_runs.number AS n0_v0_c_number, pipeline_runs.pipeline_uuid AS n0_v0_c_pipeline_uuid, pipeline_runs.variables AS n0_v0_c_variables, runs.id AS n0_v1_k, runs.kind AS n0_v1_c_kind, runs.status AS n0_v1_c_status, runs.version AS n0_v1_c_last_seq, runs.attempt AS n0_v1_c_attempt, runs.reason AS n0_v1_c_reason, runs.error AS n0_v1_c_error, runs.created_at AS n0_v1_c_created_at, runs.created_by AS n0_v1_l_created_by, runs.created_at AS s0, runs.id AS s1
FROM runs LEFT OUTER JOIN pipeline_runs ON pipeline_runs.run_id = runs.id AND pipeline_runs.project_id = runs.project_id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND runs.kind IN ($9::VARCHAR, $10::VARCHAR) AND runs.project_id = $3::BIGINT ORDER BY runs.created_at DESC, runs.id DESC
LIMIT $6::BIGINT) AS p$1 ORDER BY p$1.s0 DESC, p$1.s1 DESC) AS x$8)) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $4::BIGINT) AS anon_2
