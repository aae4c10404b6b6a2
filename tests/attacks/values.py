"""Attacks by what is sent to fields and filters: variables, IDs, cursors, conditions, changes."""
# ruff: noqa: UP031 - the braces are those of GraphQL

import base64
import json
from collections.abc import Iterator
from typing import Any

from lineage_api.graph.identity import encoded
from tests.attacks.attack import (
    ANSWERED,
    NOT_PARSED,
    NOT_VALID,
    TOO_MUCH,
    WRONG,
    WRONG_FIELD,
    Attack,
    asked,
    either,
    request,
)

RUNS = "query($f:RunFilter){runs(filterBy:$f){totalCount}}"
PAGE = "query($after:String){runs(after:$after){nodes{id}}}"
IDS = "query($ids:[ID!]!){nodes(ids:$ids){id}}"
NODE = "query($id:ID!){node(id:$id){id}}"
EITHER = either(200, 400, codes="BAD_USER_INPUT TOO_COMPLEX")
"""It is refused as a whole, or by a field."""


def filtered(name: str, filter_by: Any, as_is_right: Any = EITHER) -> Attack:
    """A filter of runs, as a variable."""
    return asked(name, RUNS, as_is_right, {"f": filter_by}, sql=True)


def in_base64(text: str) -> str:
    """As IDs and cursors are written."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def variable() -> Iterator[Attack]:
    """Variables."""
    declared = " ".join(f"$v{n}:Int" for n in range(20_000))
    yield asked("20,000 variables", "query(%s){__typename}" % declared, NOT_PARSED)
    declared = " ".join(f"$v{n}:Int" for n in range(490))
    yield asked("490 variables", "query(%s){__typename}" % declared, TOO_MUCH)
    yield asked("two variables of a name", "query($a:Int $a:Int){runs(first:$a){totalCount}}", NOT_VALID)
    yield asked("a variable of no type", "query($a:Nothing){runs(first:$a){totalCount}}", NOT_VALID)
    yield asked("a variable of another type", "query($a:String){runs(first:$a){totalCount}}", NOT_VALID)
    yield asked("a variable that is not declared", "{runs(first:$a){totalCount}}", NOT_VALID)
    sized = "query($n:Int!){runs(first:$n){nodes{id}}}"
    yield asked("a variable that is missing", sized, WRONG, {})
    for name, value in {
        "null": None,
        "text": "1",
        "a list": [1],
        "an object": {"a": 1},
        "true": True,
        "a fraction": 1.5,
        "2 to the 31": 2**31,
        "2 to the 63": 2**63,
        "minus 2 to the 63": -(2**63),
    }.items():
        yield asked(f"a number that is {name}", sized, WRONG, {"n": value})
    digits = b'{"query":"%s","variables":{"n":%s}}'
    for count in (4_301, 100_000):
        body = digits % (sized.encode(), b"9" * count)
        yield Attack(f"a variable of {count:,} digits", request(body), WRONG)
    body = digits % (sized.encode(), b"1e400")
    yield Attack("a variable of 1e400", request(body), WRONG)
    yield asked("50,000 variables that nobody declared", "{__typename}", ANSWERED, {f"v{n}": n for n in range(50_000)})
    yield asked("a long variable that nobody declared", "{__typename}", ANSWERED, {"a": "a" * 1_000_000})
    yield asked("100,000 IDs", IDS, TOO_MUCH, {"ids": ["a"] * 100_000})
    yield asked("100 long IDs", IDS, ANSWERED, {"ids": ["a" * 9_000] * 100})
    for depth, is_right in ((10_000, WRONG), (900, EITHER), (150, EITHER)):
        nested = b'{"not":' * depth + b"{}" + b"}" * depth
        body = b'{"query":"%s","variables":{"f":%s}}' % (RUNS.encode(), nested)
        yield Attack(f"a variable, {depth:,} deep", request(body), is_right, reaches_sql=depth < 1_000)


def filters() -> Iterator[Attack]:
    """Conditions, each allowed, which together are too much."""
    some: list[Any] = [{"nameContains": f"{n}"} for n in range(100)]
    yield filtered("100 alternatives", {"or": some})
    yield filtered("10,000 alternatives", {"or": [{"or": some}] * 100})
    texts = [{"key": f"{n}", "eq": "1", "in": ["a"] * 100} for n in range(100)]
    yield filtered("100 conditions on parameters", {"params": texts})
    plain = [{"key": f"{n}", "eq": "1"} for n in range(100)]
    twenty = " ".join(f"a{n}:runs(filterBy:$f){{totalCount}}" for n in range(20))
    query = "query($f:RunFilter){%s}" % twenty
    yield asked("100 conditions on parameters, 20 times", query, EITHER, {"f": {"params": plain}}, sql=True)
    yield filtered("5,000 conditions on parameters", {"or": [{"params": plain}] * 50})
    several = {"params": plain[:30], "tags": plain[:30], "metrics": [{"key": f"{n}", "gt": n} for n in range(30)]}
    yield filtered("90 alternatives of 90 conditions", {"or": [several] * 90})
    deep: Any = several
    for _ in range(40):
        deep = {"not": {"or": [deep, deep]}} if len(json.dumps(deep)) < 300_000 else {"not": deep}
    yield filtered("conditions that double", deep)
    yield filtered("a name with 900,000 letters", {"nameContains": "a" * 900_000})
    yield filtered("a name with 100,000 signs of LIKE", {"nameContains": "%_" * 50_000})
    yield filtered("a commit with signs of LIKE", {"commit": "%" * 40})
    yield filtered("a text that ends a statement", {"nameContains": "'; DROP TABLE runs; --"}, ANSWERED)
    yield filtered("NUL in a filter", {"nameContains": "a\0"}, either(200, 400, codes="BAD_USER_INPUT"))
    yield filtered("experiments that are no numbers", {"experimentIds": ["x", "1 OR 1=1", "9" * 50, "-1", "٣"]}, EITHER)


def searches() -> Iterator[Attack]:
    """Expressions in MLflow's search syntax."""
    for count in (50, 1_000, 10_000):
        text = " and ".join(f"metrics.m{n} < {n}" for n in range(count))
        yield filtered(f"an expression of {count:,} parts", {"matching": text})
    some = {"matching": " and ".join(["params.a = 'b'"] * 30)}
    twenty = " ".join(f"a{n}:runs(filterBy:$f){{totalCount}}" for n in range(20))
    query = "query($f:RunFilter){%s}" % twenty
    yield asked("an expression of 30 parts, 20 times", query, EITHER, {"f": some}, sql=True)
    yield filtered("100 expressions of 30 parts", {"or": [some] * 100})
    long = "params.a = '%s'" % ("a" * 5_000)
    yield filtered("20 times 5,000 letters in expressions", {"or": [{"matching": long}] * 20})
    yield filtered("a pattern that goes back and forth", {"matching": "params.a LIKE '%s'" % ("%a" * 200 + "%b")})
    yield filtered("a pattern of 60,000 signs", {"matching": "params.a LIKE '%s'" % ("%_" * 30_000)})
    yield filtered("a pattern for tags", {"matching": "tags.`mlflow.runName` ILIKE '%s'" % ("%a" * 500 + "%b")})
    yield filtered("10,000 brackets", {"matching": "(" * 10_000 + ")" * 10_000})
    yield filtered("900 brackets around a list", {"matching": "run_id IN " + "(" * 900 + "'a'" + ")" * 900})
    yield filtered("10,000 quotes", {"matching": "'" * 10_001})
    yield filtered("a list of 20,000", {"matching": "run_id IN (%s)" % ",".join(["'a'"] * 20_000)})
    yield filtered("500,000 spaces", {"matching": "metrics.a" + " " * 500_000 + "< 1"})
    yield filtered("comments without end", {"matching": "/*" * 50_000})
    yield filtered("an expression that is a statement", {"matching": "params.a = 'b'; DROP TABLE runs"})
    yield filtered("an expression that is a union", {"matching": "metrics.a < 1 UNION SELECT value FROM params"})
    yield filtered("an expression that calls code", {"matching": "metrics.__class__.__mro__ < 1"})
    yield filtered("a number of 5,000 digits", {"matching": "metrics.a < " + "9" * 5_000})


