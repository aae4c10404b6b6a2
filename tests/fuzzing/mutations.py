"""Small changes to documents, JSON values, JSON texts and bytes, each of which makes something else of them."""

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.fuzzing import oddities

_GRAPHQL = re.compile(
    r'"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|[_A-Za-z]\w*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.{3}|#.*|\s+|.'
)
_JSON = re.compile(r'"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|\s+|.', re.DOTALL)
_PUNCTUATION = [*"!$&()[]{}:=@|,", "...", '"', '"""', "#", "\\"]
_BAD_BYTES = [
    b"\0",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xe2\x82",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\x1a",
]

Parts = list[str]


def document(chance: Random, text: str, names: Sequence[str]) -> str:
    """A document with a few of its tokens changed."""
    tokens = _GRAPHQL.findall(text)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        _changed(chance, tokens, lambda old: _graphql_token(chance, old, names), _graphql_parts)
    return "".join(tokens)


def literals(chance: Random, text: str) -> str:
    """A document in which a few of the numbers and texts are others, so that it may still be valid."""
    tokens = _GRAPHQL.findall(text)
    places = [place for place, token in enumerate(tokens) if token[0] in '"-0123456789']
    for place in chance.sample(places, min(len(places), chance.choice([1, 1, 2, 4]))):
        tokens[place] = _literal(chance, tokens[place])
    return "".join(tokens)


def _literal(chance: Random, old: str) -> str:
    if not old.startswith('"'):
        return repr(oddities.number(chance))
    known = oddities.opaque(chance, old.strip('"')) if chance.random() < 0.6 else None
    return json.dumps(oddities.text(chance) if known is None else known, ensure_ascii=chance.random() < 0.7)


def _graphql_token(chance: Random, old: str, names: Sequence[str]) -> str:
    """What may stand in the place of a token: mostly one of its kind."""
    if chance.random() < 0.15:
        return chance.choice(_PUNCTUATION)
    if old.startswith('"'):
        return _literal(chance, old)
    if old[0].isdigit() or old[0] == "-":
        return _digits(chance)
    if old.isidentifier():
        return chance.choice(names) + " "
    return chance.choice([*_PUNCTUATION, chance.choice(names), _digits(chance), json.dumps(oddities.text(chance))])


def _graphql_parts(chance: Random) -> str:
    """What makes a document large, deep or strange wherever it is put."""
    count = chance.choice([3, 50, oddities.NESTED_DEEPLY])
    pieces = [
        "[" * count, "{" * count, "[" * count + "]" * count, "{a:" * count + "1" + "}" * count,
        "{a" * count + "}" * count,
        "@include(if: true)" * count, "@skip(if: $x)", "@no(such: thing)", "# comment\n" * count, "a " * count, "$v",
        "...F",
        "... on Run { id }", "fragment F on Run { ...F }", "query A { a } " * min(count, 50),
        "...@include(if:null){id}",
        "\ufeff", "\0", "\ud800", "{ __schema { types { name fields { name } } } }", "a: id b: id" * min(count, 100),
        "!" * count, "subscription { registryEvents { id } }",
    ]  # fmt: skip
    return chance.choice(pieces)


def _digits(chance: Random) -> str:
    return chance.choice([repr(oddities.number(chance)), "9" * 5000, "1e999", "-0", "00", "1.", "0x1", "1_000", "-"])


def values(chance: Random, whole: Any) -> Any:
    """A JSON value in which one at some depth is another."""
    whole = json.loads(json.dumps(whole))
    for _ in range(chance.choice([1, 1, 2])):
        places = list(_places(whole))
        if not places:
            return oddities.value(chance)
        parent, key = chance.choice(places)
        _change_at(chance, parent, key)
    return whole


def _places(whole: Any) -> Any:
    pairs = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for key, part in pairs:
        yield whole, key
        yield from _places(part)


def _change_at(chance: Random, parent: Any, key: Any) -> None:
    old = parent[key]
    other = oddities.opaque(chance, old) if isinstance(old, str) and chance.random() < 0.5 else None
    kind = {str: oddities.text, int: oddities.number, float: oddities.number}.get(type(old), oddities.value)
    match chance.randrange(10):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[oddities.text(chance)] = parent.pop(key)
        case 2:
            parent[key] = [old]
        case 3 if isinstance(old, list):
            parent[key] = old * chance.choice([2, 101])
        case 4 | 5:
            parent[key] = oddities.value(chance)
        case _:
            parent[key] = kind(chance) if other is None else other


def json_text(chance: Random, text: str) -> str:
    """A JSON text with a few of its tokens changed."""
    tokens = _JSON.findall(text)
    for _ in range(chance.choice([1, 1, 2])):
        _changed(chance, tokens, lambda old: _json_token(chance, old), _json_parts)
    return "".join(tokens)


def _json_token(chance: Random, _: str) -> str:
    ascii_only = chance.random() < 0.7
    plain = json.dumps(oddities.value(chance), ensure_ascii=ascii_only)
    return chance.choice(
        [plain, plain, "9" * 5000, "1e400", "-1e400", "NaN", "Infinity", '"\\ud800"', '"\\u00', "'a'", "\\"]
    )


def _json_parts(chance: Random) -> str:
    count = chance.choice([3, 200, oddities.NESTED_DEEPLY])
    pieces = [
        "[" * count, "[" * count + "]" * count, '{"a":' * count + "1" + "}" * count, '"query":"{__typename}",',
        '"query":1,',
        '"variables":{},', '"variables":' + "[" * count + "]" * count + ",", '"operationName":"x",',
        '"extensions":{"a":1},',
        '"documentId":"x",', '"id":null,', ",", "]", "}", ":", "//", "/* */", "\ufeff", "\0", "," * count, " " * count,
    ]  # fmt: skip
    return chance.choice(pieces)


def _changed(chance: Random, tokens: Parts, other: Callable[[str], str], more: Callable[[Random], str]) -> None:
    """Changes one token where it stands."""
    if not tokens:
        tokens.append(more(chance))
        return
    place = chance.randrange(len(tokens))
    if tokens[place].isspace():
        place = (place + 1) % len(tokens)
    match chance.randrange(9):
        case 0:
            del tokens[place]
        case 1:
            tokens.insert(place, tokens[place])
        case 2:
            another = chance.randrange(len(tokens))
            tokens[place], tokens[another] = tokens[another], tokens[place]
        case 3:
            del tokens[place : place + chance.randrange(1, 12)]
        case 4:
            end = place + chance.randrange(1, 30)
            tokens[end:end] = tokens[place:end] * chance.choice([1, 1, 5, 60])
        case 5:
            tokens.insert(place, more(chance))
        case _:
            tokens[place] = other(tokens[place])


def raw(chance: Random, body: bytes) -> bytes:
    """Bytes with a few of them changed."""
    changed = bytearray(body)
    for _ in range(chance.choice([1, 1, 2, 5])):
        place = chance.randrange(len(changed) + 1)
        length = chance.choice([1, 1, 2, 8, 100])
        match chance.randrange(7):
            case 0 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
            case 1:
                del changed[place : place + length]
            case 2:
                del changed[place:]
            case 3:
                changed[place:place] = changed[place : place + length] * chance.choice([1, 2, 50])
            case 4:
                changed[place:place] = chance.randbytes(length)
            case _:
                changed[place:place] = chance.choice(_BAD_BYTES)
    return bytes(changed)
