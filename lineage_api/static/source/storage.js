import { createLocalStorage } from '@graphiql/toolkit'

/**
 * What GraphiQL remembers in this browser. Headers are not among it, as they carry tokens: with `shouldPersistHeaders`
 * off GraphiQL leaves them out of the tabs, but its history and favourites would still keep them.
 */
export const storage = createLocalStorage({ namespace: 'lineage_api' })

const REQUESTS = ['graphiql:queries', 'graphiql:favorites']
const remember = storage.setItem

storage.setItem = (key, value) => remember(key, REQUESTS.includes(key) ? withoutHeaders(value) : value)

function withoutHeaders(json) {
  return JSON.stringify(JSON.parse(json), (key, value) => (key === 'headers' ? undefined : value))
}
