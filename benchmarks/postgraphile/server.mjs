// `DATABASE_URL=… node server.mjs PORT`
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { grafserv } from "postgraphile/grafserv/node";
import preset from "./graphile.config.mjs";

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.keepAliveTimeout = 0; // other servers have their turns in between
server.listen(Number(process.argv[2]), "127.0.0.1");
