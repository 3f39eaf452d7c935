SELECT (('{"data":{' || '"runs":') || (((('{"totalCount":' || coalesce(CAST((SELECT count(*) AS count_1
FROM runs LEFT OUTER JOIN sync_tasks ON sync_tasks.run_id = runs.id LEFT OUTER JOIN pipeline_runs ON pipeline_runs.run_id = runs.id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND runs.kind IN ($13::VARCHAR, $14::VARCHAR, $15::VARCHAR, $16::VARCHAR, $17::VARCHAR, $18::VARCHAR) AND runs.project_id = $3::BIGINT) AS TEXT), 'null')) || ',"nodes":') || (SELECT coalesce(CAST(json_agg(x$20."whole object") AS TEXT), '[]') AS coalesce_1
FROM (SELECT CASE WHEN (p$1.n0_mark = 'sync') THEN (SELECT to_json(y$4) AS to_json_1
FROM (SELECT CAST('SyncTask' AS TEXT) AS __typename, encode(convert_to('SyncTask:' || p$1.n0_v0_k, 'UTF8'), 'base64') AS id, upper(p$1.n0_v0_c_kind) AS kind, upper(p$1.n0_v0_c_status) AS status, CAST(p$1.n0_v0_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v0_c_attempt AS attempt, p$1.n0_v0_c_reason AS reason, p$1.n0_v0_c_error AS error, to_char(timezone('UTC', p$1.n0_v0_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$3) AS to_json_2
FROM (SELECT encode(convert_to('User:' || p$2.k, 'UTF8'), 'base64') AS id, p$2.c_username AS username, p$2.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_1
WHERE memberships_1.user_id = users.id AND ($1::BOOLEAN OR memberships_1.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v0_l_created_by
LIMIT $6::INTEGER) AS p$2) AS x$3) AS "createdBy") AS y$4) WHEN (p$1.n0_mark = 'clear') THEN (SELECT to_json(y$7) AS to_json_3
FROM (SELECT CAST('SyncTask' AS TEXT) AS __typename, encode(convert_to('SyncTask:' || p$1.n0_v1_k, 'UTF8'), 'base64') AS id, upper(p$1.n0_v1_c_kind) AS kind, upper(p$1.n0_v1_c_status) AS status, CAST(p$1.n0_v1_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v1_c_attempt AS attempt, p$1.n0_v1_c_reason AS reason, p$1.n0_v1_c_error AS error, to_char(timezone('UTC', p$1.n0_v1_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$6) AS to_json_4
FROM (SELECT encode(convert_to('User:' || p$5.k, 'UTF8'), 'base64') AS id, p$5.c_username AS username, p$5.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_2
WHERE memberships_2.user_id = users.id AND ($1::BOOLEAN OR memberships_2.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v1_l_created_by
LIMIT $7::INTEGER) AS p$5) AS x$6) AS "createdBy") AS y$7) WHEN (p$1.n0_mark = 'check') THEN (SELECT to_json(y$10) AS to_json_5
FROM (SELECT CAST('ProbeRun' AS TEXT) AS __typename, encode(convert_to('ProbeRun:' || p$1.n0_v2_k, 'UTF8'), 'base64') AS id, upper(p$1.n0_v2_c_kind) AS kind, upper(p$1.n0_v2_c_status) AS status, CAST(p$1.n0_v2_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v2_c_attempt AS attempt, p$1.n0_v2_c_reason AS reason, p$1.n0_v2_c_error AS error, to_char(timezone('UTC', p$1.n0_v2_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$9) AS to_json_6
FROM (SELECT encode(convert_to('User:' || p$8.k, 'UTF8'), 'base64') AS id, p$8.c_username AS username, p$8.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_3
WHERE memberships_3.user_id = users.id AND ($1::BOOLEAN OR memberships_3.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v2_l_created_by
LIMIT $8::INTEGER) AS p$8) AS x$9) AS "createdBy") AS y$10) WHEN (p$1.n0_mark = 'discover') THEN (SELECT to_json(y$13) AS to_json_7
FROM (SELECT CAST('ProbeRun' AS TEXT) AS __typename, encode(convert_to('ProbeRun:' || p$1.n0_v3_k, 'UTF8'), 'base64') AS id, upper(p$1.n0_v3_c_kind) AS kind, upper(p$1.n0_v3_c_status) AS status, CAST(p$1.n0_v3_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v3_c_attempt AS attempt, p$1.n0_v3_c_reason AS reason, p$1.n0_v3_c_error AS error, to_char(timezone('UTC', p$1.n0_v3_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$12) AS to_json_8
FROM (SELECT encode(convert_to('User:' || p$11.k, 'UTF8'), 'base64') AS id, p$11.c_username AS username, p$11.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_4
WHERE memberships_4.user_id = users.id AND ($1::BOOLEAN OR memberships_4.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v3_l_created_by
LIMIT $9::INTEGER) AS p$11) AS x$12) AS "createdBy") AS y$13) WHEN (p$1.n0_mark = 'pipeline') THEN (SELECT to_json(y$16) AS to_json_9
FROM (SELECT CAST('PipelineRun' AS TEXT) AS __typename, encode(convert_to('PipelineRun:' || p$1.n0_v4_k, 'UTF8'), 'base64') AS id, upper(p$1.n0_v4_c_kind) AS kind, upper(p$1.n0_v4_c_status) AS status, CAST(p$1.n0_v4_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v4_c_attempt AS attempt, p$1.n0_v4_c_reason AS reason, p$1.n0_v4_c_error AS error, to_char(timezone('UTC', p$1.n0_v4_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$15) AS to_json_10
FROM (SELECT encode(convert_to('User:' || p$14.k, 'UTF8'), 'base64') AS id, p$14.c_username AS username, p$14.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_5
WHERE memberships_5.user_id = users.id AND ($1::BOOLEAN OR memberships_5.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v4_l_created_by
LIMIT $10::INTEGER) AS p$14) AS x$15) AS "createdBy", p$1.n0_v4_c_number AS number, p$1.n0_v4_c_pipeline_uuid AS "pipelineUuid", p$1.n0_v4_c_variables AS variables) AS y$16) WHEN (p$1.n0_mark = 'notification') THEN (SELECT to_json(y$19) AS to_json_11
FROM (SELECT CAST('NotificationRun' AS TEXT) AS __typename, encode(convert_to('NotificationRun:' || p$1.n0_v5_k, 'UTF8'), 'base64') AS id, upper(p$1.n0_v5_c_kind) AS kind, upper(p$1.n0_v5_c_status) AS status, CAST(p$1.n0_v5_c_last_seq AS TEXT) AS "lastSeq", p$1.n0_v5_c_attempt AS attempt, p$1.n0_v5_c_reason AS reason, p$1.n0_v5_c_error AS error, to_char(timezone('UTC', p$1.n0_v5_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", (SELECT to_json(x$18) AS to_json_12
FROM (SELECT encode(convert_to('User:' || p$17.k, 'UTF8'), 'base64') AS id, p$17.c_username AS username, p$17.c_first_name AS "firstName"
FROM (SELECT users.id AS k, users.username AS c_username, users.first_name AS c_first_name
FROM users
WHERE ($1::BOOLEAN OR users.id = $4::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_6
WHERE memberships_6.user_id = users.id AND ($1::BOOLEAN OR memberships_6.project_id = ANY ($5::BIGINT[]))))) AND users.id = p$1.n0_v5_l_created_by
LIMIT $11::INTEGER) AS p$17) AS x$18) AS "createdBy") AS y$19) END AS "whole object"
FROM (SELECT runs.kind AS n0_mark, runs.id AS n0_v0_k, runs.kind AS n0_v0_c_kind, runs.status AS n0_v0_c_status, runs.version AS n0_v0_c_last_seq, runs.attempt AS n0_v0_c_attempt, runs.reason AS n0_v0_c_reason, runs.error AS n0_v0_c_error, runs.created_at AS n0_v0_c_created_at, runs.created_by AS n0_v0_l_created_by, runs.id AS n0_v1_k, runs.kind AS n0_v1_c_kind, runs.status AS n0_v1_c_status, runs.version AS n0_v1_c_last_seq, runs.attempt AS n0_v1_c_attempt, runs.reason AS n0_v1_c_reason, runs.error AS n0_v1_c_error, runs.created_at AS n0_v1_c_created_at, runs.created_by AS n0_v1_l_created_by, runs.id AS n0_v2_k, runs.kind AS n0_v2_c_kind, runs.status AS n0_v2_c_status, runs.version AS n0_v2_c_last_seq, runs.attempt AS n0_v2_c_attempt, runs.reason AS n0_v2_c_reason, runs.error AS n0_v2_c_error, runs.created_at AS n0_v2_c_created_at, runs.created_by AS n0_v2_l_created_by, runs.id AS n0_v3_k, runs.kind AS n0_v3_c_kind, runs.status AS n0_v3_c_status, runs.version AS n0_v3_c_last_seq, runs.attempt AS n0_v3_c_attempt, runs.reason AS n0_v3_c_reason, runs.error AS n0_v3_c_error, runs.created_at AS n0_v3_c_created_at, runs.created_by AS n0_v3_l_created_by, runs.id AS n0_v4_k, runs.kind AS n0_v4_c_kind, runs.status AS n0_v4_c_status, runs.version AS n0_v4_c_last_seq, runs.attempt AS n0_v4_c_attempt, runs.reason AS n0_v4_c_reason, runs.error AS n0_v4_c_error, runs.created_at AS n0_v4_c_created_at, runs.created_by AS n0_v4_l_created_by, pipeline_runs.number AS n0_v4_c_number, pipeline_runs.pipeline_uuid AS n0_v4_c_pipeline_uuid, pipeline_runs.variables AS n0_v4_c_variables, runs.id AS n0_v5_k, runs.kind AS n0_v5_c_kind, runs.status AS n0_v5_c_status, runs.version AS n0_v5_c_last_seq, runs.attempt AS n0_v5_c_attempt, runs.reason AS n0_v5_c_reason, runs.error AS n0_v5_c_error, runs.created_at AS n0_v5_c_created_at, runs.created_by AS n0_v5_l_created_by, runs.created_at AS s0, runs.id AS s1
FROM runs LEFT OUTER JOIN sync_tasks ON sync_tasks.run_id = runs.id LEFT OUTER JOIN pipeline_runs ON pipeline_runs.run_id = runs.id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND runs.kind IN ($19::VARCHAR, $20::VARCHAR, $21::VARCHAR, $22::VARCHAR, $23::VARCHAR, $24::VARCHAR) AND runs.project_id = $3::BIGINT ORDER BY runs.created_at DESC, runs.id DESC
LIMIT $12::BIGINT) AS p$1 ORDER BY p$1.s0 DESC, p$1.s1 DESC) AS x$20)) || '}')) || '}}' AS anon_1
