// Shows promotions to Production, the latest on top: the last ten, then all others as they happen.
import { createClient } from "graphql-ws";

const FACTS = "id occurredAt modelName version reason";
const BEFORE = `{
  latest: registryEvents(first: 1) { nodes { id } }
  registryEvents(toStages: [PRODUCTION], first: 10) { nodes { ${FACTS} } }
}`;
const FOLLOW = `subscription ($after: ID) { registryEvents(after: $after, toStages: [PRODUCTION]) { ${FACTS} } }`;

const status = document.querySelector("[role=status]");
const list = document.querySelector("ol");
let silence;

const api = new URL(new URLSearchParams(location.search).get("api") ?? "/graphql", location.href);
const client = createClient({
  url: api.href.replace(/^http/, "ws"),
  retryAttempts: Infinity,
  shouldRetry: () => true, // also while there is no server
  retryWait: (retries) => pause(Math.min(500 * 2 ** retries, 30_000) * (0.5 + Math.random() / 2)),
  lazyCloseTimeout: 1_000, // ms, in which the subscription takes over the connection of the query
  connectionAckWaitTimeout: 10_000,
  keepAlive: 10_000, // a connection may be lost without anybody saying so
  on: {
    connected: () => (status.textContent = "connected"),
    closed: () => {
      clearTimeout(silence);
      status.textContent = "not connected";
    },
    ping: (isReceived) => isReceived || (silence = setTimeout(() => client.terminate(), 5_000)),
    pong: (isReceived) => isReceived && clearTimeout(silence),
  },
});

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function* answers(payload) {
  for await (const { data, errors } of client.iterate(payload)) {
    if (errors) throw errors;
    yield data;
  }
}

// Names and reasons are whatever somebody typed: as text they can do nothing.
function show({ occurredAt, modelName, version, reason }) {
  const item = document.createElement("li");
  item.textContent = `${new Date(occurredAt).toLocaleString()}: ${modelName} ${version}${reason ? ` (${reason})` : ""}`;
  list.prepend(item);
}

try {
  const variables = {}; // read whenever the subscription is made again
  for await (const { latest, registryEvents } of answers({ query: BEFORE })) {
    registryEvents.nodes.reverse().forEach(show);
    variables.after = latest.nodes[0]?.id;
  }
  for await (const { registryEvents } of answers({ query: FOLLOW, variables })) {
    show(registryEvents);
    variables.after = registryEvents.id;
  }
} catch (refusal) {
  status.textContent = `refused: ${JSON.stringify(refusal)}`;
  throw refusal;
}
