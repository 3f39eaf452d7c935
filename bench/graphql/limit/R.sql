WITH page AS (
  SELECT * FROM pipelines WHERE project_id = $1 ORDER BY uuid LIMIT $2::bigint + 1
)
SELECT '{"pipelines":' || (
  SELECT coalesce(json_agg(x)::text, '[]') FROM (
    SELECT p.cache_block_output_in_memory, p.concurrency_config, p.created_at, p.data_integration,
           p.description, p.executor_config, p.executor_count, p.executor_type, p.name,
           p.notification_config, p.retry_config, p.run_pipeline_in_one_process, p.settings,
           p.spark_config, p.tags, p.type, p.updated_at, p.uuid, NULL AS remote_variables_dir,
           'default_repo' AS variables_dir, b.blocks, b.callbacks, b.conditionals, b.widgets
      FROM (SELECT * FROM page ORDER BY uuid LIMIT $2::bigint) p
      CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(y.j) FILTER (WHERE y.type NOT IN ('callback', 'conditional', 'chart')),
                        '[]') AS blocks,
               coalesce(json_agg(y.j) FILTER (WHERE y.type = 'callback'), '[]') AS callbacks,
               coalesce(json_agg(y.j) FILTER (WHERE y.type = 'conditional'), '[]') AS conditionals,
               coalesce(json_agg(y.j) FILTER (WHERE y.type = 'chart'), '[]') AS widgets
          FROM (
            SELECT c.type, json_build_object(
                     'all_upstream_blocks_executed', NOT EXISTS (
                        SELECT FROM blocks o
                         WHERE o.pipeline_id = c.pipeline_id AND o.uuid = any(c.upstream_blocks)
                           AND o.status <> 'executed'),
                     'color', c.color, 'configuration', c.configuration,
                     'downstream_blocks', (
                        SELECT coalesce(json_agg(o.uuid ORDER BY o.position, o.id), '[]')
                          FROM blocks o
                         WHERE o.pipeline_id = c.pipeline_id AND c.uuid = any(o.upstream_blocks)
                           AND o.type NOT IN ('callback', 'conditional', 'chart')),
                     'executor_config', c.executor_config, 'executor_type', c.executor_type,
                     'has_callback', c.has_callback, 'language', c.language, 'name', c.name,
                     'retry_config', c.retry_config, 'status', c.status, 'timeout', c.timeout_s,
                     'type', c.type, 'upstream_blocks', c.upstream_blocks, 'uuid', c.uuid) AS j
              FROM blocks c WHERE c.pipeline_id = p.id ORDER BY c.position, c.id) y) b
     ORDER BY p.uuid
  ) x)
  || ',"metadata":{"count":' || (SELECT count(*) FROM pipelines WHERE project_id = $1)
  || ',"results":' || (SELECT least(count(*), $2::bigint) FROM page)
  || ',"next":' || (SELECT (count(*) > $2::bigint)::text FROM page) || '}}'
