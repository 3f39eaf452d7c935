// What a client made of the OpenAPI document does: node lead.mjs URL TOKEN
import createClient from "openapi-fetch";
import type { paths } from "./api.mjs";

declare const process: { argv: string[] };

const [baseUrl, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const lead = {
  title: "Made by a generated client",
  project: 1,
  sourceType: "website" as const,
  url: "https://example.org/flood",
};

const made = await client.POST("/api/v1/leads/", { body: lead });
if (!made.data || Array.isArray(made.data)) throw new Error(JSON.stringify(made.error));
const path = { id: made.data.id! };
const read = await client.GET("/api/v1/leads/{id}/", { params: { path } });
const found = await client.GET("/api/v1/leads/", {
  params: { query: { search: "generated", status: "pending", ordering: "-created_at", limit: 5 } },
});
const changed = await client.PATCH("/api/v1/leads/{id}/", {
  params: { path, header: { "If-Match": `"${read.data?.versionId}"` } },
  body: { status: "processed" },
});
const again = await client.POST("/api/v1/leads/", { body: lead });
// @ts-expect-error A lead has a title.
const untitled = await client.POST("/api/v1/leads/", { body: { project: 1 } });

console.log(
  JSON.stringify({
    made: made.data,
    read: read.data,
    found: found.data?.results.map((one) => one.title),
    status: changed.data?.status,
    again: again.error?.errors.nonFieldErrors,
    untitled: untitled.response.status,
  }),
);
