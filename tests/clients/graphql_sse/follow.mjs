// Says each answer to a subscription in a line, so many of them. However a stream ends, unless it is complete,
// graphql-sse connects again, and goes on after the last event.
import { createClient } from "graphql-sse";

const [url, query, after, count] = process.argv.slice(2);
const client = createClient({
  url,
  retryAttempts: 1000,
  retry: () => new Promise((resolve) => setTimeout(resolve, 50)),
});
const variables = { after };

let told = 0;
for await (const answer of client.iterate({ query, variables })) {
  console.log(JSON.stringify(answer));
  variables.after = answer.data?.registryEvents?.id;
  if (++told == count) break;
}
client.dispose();
