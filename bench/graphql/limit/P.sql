WITH page AS (
  SELECT f.number, upper(l.status) AS status, f.execution_date AS "executionDate",
         l.started_at AS "startedAt", l.finished_at AS "finishedAt"
    FROM pipeline_runs f JOIN runs l ON l.id = f.run_id
   WHERE f.project_id = $1 AND f.pipeline_uuid = $2 ORDER BY f.number DESC LIMIT 21
)
SELECT '{"data":{"pipelineRuns":{"totalCount":'
  || (SELECT count(*) FROM pipeline_runs WHERE project_id = $1 AND pipeline_uuid = $2)
  || ',"nodes":' || (SELECT coalesce(json_agg(x)::text, '[]') FROM (SELECT * FROM page LIMIT 20) x)
  || ',"pageInfo":{"hasNextPage":' || (SELECT (count(*) > 20)::text FROM page) || '}}}}'
