// Apollo Server with a dataloader for what nests, made anew for each request.
import { readFileSync } from "node:fs";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import DataLoader from "dataloader";
import pg from "pg";
import { connect, resolvers, rows } from "../rows.js";

const of = rows(connect(pg));
const server = new ApolloServer({
  typeDefs: readFileSync(new URL("../schema.graphql", import.meta.url), "utf8"),
  resolvers: {
    ...resolvers(of),
    Pipeline: {
      blocks: (pipeline, _, { blocks }) => blocks.load(pipeline.number),
      runs: async (pipeline, { first }, { runs }) => ({
        nodes: await runs(first).load(pipeline.number),
      }),
    },
  },
  introspection: false,
});
await startStandaloneServer(server, {
  listen: { port: Number(process.argv[2]), host: "127.0.0.1" },
  context: async () => {
    const loaders = new Map();
    return {
      blocks: new DataLoader((keys) => of.blocksOf(keys)),
      runs(first) {
        if (!loaders.has(first)) {
          loaders.set(first, new DataLoader((keys) => of.lastRunsOf(keys, first)));
        }
        return loaders.get(first);
      },
    };
  },
});
