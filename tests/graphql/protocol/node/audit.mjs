// Runs graphql-http's server audits: node audit.mjs URL [Header: value]...
// Prints a summary as JSON; exits with 1 if a MUST or SHOULD audit fails.
import { serverAudits } from "graphql-http";

const [url, ...given] = process.argv.slice(2);
const extra = Object.fromEntries(given.map((line) => line.split(/:\s*/, 2)));
const fetchFn = (address, init = {}) =>
  fetch(address, { ...init, headers: { ...init.headers, ...extra } });

const report = { total: 0, ok: 0, must: [], should: [], may: [] };
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  report.total += 1;
  if (result.status === "ok") {
    report.ok += 1;
    continue;
  }
  const level = audit.name.split(" ")[0].toLowerCase();
  report[level].push(`${audit.id} ${audit.name}: ${result.reason}`);
}
console.log(JSON.stringify(report, null, 2));
process.exit(report.must.length + report.should.length ? 1 : 0);
