WITH p$1 AS
(SELECT pipelines.created_at AS n0_c_created_at, pipelines.data_integration AS n0_c_data_integration, pipelines.description AS n0_c_description, pipelines.executor_count AS n0_c_executor_count, pipelines.name AS n0_c_name, pipelines.settings AS n0_c_settings, pipelines.tags AS n0_c_tags, pipelines.type AS n0_c_type, pipelines.updated_at AS n0_c_updated_at, pipelines.uuid AS n0_c_uuid, pipelines.id AS n0_l_id, pipelines.uuid AS s0, pipelines.id AS s1, row_number() OVER (ORDER BY pipelines.uuid DESC, pipelines.id DESC) AS place
FROM pipelines
WHERE ($3::BOOLEAN OR pipelines.project_id = ANY ($4::BIGINT[])) AND pipelines.project_id = $5::BIGINT AND (pipelines.tags && $6::TEXT[]) ORDER BY pipelines.uuid DESC, pipelines.id DESC
LIMIT $7::BIGINT + $8::BIGINT OFFSET $9::BIGINT)
SELECT (('{"data":{' || '"pipelines":') || (((((('{"nodes":' || (SELECT coalesce(CAST(json_agg(x$6) AS TEXT), '[]') AS coalesce_1
FROM (SELECT to_char(timezone('UTC', p$1.n0_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at, p$1.n0_c_data_integration AS data_integration, p$1.n0_c_description AS description, p$1.n0_c_executor_count AS executor_count, p$1.n0_c_name AS name, p$1.n0_c_settings AS settings, p$1.n0_c_tags AS tags, upper(p$1.n0_c_type) AS type, to_char(timezone('UTC', p$1.n0_c_updated_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_at, p$1.n0_c_uuid AS uuid, (SELECT coalesce(json_agg(x$3), '[]'::json) AS coalesce_2
FROM (SELECT p$2.c_is_ready AS all_upstream_blocks_executed, p$2.c_callback_blocks AS callback_blocks, p$2.c_configuration AS configuration, p$2.c_downstream_blocks AS downstream_blocks, upper(p$2.c_status) AS status, p$2.c_timeout_s AS timeout, upper(p$2.c_type) AS type, p$2.c_upstream_blocks AS upstream_blocks, p$2.c_uuid AS uuid
FROM (SELECT NOT (EXISTS (SELECT *
FROM blocks AS blocks_1
WHERE blocks_1.pipeline_id = blocks.pipeline_id AND blocks_1.uuid = any(blocks.upstream_blocks) AND blocks_1.status != $1::VARCHAR)) AS c_is_ready, coalesce((SELECT array_agg(blocks_2.uuid ORDER BY blocks_2.position, blocks_2.id) AS array_agg_1
FROM blocks AS blocks_2
WHERE blocks_2.pipeline_id = blocks.pipeline_id AND blocks.uuid = any(blocks_2.upstream_blocks) AND blocks_2.type = $2::VARCHAR), CAST(ARRAY[]::TEXT[] AS TEXT[])) AS c_callback_blocks, blocks.configuration AS c_configuration, coalesce((SELECT array_agg(blocks_3.uuid ORDER BY blocks_3.position, blocks_3.id) AS array_agg_2
FROM blocks AS blocks_3
WHERE blocks_3.pipeline_id = blocks.pipeline_id AND blocks.uuid = any(blocks_3.upstream_blocks) AND (blocks_3.type NOT IN ($11::VARCHAR, $12::VARCHAR))), CAST(ARRAY[]::TEXT[] AS TEXT[])) AS c_downstream_blocks, blocks.status AS c_status, blocks.timeout_s AS c_timeout_s, blocks.type AS c_type, blocks.upstream_blocks AS c_upstream_blocks, blocks.uuid AS c_uuid, blocks.position AS s0, blocks.id AS s1
FROM blocks
WHERE ($3::BOOLEAN OR blocks.project_id = ANY ($4::BIGINT[])) AND blocks.pipeline_id = p$1.n0_l_id ORDER BY blocks.position ASC, blocks.id ASC) AS p$2 ORDER BY p$2.s0 ASC, p$2.s1 ASC) AS x$3) AS blocks, (SELECT coalesce(json_agg(x$5), '[]'::json) AS coalesce_3
FROM (SELECT p$4.c_number AS id, p$4.c_name AS name, p$4.c_interval AS schedule_interval, upper(p$4.c_type) AS schedule_type, to_char(timezone('UTC', p$4.c_start_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS start_time, upper(p$4.c_status) AS status
FROM (SELECT triggers.id AS c_number, triggers.name AS c_name, triggers.interval AS c_interval, triggers.type AS c_type, triggers.start_at AS c_start_at, triggers.status AS c_status, triggers.id AS s0
FROM triggers
WHERE ($3::BOOLEAN OR triggers.project_id = ANY ($4::BIGINT[])) AND triggers.pipeline_id = p$1.n0_l_id ORDER BY triggers.id DESC) AS p$4 ORDER BY p$4.s0 DESC) AS x$5) AS schedules
FROM p$1
WHERE p$1.place <= $7::BIGINT + $9::BIGINT ORDER BY p$1.s0 DESC, p$1.s1 DESC) AS x$6)) || ',"pageInfo":') || (('{"hasNextPage":' || coalesce(CAST(to_json((SELECT count(*) AS count_1
FROM p$1) > $7::BIGINT) AS TEXT), 'null')) || '}')) || ',"totalCount":') || coalesce(CAST((SELECT count(*) AS count_2
FROM pipelines
WHERE ($3::BOOLEAN OR pipelines.project_id = ANY ($4::BIGINT[])) AND pipelines.project_id = $5::BIGINT AND (pipelines.tags && $6::TEXT[])) AS TEXT), 'null')) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $10::BIGINT) AS anon_2
