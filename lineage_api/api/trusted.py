"""Trusted documents: those that were known when a frontend was built, which it sends by their IDs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from graphql import DocumentNode, FieldNode, GraphQLError, OperationDefinitionNode, OperationType, parse

from lineage_api.errors import Unreadable, Unsuitable

_APOLLO = "apollo-persisted-query-manifest"


class TrustedDocuments:
    """The documents of a manifest, by their IDs; without one there are none, and any document is answered."""

    def __init__(
        self, documents: Mapping[str, str] | None = None, *, is_only: bool = False, may_introspect: bool = False
    ) -> None:
        """Where nothing but these is answered, the schema itself may still be asked for."""
        self._documents = documents or {}
        self._texts = frozenset(self._documents.values())
        self._is_only = is_only
        self._may_introspect = may_introspect

    def text(self, parameters: Mapping[str, Any]) -> Any:
        """The document of a request, by its ID where one is given; raises Unreadable where it is not to be answered."""
        id_ = _id(parameters)
        if id_ is not None:
            if id_ not in self._documents:
                raise Unreadable("There is no trusted document of this ID; is the manifest that of this release?")
            return self._documents[id_]
        query = parameters.get("query")
        if self._is_only and query not in self._texts and not (self._may_introspect and _is_introspection(query)):
            raise Unreadable("Only trusted documents are answered here: send `documentId`, the ID of one.")
        return query


def _id(parameters: Mapping[str, Any]) -> str | None:
    """The ID by which a document is asked for: as GraphQL over HTTP has it, as Relay does, or as Apollo does."""
    found = parameters.get("documentId", parameters.get("doc_id"))
    if found is None and not parameters.get("query"):
        extensions = parameters.get("extensions")
        persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
        found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if found is not None and not isinstance(found, str):
        raise Unreadable("`documentId` must be a text.")
    return found


def _is_introspection(query: Any) -> bool:
    """Whether a document asks for nothing but the schema."""
    if not isinstance(query, str) or ("__schema" not in query and "__type" not in query):
        return False
    try:
        document = parse(query, max_tokens=1_000, no_location=True)
    except (GraphQLError, RecursionError):
        return False
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return bool(operations) and all(_asks_for_the_schema(each) for each in operations)


def _asks_for_the_schema(operation: OperationDefinitionNode) -> bool:
    names = [node.name.value if isinstance(node, FieldNode) else "" for node in operation.selection_set.selections]
    return operation.operation is OperationType.QUERY and {*names} <= {"__schema", "__type", "__typename"}


def read(file: str) -> dict[str, str]:
    """The documents of a manifest, by ID: a JSON object of texts, as Relay and graphql-codegen write it, or Apollo's.

    Raises Unsuitable for a file that is none.
    """
    try:
        found = orjson.loads(Path(file).read_bytes())
    except OSError as error:
        raise Unsuitable(f"the trusted documents in {file} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise Unsuitable(f"the trusted documents in {file} are no JSON") from None
    documents = _of_apollo(found) if isinstance(found, dict) and found.get("format") == _APOLLO else found
    if not isinstance(documents, dict) or not all(isinstance(each, str) for each in documents.values()):
        raise Unsuitable(f"{file} is no manifest of documents: it must be an object of IDs and their documents")
    for id_, text in documents.items():
        _require_document(file, id_, text)
    return documents


def _of_apollo(manifest: Mapping[str, Any]) -> Any:
    operations = manifest.get("operations")
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        return None
    return {str(each.get("id")): each.get("body") for each in operations}


def _require_document(file: str, id_: str, text: str) -> None:
    try:
        document: DocumentNode = parse(text, no_location=True)
    except GraphQLError as error:
        raise Unsuitable(f"the document {id_!r} in {file} is no GraphQL: {error.message}") from None
    if not any(isinstance(node, OperationDefinitionNode) for node in document.definitions):
        raise Unsuitable(f"the document {id_!r} in {file} has no operation")