def named() -> Iterator[Attack]:
    """IDs and cursors that are none, or those of something else."""
    for name, id_ in {
        "garbage": "!!!",
        "empty": "",
        "of another noun's key": encoded("Run", 1, 2, 3),
        "of no noun": encoded("__Schema", "a"),
        "of Python": encoded("object.__subclasses__", "a"),
        "of a number beyond all": encoded("RegistryEvent", 2**63),
        "of a list that is deep": in_base64("[" * 5_000 + "]" * 5_000),
        "of a text with NUL": encoded("Run", "a\0"),
        "of a half character": in_base64('["Run","\\ud800"]'),
        "of a statement": encoded("Run", "' OR '1'='1"),
        "of an infinite number": in_base64('["Run",1e999]'),
        "of an object": in_base64('{"a":1}'),
        "of 700,000 characters": "W" * 700_000,
        "of no ASCII": "é" * 100,
    }.items():
        yield asked(f"an ID that is {name}", NODE, ANSWERED, {"id": id_}, sql=True)
    for name, cursor in {
        "garbage": "!!!",
        "empty": "",
        "another list's": in_base64('["name","a"]'),
        "an ID": encoded("Run", "a"),
        "too short": in_base64("[]"),
        "too long": in_base64(json.dumps([1] * 100_000)),
        "deep": in_base64("[" * 5_000 + "]" * 5_000),
        "of wrong types": in_base64('[{"a":1},[2]]'),
        "of great numbers": in_base64("[1e308,99999999999999999999]"),
        "of a text with NUL": in_base64('["a\\u0000","b\\u0000"]'),
        "of a statement": in_base64('["1); DROP TABLE runs;--","a"]'),
        "of 700,000 characters": "W" * 700_000,
    }.items():
        yield asked(f"a cursor that is {name}", PAGE, WRONG_FIELD, {"after": cursor}, sql=True)


