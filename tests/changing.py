"""A client that changes things: each change is made once, and what it answers is the whole payload."""

from typing import Any

import httpx

ERRORS = """errors {
    __typename message path
    ... on ConflictError { current { label } } ... on UnsafeError { checks { name status detail } }
}"""


class Changer:
    """Makes changes over HTTP, in the process."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def answer(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to any document."""
        response = await self._http.post("/graphql", json={"query": document, "variables": variables})
        return response.json()  # type: ignore[no-any-return]

    async def payload(self, mutation: str, selected: str, **given: Any) -> dict[str, Any]:
        """The payload of a mutation for this input, with its errors."""
        type_ = mutation[0].upper() + mutation[1:]
        document = f"mutation ($input: {type_}Input!) {{ {mutation}(input: $input) {{ {selected} {ERRORS} }} }}"
        answer = await self.answer(document, input=given)
        assert "errors" not in answer, answer["errors"]
        return answer["data"][mutation]  # type: ignore[no-any-return]

    async def change(self, mutation: str, selected: str = "events { kind }", **given: Any) -> dict[str, Any]:
        """The payload of a change that is made."""
        payload = await self.payload(mutation, selected, **given)
        assert payload.pop("errors") == []
        return payload

    async def refused(self, mutation: str, **given: Any) -> list[dict[str, Any]]:
        """Why a change is refused."""
        errors: list[dict[str, Any]] = (await self.payload(mutation, "events { kind }", **given))["errors"]
        assert errors
        return errors
