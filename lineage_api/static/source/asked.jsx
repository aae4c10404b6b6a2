import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react'
import { useEffect, useRef } from 'react'
import lineage from './examples/lineage.graphql?raw'
import rollBackNow from './examples/roll_back_now.graphql?raw'
import compareCandidates from './examples/compare_candidates.graphql?raw'
import whoReadThisData from './examples/who_read_this_data.graphql?raw'
import whatHappens from './examples/what_happens.graphql?raw'

const EXAMPLES = [lineage, rollBackNow, compareCandidates, whoReadThisData, whatHappens]

const asked = new URLSearchParams(window.location.search)

/** What the tabs hold: the query in the address, or else, on a first visit, the examples. */
export const tabs = asked.has('query')
  ? // Variables that are not in the address are none, rather than those of the last visit.
    { initialQuery: asked.get('query'), initialVariables: asked.get('variables') ?? '' }
  : { defaultTabs: EXAMPLES.map((query) => ({ query })) }

/**
 * Chooses the operation that the address names, once, by putting the cursor on it: that is the one Ctrl-Enter runs.
 * GraphiQL's own `operationName` would be sent from every tab.
 */
export function AskedOperation() {
  const { setOperationName } = useGraphiQLActions()
  const { queryEditor, operations } = useGraphiQL(pick('queryEditor', 'operations'))
  const isChosen = useRef(!asked.has('query'))
  const operation = operations?.find(({ name }) => name?.value === asked.get('operationName'))

  useEffect(() => {
    if (isChosen.current || !queryEditor || !operation) return
    isChosen.current = true
    setOperationName(operation.name.value)
    const position = queryEditor.getModel().getPositionAt(operation.loc.start)
    queryEditor.setPosition(position)
    queryEditor.revealPositionNearTop(position)
  }, [queryEditor, operation, setOperationName])

  return null
}
