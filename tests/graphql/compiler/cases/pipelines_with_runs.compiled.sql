SELECT (('{"data":{' || '"pipelines":') || (('{"nodes":' || (SELECT coalesce(CAST(json_agg(x$6) AS TEXT), '[]') AS coalesce_1
FROM (SELECT encode(convert_to('Pipeline:' || p$1.n0_k, 'UTF8'), 'base64') AS id, p$1.n0_c_uuid AS uuid, p$1.n0_c_name AS name, upper(p$1.n0_c_type) AS type, to_char(timezone('UTC', p$1.n0_c_updated_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "updatedAt", (SELECT coalesce(json_agg(x$3), '[]'::json) AS coalesce_2
FROM (SELECT p$2.c_uuid AS uuid, p$2.c_name AS name, upper(p$2.c_type) AS type, upper(p$2.c_language) AS language, p$2.c_position AS position
FROM (SELECT blocks.uuid AS c_uuid, blocks.name AS c_name, blocks.type AS c_type, blocks.language AS c_language, blocks.position AS c_position, blocks.position AS s0, blocks.id AS s1
FROM blocks
WHERE ($1::BOOLEAN OR blocks.project_id = ANY ($2::BIGINT[])) AND blocks.pipeline_id = p$1.n0_l_id ORDER BY blocks.position ASC, blocks.id ASC) AS p$2 ORDER BY p$2.s0 ASC, p$2.s1 ASC) AS x$3) AS blocks, json_build_object('nodes', (SELECT coalesce(json_agg(x$5), '[]'::json) AS coalesce_3
FROM (SELECT p$4.n0_c_number AS number, upper(p$4.n0_c_status) AS status, to_char(timezone('UTC', p$4.n0_c_execution_date), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "executionDate", to_char(timezone('UTC', p$4.n0_c_started_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "startedAt", to_char(timezone('UTC', p$4.n0_c_finished_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "finishedAt"
FROM (SELECT pipeline_runs.number AS n0_c_number, runs.status AS n0_c_status, pipeline_runs.execution_date AS n0_c_execution_date, runs.started_at AS n0_c_started_at, runs.finished_at AS n0_c_finished_at, pipeline_runs.number AS s0, runs.id AS s1
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND pipeline_runs.pipeline_id = p$1.n0_l_id ORDER BY pipeline_runs.number DESC, runs.id DESC
LIMIT $3::BIGINT) AS p$4 ORDER BY p$4.s0 DESC, p$4.s1 DESC) AS x$5)) AS runs
FROM (SELECT pipelines.id AS n0_k, pipelines.uuid AS n0_c_uuid, pipelines.name AS n0_c_name, pipelines.type AS n0_c_type, pipelines.updated_at AS n0_c_updated_at, pipelines.id AS n0_l_id, pipelines.uuid AS s0, pipelines.id AS s1
FROM pipelines
WHERE ($1::BOOLEAN OR pipelines.project_id = ANY ($2::BIGINT[])) AND pipelines.project_id = $4::BIGINT ORDER BY pipelines.uuid ASC, pipelines.id ASC
LIMIT $5::BIGINT) AS p$1 ORDER BY p$1.s0 ASC, p$1.s1 ASC) AS x$6)) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $6::BIGINT) AS anon_2
