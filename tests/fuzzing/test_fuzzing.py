"""A short run of what `python -m tests.fuzzing` does at length, and that it finds what it looks for."""

import json
import re

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from lineage_api.access.roles import Role
from tests.fuzzing import bodies, checks, documents, schema
from tests.fuzzing.checks import Answer
from tests.fuzzing.target import Log, Target, target_here
from tests.serving import bare, served
from tests.test_cli import ROOT

SEED = 1
BODIES, OPERATIONS, OF_SCHEMA = 250, 15, 6


# The server's threads use it meanwhile, which hypothesis takes for ours.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
def test_random_requests(store, tmp_path):
    """None is answered by more than what is wrong with it, and the server has nothing to complain of."""
    with target_here(store, tmp_path) as target:
        outcome = bodies.fuzzed(target, BODIES, SEED, operations=OPERATIONS)
        # Schemathesis takes 60 ms to think of a request, whatever database is behind it.
        of_schema = schema.fuzzed(target, OF_SCHEMA if store.kind == "sqlite" else 1, SEED)

    assert (outcome.failures.kinds, of_schema.failures.kinds, target.log.complaints) == ({}, {}, [])
    assert outcome.statuses.total() >= BODIES
    assert {"101", "200", "400"} <= outcome.statuses.keys()
    assert of_schema.statuses["200 data"] >= 1


def refusing(message, status=400, code="BAD_USER_INPUT", **more):
    """An answer with one error."""
    body = {"errors": [{"message": message, "extensions": {"code": code, **more}}]}
    return Answer(status, {"content-type": "application/json; charset=utf-8"}, json.dumps(body).encode())


def plain(text, status=400, kind="text/plain"):
    """An answer that is not of GraphQL."""
    return Answer(status, {"content-type": kind}, text.encode())


@pytest.mark.parametrize(
    "answer",
    [
        refusing("There is no run 'x'."),
        refusing("Syntax Error: Unexpected <EOF>."),
        refusing("'NotFoundError' is no kind of ValueError."),
        plain("No server of this name is here."),
        plain("", 204, ""),
        Answer(200, {"content-type": "application/json"}, b'{"data": {"run": {"artifactUri": "/tmp/a.py"}}}'),
        Answer(200, {"content-type": "text/event-stream"}, b': \n\nevent: next\ndata: {"data": {"a": 1}}\n\n'),
    ],
    ids=lambda answer: answer.body.decode()[:60],
)
def test_clean_answers(answer):
    """There is nothing wrong with them; what somebody has sent may come back."""
    assert checks.faults(answer, "they sent: ValueError") == []


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (refusing("x", 500), "status 500"),
        (refusing("x", 503), "status 503"),
        (refusing("x", code="INTERNAL", id="f00"), "INTERNAL f00"),
        (refusing("x", code="NO_SUCH"), "an error of the code 'NO_SUCH'"),
        (refusing('Traceback (most recent call last):\n  File "x"'), "it tells of the inside"),
        (refusing("(sqlite3.OperationalError) near 'x'"), "it tells of the inside"),
        (refusing("psycopg.errors.UndefinedColumn"), "it tells of the inside"),
        (refusing("in SELECT name FROM runs"), "it tells of the inside"),
        (refusing("cannot open /work/main/mlflow.db"), "it tells of the inside"),
        (refusing("invalid literal: KeyError('x')"), "the name of a class: KeyError"),
        (plain("Internal Server Error", 500), "status 500"),
        (plain("ValueError: no"), "the name of a class: ValueError"),
        (plain("no JSON", 400, "application/json"), "the body is no JSON"),
        (plain("[]", 200, "application/json"), "the body is no answer of GraphQL"),
        (plain("x", 400, "image/png"), "a body of the type 'image/png'"),
        (plain("page", 400, "text/html"), "text/html with status 400"),
        (Answer(200, {"content-type": "application/json"}, b"\xff"), "the body is broken"),
        (Answer(200, {"content-type": "text/event-stream"}, b"data: {}\n\n"), "the body is no answer of GraphQL"),
        (
            plain('{"data": {"setTags": {"errors": [{"message": "/work/x"}]}}}', 200, "application/json"),
            "it tells of the inside",
        ),
    ],
)
def test_planted_faults(answer, fault):
    """Each is found."""
    found = checks.faults(answer, "what was sent")
    assert any(fault in each for each in found), found


def test_planted_faults_over_websockets():
    """The same in messages, and in the way in which the connection is closed."""
    internal = {"message": "x", "extensions": {"code": "INTERNAL", "id": "f00"}}
    message = {"type": "error", "id": "1", "payload": [internal]}
    assert list(checks.of_message(json.dumps(message).encode(), "")) == ["INTERNAL f00"]
    message = {"type": "next", "id": "1", "payload": {"data": None, "errors": [internal]}}
    assert list(checks.of_message(json.dumps(message).encode(), "")) == ["INTERNAL f00"]
    assert list(checks.of_message(b"{", "")) == ["a message that is no JSON"]
    assert list(checks.of_close(b"\x03\xf3", "")) == ["closed with 1011"]
    assert list(checks.of_close((4400).to_bytes(2, "big") + b"A message must be JSON.", "")) == []


async def leaking(scope, receive, send):
    """An app that answers whatever comes with what only it should know."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        await send({"type": "websocket.send", "text": '{"type": "error", "payload": [{"message": "KeyError"}]}'})
        await send({"type": "websocket.close", "code": 1011})
    elif scope["type"] == "http":
        await PlainTextResponse("Traceback (most recent call last):", 500)(scope, receive, send)


def test_a_server_that_leaks(capsys):
    """Each of its answers is found, and told so that it can be asked for again."""
    app = bare(Mount("", leaking))
    known = {"DateTime": ["2020-01-01T00:00:00Z"], "BigInt": [1], "JSON": [{}]}
    with served(app) as address:
        target = Target(address, Log(), known, dict.fromkeys(Role, "token"))
        outcome = bodies.fuzzed(target, 40, SEED, operations=1)

    assert outcome.failures.count >= 30
    told = " ".join(outcome.failures.kinds)
    assert "status 500" in told
    assert "the name of a class: KeyError" in told
    assert "closed with 1011" in told
    printed = capsys.readouterr().out
    assert re.search(rf"--- example \d+ of seed {SEED}: .*\nsent: b'POST /graphql HTTP/1.1", printed)


def test_documents():
    """The tests are run by their names, with as many examples and the seed that are given."""
    arguments, variables = documents.command(7, 3)

    names = [argument for argument in arguments if "::" in argument]
    assert names[0] == "tests/engine/test_oracle.py::test_queries"
    assert len(names) == len(documents.TESTS)
    assert all((ROOT / name.partition("::")[0]).is_file() for name in names)
    assert "--hypothesis-seed=3" in arguments
    assert variables["LINEAGE_API_EXAMPLES"] == "7"
