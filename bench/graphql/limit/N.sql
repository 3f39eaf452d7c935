SELECT '{"data":{"pipelines":{"nodes":' || (
  SELECT coalesce(json_agg(x)::text, '[]') FROM (
    SELECT p.id AS number, p.uuid, p.name, upper(p.type) AS type, p.updated_at AS "updatedAt",
           b.found AS blocks, json_build_object('nodes', r.found) AS runs
      FROM (SELECT id, uuid, name, type, updated_at FROM pipelines
             WHERE project_id = $1 ORDER BY uuid LIMIT 50) p
      CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(y), '[]') AS found FROM (
          SELECT id AS number, uuid, name, upper(type) AS type, upper(status) AS status
            FROM blocks WHERE pipeline_id = p.id ORDER BY position, id) y) b
      CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(z), '[]') AS found FROM (
          SELECT f.number, upper(l.status) AS status, f.execution_date AS "executionDate",
                 l.started_at AS "startedAt", l.finished_at AS "finishedAt"
            FROM pipeline_runs f JOIN runs l ON l.id = f.run_id
           WHERE f.pipeline_id = p.id ORDER BY f.number DESC LIMIT 5) z) r
     ORDER BY p.uuid
  ) x) || '}}}'
