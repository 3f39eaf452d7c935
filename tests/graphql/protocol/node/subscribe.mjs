// Runs one operation: node subscribe.mjs ws|sse URL QUERY [TOKEN]
// Prints every result as one line of JSON; exits with 1 on an error.
import { createClient as createEventsClient } from "graphql-sse";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [way, url, query, token] = process.argv.slice(2);
const client =
  way === "ws"
    ? createClient({
        url: url.replace(/^http/, "ws"),
        webSocketImpl: WebSocket,
        connectionParams: token ? { authorization: token } : undefined,
        retryAttempts: 0,
      })
    : createEventsClient({
        url,
        headers: token ? { authorization: `Bearer ${token}` } : undefined,
        retryAttempts: 0,
      });

try {
  for await (const result of client.iterate({ query })) {
    console.log(JSON.stringify(result));
  }
} catch (error) {
  console.error(error.code ?? "", error.reason ?? "", JSON.stringify(error), String(error));
  process.exitCode = 1;
} finally {
  await client.dispose();
}
