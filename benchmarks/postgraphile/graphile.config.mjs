// As fast as PostGraphile comes: production mode, prepared statements, no explaining, plain lists instead of
// connections, no mutations, and as many connections as the server by hand has.
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

export default {
  extends: [PostGraphileAmberPreset],
  disablePlugins: ["PgIndexBehaviorsPlugin"], // it knows no indexes of views, and would leave their orders out
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      schemas: ["benchmark"],
      poolConfig: { max: 8 },
    }),
  ],
  schema: { defaultBehavior: "+list -connection -insert -update -delete" },
  grafserv: { graphqlPath: "/graphql", watch: false, websockets: false, graphiql: false },
  grafast: { explain: false },
};
