"""Documents: parsed and validated once, and kept while they are used."""

import gc
from collections import OrderedDict
from collections.abc import Sequence
from sys import getsizeof

from graphql import DocumentNode, GraphQLError, GraphQLSchema, Node, parse, validate
from graphql.language.source import Source
from graphql.validation.rules import overlapping_fields_can_be_merged as merging
from graphql.validation.validate import ValidationAbortedError

from lineage_api.api.limits import Limits
from lineage_api.api.measuring import measured
from lineage_api.errors import LineageError, TooMuch

MAX_DOCUMENTS = 1_000
MAX_KEPT_BYTES = 12 * 2**20
"""How much memory what is kept may take, about; what was used least recently goes first."""
_DOCUMENT_BYTES, _NODE_BYTES = 3_000, 270
"""How much a document takes besides its text, and for each of its nodes: measured, whatever was asked, to a tenth."""

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"

MAX_VALIDATION_STEPS = 20_000
"""How much work it may be to see whether fields can be merged, as graphql-core counts it: some 60 ms at most."""


class NotValid(Exception):
    """A document that is not executed, with the errors that say why."""

    def __init__(self, code: str, errors: Sequence[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


class Documents:
    """The documents that clients send, most of which they send again and again."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._known: OrderedDict[str, tuple[DocumentNode, int]] = OrderedDict()
        """By their texts, each with the bytes that it takes."""
        self._bytes = 0

    def knows(self, text: str) -> bool:
        """Whether a document is there already; it takes milliseconds to read another one."""
        return text in self._known

    def document(self, text: str) -> DocumentNode:
        """A valid document; raises NotValid for one that is not."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known[0]
        try:
            document = self._parsed(text)
            nodes = _forget_tokens(document)
            self._require_small(document)
            self._require_valid(document)
        finally:
            # To parse and to validate leaves thousands of objects that refer to each other, and to the document.
            gc.collect(0)
        self._keep(text, document, _DOCUMENT_BYTES + nodes * _NODE_BYTES + getsizeof(text))
        return document

    def _require_small(self, document: DocumentNode) -> None:
        try:
            measured(document).require_within(self._limits)
        except TooMuch as refusal:
            raise refused(refusal) from None

    def _parsed(self, text: str) -> DocumentNode:
        limits, length = self._limits, len(text.encode(errors="surrogatepass"))
        if length > limits.max_document_bytes:
            message = f"The document has {length} bytes, at most {limits.max_document_bytes} are answered."
            raise NotValid(PARSE_FAILED, [GraphQLError(message)])
        try:
            tokens, comments = limits.max_document_tokens, limits.max_comments
            return parse(Source(text, "query"), max_lexical_tokens=tokens, max_comments=comments)
        except GraphQLError as error:
            raise NotValid(PARSE_FAILED, [error.with_traceback(None)]) from None  # it would keep the parser

    def _require_valid(self, document: DocumentNode) -> None:
        merging.MAX_COMPLEXITY_BUDGET = MAX_VALIDATION_STEPS  # graphql-core has no other way to say it
        try:
            errors = validate(self._schema, document)
        except RecursionError:
            errors = [GraphQLError("This is nested too deeply.")]
        if any(isinstance(error, ValidationAbortedError) for error in errors) and len(errors) == 1:
            raise refused(TooMuch(f"To validate this takes over {MAX_VALIDATION_STEPS} steps; ask for less at once."))
        if errors:
            raise NotValid(VALIDATION_FAILED, list(map(_told, errors)))

    def _keep(self, text: str, document: DocumentNode, size_bytes: int) -> None:
        self._known[text] = document, size_bytes
        self._bytes += size_bytes
        while len(self._known) > MAX_DOCUMENTS or self._bytes > MAX_KEPT_BYTES:
            _, (_, its_bytes) = self._known.popitem(last=False)
            self._bytes -= its_bytes


def _forget_tokens(document: DocumentNode) -> int:
    """Lets go of the tokens, and tells how many nodes there are: errors tell places by their numbers.

    They are a third of a document's memory; and as each knows those before and after it, all would be kept of a
    document that is refused, until the garbage is collected.
    """
    token = document.loc.start_token if document.loc else None
    while token is not None:
        token.prev, token = None, token.next
    nodes = 0
    waiting: list[Node] = [document]
    while waiting:
        node = waiting.pop()
        nodes += 1
        if node.loc is not None:
            del node.loc.start_token, node.loc.end_token
        for key in node.keys:
            value = getattr(node, key, None)
            waiting.extend(part for part in (value if isinstance(value, tuple) else [value]) if isinstance(part, Node))
    return nodes


def _told(error: GraphQLError) -> GraphQLError:
    """An error as it is told; without Python's words where Python could not read a value, as of thousands of digits."""
    if isinstance(error.original_error, GraphQLError | None):
        return error
    return GraphQLError("This value cannot be read.", error.nodes)


def refused(refusal: LineageError) -> NotValid:
    """A refusal of a whole request, before anything of it is executed."""
    return NotValid(refusal.code, [GraphQLError(str(refusal), original_error=refusal)])
