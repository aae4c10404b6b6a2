// Says each answer to a subscription in a line, so many of them. Whatever closes a connection, graphql-ws connects
// again, and goes on after the last event.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [address, query, after, count] = process.argv.slice(2);
const client = createClient({
  url: address.replace("http", "ws"),
  webSocketImpl: WebSocket,
  retryAttempts: 1000,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  shouldRetry: () => true, // also while no server is there
  on: { closed: ({ code, reason }) => console.error(code, reason) },
});
const variables = { after };

let told = 0;
for await (const answer of client.iterate({ query, variables })) {
  console.log(JSON.stringify(answer));
  variables.after = answer.data?.registryEvents?.id;
  if (++told == count) break;
}
await client.dispose();
