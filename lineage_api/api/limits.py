"""What one request may ask for: all limits in one list, which clients can read too."""

from lineage_api.config import Settings
from lineage_api.engine.nouns import noun
from lineage_api.errors import TooMuch
from lineage_api.graph.scalars import BigInt

MOST_TOLD = 10**9
"""A number beyond it is not told exactly: fragments in fragments make numbers with a hundred digits."""


@noun
class Limits:
    """What one request may ask for; whatever is over a limit is refused as a whole, before anything is executed."""

    max_body_bytes: BigInt
    """How long the body of a request by HTTP may be."""
    max_document_bytes: BigInt
    """How long a document may be."""
    max_document_tokens: int
    """How many tokens a document may have, comments apart."""
    max_comments: int
    """How many comments a document may have."""
    max_operations: int
    """How many operations a document may have."""
    max_variables: int
    """How many variables an operation may declare."""
    max_list_items: int
    """How many items a list in an argument or a variable may have."""
    max_input_objects: int
    """How many objects, such as filters and their conditions, the arguments of an operation may have in all: those in
    variables as often as these are used, and for each 10 characters of a `matching` one more."""
    max_input_depth: int
    """How deep such objects may stand in each other."""
    max_depth: int
    """How deep fields may stand below each other, those at the root and those of introspection included."""
    max_root_fields: int
    """How many fields an operation may select at its root."""
    max_aliases: int
    """How many fields with an alias an operation may select, each as often as fragments repeat it."""
    max_fields: int
    """How many fields an operation may select, each as often as fragments repeat it."""
    max_directives: int
    """How many directives an operation may have, each as often as fragments repeat it."""
    max_page: int
    """How many items a page may have, where the argument does not say otherwise."""
    max_cost: BigInt
    """How many objects an operation may ask for: those of pages within pages, multiplied, and those that fields lead
    to. Lists without pages count nothing. `extensions.cost` of an answer says how many it asked for, and got."""
    max_rows: BigInt
    """How many values the lists without pages in an answer may have in all; those beyond are errors in their place."""
    max_answer_bytes: BigInt
    """How long an answer may be, before it is compressed."""
    time_limit_s: float
    """How long an operation may take, in seconds, once it runs; and how long it may wait until then."""
    max_running: int
    """How many queries run at the same time; changes have half as many, queries that take over a second a quarter."""
    max_waiting: int
    """How many queries, and how many changes, may wait for a place; others are refused with OVERLOADED."""
    max_websockets: int
    """How many WebSockets may be open at the same time."""


def limits_of(settings: Settings) -> Limits:
    """Those that are set."""
    return Limits(**{name: getattr(settings, name) for name in Limits.__annotations__})


def as_set(limits: Limits) -> list[Limits]:
    """The values of the root field that tells clients of them."""
    return [limits]


def require_within(what: str, number: int, most: int) -> None:
    """Raises TooMuch with both numbers where one is over a limit."""
    if number > most:
        told = str(number) if number <= MOST_TOLD else f"over {MOST_TOLD}"
        raise TooMuch(f"Too much is asked for at once: {what} {told}, at most {most} are answered.")
