// The reads of the hand-written peers: one prepared statement each, columns by their GraphQL names.
// Moments stay PostgreSQL's text and numbers become numbers, which is the cheapest there is in Node.

const PROJECT = 1;
const PIPELINE = `id AS number, uuid, name, upper(type) AS type, description,
  executor_type AS "executorType", executor_count AS "executorCount",
  created_at AS "createdAt", updated_at AS "updatedAt", version`;
const RUN = `f.number, f.pipeline_uuid AS "pipelineUuid", f.trigger_id AS "triggerNumber",
  f.trigger_name AS "triggerName", upper(l.status) AS status, l.attempt,
  f.passed_sla AS "passedSla", f.execution_date AS "executionDate",
  l.started_at AS "startedAt", l.finished_at AS "finishedAt"`;
const SHORT_RUN = `f.number, upper(l.status) AS status, f.execution_date AS "executionDate",
  l.started_at AS "startedAt", l.finished_at AS "finishedAt"`;

export function connect(pg) {
  pg.types.setTypeParser(20, Number);
  pg.types.setTypeParser(1184, (text) => text);
  return new pg.Pool({ max: Number(process.env.BENCH_POOL), options: "-c timezone=UTC" });
}

export function rows(pool) {
  const all = async (name, text, values) => (await pool.query({ name, text, values })).rows;
  return {
    async pipeline(uuid) {
      const text = `SELECT ${PIPELINE} FROM pipelines WHERE project_id = $1 AND uuid = $2`;
      return (await all("pipeline", text, [PROJECT, uuid]))[0] ?? null;
    },
    pipelines(first) {
      const text = `SELECT id AS number, uuid, name, upper(type) AS type, updated_at AS "updatedAt"
        FROM pipelines WHERE project_id = $1 ORDER BY uuid LIMIT $2`;
      return all("pipelines", text, [PROJECT, first]);
    },
    runs(first) {
      const text = `SELECT ${RUN} FROM pipeline_runs f JOIN runs l ON l.id = f.run_id
        WHERE f.project_id = $1 ORDER BY f.number DESC LIMIT $2`;
      return all("runs", text, [PROJECT, first]);
    },
    runsOf(pipeline, first) {
      const text = `SELECT ${SHORT_RUN} FROM pipeline_runs f JOIN runs l ON l.id = f.run_id
        WHERE f.project_id = $1 AND f.pipeline_uuid = $2 ORDER BY f.number DESC LIMIT $3`;
      return all("runsOf", text, [PROJECT, pipeline, first]);
    },
    async countOf(pipeline) {
      const text = `SELECT count(*) AS count FROM pipeline_runs
        WHERE project_id = $1 AND pipeline_uuid = $2`;
      return (await all("countOf", text, [PROJECT, pipeline]))[0].count;
    },
    async blocksOf(pipelines) {
      const text = `SELECT pipeline_id AS of, id AS number, uuid, name, upper(type) AS type,
          upper(status) AS status
        FROM blocks WHERE pipeline_id = ANY($1) ORDER BY pipeline_id, position, id`;
      return grouped(pipelines, await all("blocksOf", text, [pipelines]));
    },
    async lastRunsOf(pipelines, first) {
      const text = `SELECT p.id AS of, r.* FROM unnest($1::bigint[]) AS p(id) CROSS JOIN LATERAL (
          SELECT ${SHORT_RUN} FROM pipeline_runs f JOIN runs l ON l.id = f.run_id
          WHERE f.pipeline_id = p.id ORDER BY f.number DESC LIMIT $2) r`;
      return grouped(pipelines, await all("lastRunsOf", text, [pipelines, first]));
    },
    async create(name) {
      const text = `INSERT INTO pipelines (project_id, name, uuid) VALUES ($1, $2, $3)
        RETURNING ${PIPELINE}`;
      const uuid = name.toLowerCase().replaceAll(" ", "_");
      return (await all("create", text, [PROJECT, name, uuid]))[0];
    },
  };
}

function grouped(keys, found) {
  const groups = new Map(keys.map((key) => [key, []]));
  for (const row of found) groups.get(row.of).push(row);
  return keys.map((key) => groups.get(key));
}

export function resolvers(of) {
  return {
    Query: {
      pipeline: (_, { by }) => of.pipeline(by.uuid),
      pipelines: async (_, { first }) => ({ nodes: await of.pipelines(first) }),
      pipelineRuns: async (_, { first, where }) => {
        if (!where) return { nodes: await of.runs(first) };
        const pipeline = where.pipelineUuid.eq;
        const [found, totalCount] = await Promise.all([
          of.runsOf(pipeline, first + 1),
          of.countOf(pipeline),
        ]);
        return {
          nodes: found.slice(0, first),
          totalCount,
          pageInfo: { hasNextPage: found.length > first },
        };
      },
    },
    Mutation: {
      pipelineCreate: async (_, { input }) => ({ pipeline: await of.create(input.name) }),
    },
  };
}
