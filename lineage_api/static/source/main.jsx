import 'graphiql/setup-workers/vite'
import { explorerPlugin } from '@graphiql/plugin-explorer'
import { HISTORY_PLUGIN } from '@graphiql/plugin-history'
import { createGraphiQLFetcher } from '@graphiql/toolkit'
import { GraphiQL } from 'graphiql'
import { createRoot } from 'react-dom/client'
import { AskedOperation, tabs } from './asked'
import { storage } from './storage'
import '@graphiql/react/style.css'
import '@graphiql/plugin-doc-explorer/style.css'
import '@graphiql/plugin-history/style.css'
import 'graphiql/graphiql.css'
import '@graphiql/plugin-explorer/style.css'
import './style.css'

// One address for everything: a GET is this page, a POST the API, a websocket the subscriptions.
const http = new URL(window.location.pathname, window.location.origin)
const websocket = new URL(http)
websocket.protocol = http.protocol.replace('http', 'ws')

const fetcher = createGraphiQLFetcher({ url: http.href, subscriptionUrl: websocket.href })

// The documentation is not among the plugins: GraphiQL adds it itself, and twice is a blank page.
createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    {...tabs}
    fetcher={fetcher}
    plugins={[HISTORY_PLUGIN, explorerPlugin()]}
    shouldPersistHeaders={false}
    storage={storage}
  >
    <GraphiQL.Logo>lineage_api</GraphiQL.Logo>
    <AskedOperation />
  </GraphiQL>,
)