def changes() -> Iterator[Attack]:
    """Changes that cannot be made; why is in the payload, and no error of GraphQL."""
    create = "mutation($i:CreateRegisteredModelInput!){createRegisteredModel(input:$i){errors{message}}}"
    tags = "mutation($i:SetTagsInput!){setTags(input:$i){errors{message}}}"
    register = "mutation($i:RegisterModelVersionInput!){registerModelVersion(input:$i){errors{message}}}"
    for name, given in {
        "an empty name": {"name": ""},
        "a name of 900,000 letters": {"name": "a" * 900_000},
        "a name with NUL": {"name": "a\0"},
        "a name that is a path": {"name": "../../etc"},
        "a name of a statement": {"name": "'; DROP TABLE registered_models; --/:"},
        "a description of 900,000 letters": {"name": "a/b", "description": "a" * 900_000},
        "a key of 100,000 letters": {"name": "a/b", "idempotencyKey": "a" * 100_000},
    }.items():
        yield asked(f"a model with {name}", create, ANSWERED, {"i": given}, sql=True)
    pairs = [{"key": f"k{n}", "value": "v"} for n in range(101)]
    yield asked("101 tags", tags, TOO_MUCH, {"i": {"id": encoded("RegisteredModel", "a"), "tags": pairs}})
    for source in ("file:///etc/passwd", "http://169.254.169.254/latest", "s3://b/../../x", "models:/" + "a/" * 5_000):
        given = {"model": "attacked", "source": source}
        yield asked(f"a version from {source[:30]}", register, ANSWERED, {"i": given}, sql=True)
    many = "mutation{%s}" % " ".join(
        f'a{n}:createRegisteredModel(input:{{name:"a/{n}"}}){{errors{{message}}}}' for n in range(21)
    )
    yield asked("21 changes", many, TOO_MUCH)


def all_of_them() -> Iterator[Attack]:
    """All of these kinds."""
    for kind in (variable, filters, searches, named, changes):
        yield from kind()
