"""What is told of an event where nobody says what he wants to know: in webhooks, and by `lineage-api watch`."""

from typing import Any

import orjson

from lineage_api.access.callers import Caller
from lineage_api.access.roles import Role
from lineage_api.api.executor import Executor, Question
from lineage_api.graph.identity import encoded

FACTS = """
fragment Facts on RegistryEvent {
  id kind occurredAt origin actor reason modelName version fromStage toStage
  alias previousVersion key value previousValue previousName
  cause { id kind }
  modelVersion {
    stage aliases description artifactUri source registeredBy
    run { runId name }
    loggedModel { modelId name }
  }
}"""
"""The event, and the key facts of its version as it is now."""

_QUERY = "query Event($id: ID!) { node(id: $id) { ... on RegistryEvent { ...Facts } } }" + FACTS


_EVERYBODY = Caller(None, Role.READER)
"""Whoever it is sent to: nobody knows what they may know."""


class EventFacts:
    """Asks for what is told of an event."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def of(self, event: int) -> dict[str, Any] | None:
        """The facts of the event of a number; None when there is none."""
        question = Question(_QUERY, {"id": encoded("RegistryEvent", event)}, caller=_EVERYBODY)
        [answer] = [orjson.loads(each.json) async for each in self._executor.answers(question)]
        if "errors" in answer:
            raise RuntimeError(f"An event cannot be told of: {answer['errors'][0]['message']}")
        facts: dict[str, Any] | None = answer["data"]["node"]
        return facts
