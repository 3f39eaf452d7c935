// Mercurius with graphql-jit after the first request and loaders for what nests.
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { connect, resolvers, rows } from "../rows.js";

const of = rows(connect(pg));
const app = Fastify();
app.register(mercurius, {
  schema: readFileSync(new URL("../schema.graphql", import.meta.url), "utf8"),
  resolvers: resolvers(of),
  jit: 1,
  loaders: {
    Pipeline: {
      blocks: (queries) => of.blocksOf(queries.map(({ obj }) => obj.number)),
      runs: async (queries) => {
        const { first } = queries[0].params;
        const found = await of.lastRunsOf(queries.map(({ obj }) => obj.number), first);
        return found.map((nodes) => ({ nodes }));
      },
    },
  },
});
await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
