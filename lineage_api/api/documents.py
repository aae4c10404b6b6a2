"""Documents: parsed and validated once, and kept while they are used."""

from collections import OrderedDict
from collections.abc import Sequence

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate
from graphql.language.source import Source

MAX_DOCUMENTS = 1_000
MAX_KEPT_CHARACTERS = 2**20
"""How much text is kept, parsed to a hundred times its size; what was used least recently goes first."""

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"


class NotValid(Exception):
    """A document that is not executed, with the errors that say why."""

    def __init__(self, code: str, errors: Sequence[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


class Documents:
    """The documents that clients send, most of which they send again and again."""

    def __init__(self, schema: GraphQLSchema, max_tokens: int) -> None:
        self._schema = schema
        self._max_tokens = max_tokens
        self._known: OrderedDict[str, DocumentNode] = OrderedDict()
        self._characters = 0

    def document(self, text: str) -> DocumentNode:
        """A valid document; raises NotValid for one that is not."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        document = self._checked(text)
        self._keep(text, document)
        return document

    def _checked(self, text: str) -> DocumentNode:
        try:
            document = parse(Source(text, "query"), max_tokens=self._max_tokens)
        except GraphQLError as error:
            raise NotValid(PARSE_FAILED, [error]) from None
        if errors := validate(self._schema, document):
            raise NotValid(VALIDATION_FAILED, errors)
        return document

    def _keep(self, text: str, document: DocumentNode) -> None:
        self._known[text] = document
        self._characters += len(text)
        while len(self._known) > MAX_DOCUMENTS or self._characters > MAX_KEPT_CHARACTERS:
            gone, _ = self._known.popitem(last=False)
            self._characters -= len(gone)
