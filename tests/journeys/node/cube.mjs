// What Cube's own client makes of an installation: node cube.mjs URL KEY
import cubejs from "@cubejs-client/core";

const [url, key] = process.argv.slice(2);
const cube = (cubejs.default ?? cubejs)(key, { apiUrl: `${url}/v2` });
const byCity = {
  measures: ["orders.revenue", "orders.count"],
  dimensions: ["customers.city"],
  order: { "customers.city": "asc" },
};
const [rows, meta, sql, dryRun] = await Promise.all([
  cube.load(byCity),
  cube.meta(),
  cube.sql(byCity),
  cube.dryRun(byCity),
]);
const broken = await cube.load({ measures: ["orders.nothing"] }).catch((error) => error.message);
console.log(
  JSON.stringify({
    table: rows.tablePivot(),
    series: rows.seriesNames().map((one) => one.title),
    cubes: meta.cubes.map((one) => one.name),
    sql: sql.sql(),
    kind: dryRun.queryType,
    broken,
  }),
);
