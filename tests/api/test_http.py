"""GraphQL over HTTP: what may be sent, and what comes back."""

import json
import logging
import sys
from urllib.parse import quote, urlencode

import httpx
import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.asking import without_cost
from tests.serving import served

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

QUERY = '{ experiment(name: "flights") { name } }'
ANSWER = {"data": {"experiment": {"name": "flights"}}}
NAMED = "query Named($name: String!) { experiment(name: $name) { name } } query Other { __typename }"
COUNTED = "query ($first: Int! = 1) { experiments(first: $first) { totalCount } }"


def whole(answer):
    """All that a client sees of an answer, but for what is the same in each."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "accept"
    return answer.status_code, answer.headers["content-type"], without_cost(answer.json())


def refused(message, code="BAD_USER_INPUT", **more):
    """The body of an answer to what was not executed."""
    return {"errors": [{"message": message, **more, "extensions": {"code": code}}]}


async def test_a_query_by_post(http):
    """The question is JSON, and so is the answer."""
    answer = await http.post("/graphql", json={"query": QUERY})

    assert whole(answer) == (200, "application/json; charset=utf-8", ANSWER)


async def test_a_query_by_get(http):
    """The question is in the address, its variables as JSON."""
    parameters = {"query": NAMED, "variables": '{"name": "flights"}', "operationName": "Named", "extensions": "{}"}

    answer = await http.get("/graphql", params=parameters)

    assert whole(answer) == (200, "application/json; charset=utf-8", ANSWER)


async def test_one_of_several_operations(http):
    """The name says which of them is asked; an empty one is none."""
    named = await http.post("/graphql", json={"query": NAMED, "operationName": "Other"})
    only = await http.post("/graphql", json={"query": QUERY, "operationName": "", "variables": None})
    none = await http.post("/graphql", json={"query": NAMED})

    assert without_cost(named.json()) == {"data": {"__typename": "Query"}}
    assert without_cost(only.json()) == ANSWER
    assert none.json() == refused("Must provide operation name if query contains multiple operations.")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.5", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        ("Application/JSON", JSON),
        ("text/csv, */*;q=0.1", JSON),
        (f"{JSON}, text/html;q=0.1", JSON),
        (BROWSER, JSON),
    ],
)
async def test_what_the_answer_is_written_in(http, accept, kind):
    """What is liked best of what GraphQL can be written in; who takes anything gets JSON."""
    answer = await http.post("/graphql", json={"query": QUERY}, headers={"accept": accept})

    assert whole(answer) == (200, f"{kind}; charset=utf-8", ANSWER)


async def test_several_headers_that_accept(http):
    """They count as one."""
    answer = await http.post("/graphql", json={"query": QUERY}, headers=[("accept", "text/csv"), ("accept", GRAPHQL)])

    assert whole(answer) == (200, f"{GRAPHQL}; charset=utf-8", ANSWER)


@pytest.mark.parametrize("accept", ["text/html", "text/csv", "application/json;q=0", "multipart/mixed"])
async def test_an_answer_that_nobody_wants(http, accept):
    """Where nothing that can be written is accepted, the refusal says what could be."""
    answer = await http.post("/graphql", json={"query": QUERY}, headers={"accept": accept})

    assert whole(answer) == (
        406,
        "application/json; charset=utf-8",
        refused(f"The answer can be {GRAPHQL}, {JSON} or text/event-stream; `Accept` has none of them."),
    )


@pytest.mark.parametrize("accept", [BROWSER, "text/html", f"{JSON};q=0.9, text/html"])
async def test_a_browser_gets_the_page(http, accept):
    """GraphiQL, with a policy for what it may do, at the address at which programs are answered; nothing is run."""
    answer = await http.get("/graphql", params={"query": "no query"}, headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert answer.headers["vary"] == "accept"
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize("accept", [f"{JSON}, text/html;q=0.1", "*/*"])
async def test_a_program_that_also_takes_pages(http, accept):
    """It gets data when it likes data better, or when it does not say."""
    answer = await http.get("/graphql", params={"query": QUERY}, headers={"accept": accept})

    assert whole(answer) == (200, "application/json; charset=utf-8", ANSWER)


def test_head(small):
    """HEAD is as GET, but for the body."""
    with served(create_app(Settings(backend_store_uri=small.uri))) as address:
        data = httpx.head(f"{address}/graphql", params={"query": QUERY})
        got = httpx.get(f"{address}/graphql", params={"query": QUERY})
        page = httpx.head(f"{address}/graphql", headers={"accept": BROWSER})
        nothing = httpx.head(f"{address}/graphql")

    assert (data.status_code, data.headers["content-type"], data.content) == (200, f"{JSON}; charset=utf-8", b"")
    assert data.headers["content-length"] == str(len(got.content))
    assert (page.status_code, page.headers["content-type"], page.content) == (200, "text/html; charset=utf-8", b"")
    assert (nothing.status_code, nothing.content) == (400, b"")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_other_methods(http, method):
    """They are refused, with those that would be right."""
    answer = await http.request(method, "/graphql", json={"query": QUERY})

    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert whole(answer) == (
        405,
        "application/json; charset=utf-8",
        refused("GraphQL is asked by POST or GET."),
    )


async def test_nothing_is_changed_by_get(http):
    """Mutations are not made by GET, also when they would change nothing."""
    answer = await http.get("/graphql", params={"query": "mutation { __typename }"})

    assert answer.headers["allow"] == "POST"
    assert whole(answer) == (
        405,
        "application/json; charset=utf-8",
        refused("By GET only queries can be asked; use POST."),
    )


async def test_only_the_operation_that_is_asked_counts(http):
    """A query may be asked by GET from a document that has mutations too."""
    document = "query Q { __typename } mutation M { __typename }"

    asked = await http.get("/graphql", params={"query": document, "operationName": "Q"})
    other = await http.get("/graphql", params={"query": document, "operationName": "M"})
    neither = await http.get("/graphql", params={"query": document, "operationName": "N"})

    assert whole(asked) == (200, "application/json; charset=utf-8", {"data": {"__typename": "Query"}})
    assert other.status_code == 405
    assert neither.json() == refused("Unknown operation named 'N'.")


async def test_a_mutation_by_post(http):
    """It is executed."""
    answer = await http.post("/graphql", json={"query": "mutation { __typename }"})

    assert without_cost(answer.json()) == {"data": {"__typename": "Mutation"}}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, f"The body must be {JSON}."),
        ({"content-type": "text/plain"}, f"The body must be {JSON}."),
        ({"content-type": "application/x-www-form-urlencoded"}, f"The body must be {JSON}."),
        ({"content-type": "multipart/form-data; boundary=x"}, f"The body must be {JSON}."),
        ({"content-type": "application/graphql"}, f"The body must be {JSON}."),
        ({"content-type": f"{JSON}; charset=latin-1"}, "The body must be UTF-8."),
        ({"content-type": JSON, "content-encoding": "gzip"}, "The body must not be compressed."),
    ],
)
async def test_a_body_of_another_kind(http, headers, message):
    """Whoever sends a form, such as another site's page, is refused."""
    answer = await http.post("/graphql", content=json.dumps({"query": QUERY}), headers=headers)

    assert whole(answer) == (415, "application/json; charset=utf-8", refused(message))


@pytest.mark.parametrize(
    "kind", [JSON, "Application/Json;charset=UTF-8", f'{JSON}; charset="utf-8"', f"{JSON};charset=utf8"]
)
async def test_ways_to_say_json(http, kind):
    """The kind of the body is read as HTTP says, and `utf8` is forgiven."""
    answer = await http.post("/graphql", content=json.dumps({"query": QUERY}), headers={"content-type": kind})

    assert without_cost(answer.json()) == ANSWER


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body must be JSON."),
        (b"{", "The body must be JSON."),
        (b'{"query": "{ __typename }"', "The body must be JSON."),
        (b'{"query": NaN}', "The body must be JSON."),
        (b'{"query": "\xff"}', "The body must be JSON."),
        (b'{"query": "\\ud800"}', "The body must be JSON."),
        (b"[" * 5_000 + b"]" * 5_000, "The body must be JSON."),
        (b'{"query": "{ __typename }", "variables": {"n": 1e999}}', "The body must be JSON."),
        (b"null", "The body must be a JSON object with `query`; batches are not answered."),
        (b'"{ __typename }"', "The body must be a JSON object with `query`; batches are not answered."),
        (b'[{"query": "{ __typename }"}]', "The body must be a JSON object with `query`; batches are not answered."),
        (b"{}", "`query` must be a GraphQL document."),
        (b'{"query": null}', "`query` must be a GraphQL document."),
        (b'{"query": ""}', "`query` must be a GraphQL document."),
        (b'{"query": ["{ __typename }"]}', "`query` must be a GraphQL document."),
        (b'{"query": "{ __typename }", "variables": []}', "`variables` must be a JSON object."),
        (b'{"query": "{ __typename }", "variables": "{}"}', "`variables` must be a JSON object."),
        (b'{"query": "{ __typename }", "operationName": 7}', "`operationName` must be a text."),
        (b'{"query": "{ __typename }", "extensions": "none"}', "`extensions` must be a JSON object."),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("kind", [JSON, GRAPHQL])
async def test_a_malformed_body(http, body, message, kind):
    """Whatever cannot be a GraphQL request has the status 400, whichever way the answer is written."""
    answer = await http.post("/graphql", content=body, headers={"content-type": JSON, "accept": kind})

    assert whole(answer) == (400, f"{kind}; charset=utf-8", refused(message))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("", "`query` must be a GraphQL document."),
        ("query=", "`query` must be a GraphQL document."),
        (f"query={quote(QUERY)}&variables=%7B", "`variables` must be JSON."),
        (f"query={quote(QUERY)}&variables=[]", "`variables` must be a JSON object."),
        (f"query={quote(QUERY)}&extensions=7", "`extensions` must be a JSON object."),
        (f"query={quote(QUERY)}&extensions=nothing", "`extensions` must be JSON."),
    ],
)
async def test_a_malformed_address(http, parameters, message):
    """The same holds for a question that is in the address."""
    answer = await http.get(f"/graphql?{parameters}")

    assert whole(answer) == (400, "application/json; charset=utf-8", refused(message))


async def test_an_address_that_is_no_utf_8(http):
    """What is no text is no query either; it is read as characters that stand for none."""
    answer = await http.get("/graphql?query=%ff%fe{__typename}")

    assert answer.json() == refused(
        "Syntax Error: Unexpected character: U+FFFD.", "GRAPHQL_PARSE_FAILED", locations=[{"line": 1, "column": 1}]
    )


async def test_a_body_that_is_too_long(small):
    """The last length that passes, and the first that does not."""
    app = create_app(Settings(backend_store_uri=small.uri, max_body_bytes=100))
    body = json.dumps({"query": QUERY}).ljust(100).encode()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http,
    ):
        fits = await http.post("/graphql", content=body, headers={"content-type": JSON})
        longer = await http.post("/graphql", content=body + b" ", headers={"content-type": JSON})

    assert without_cost(fits.json()) == ANSWER
    assert whole(longer) == (
        413,
        "application/json; charset=utf-8",
        refused("The body must be of 100 bytes at most."),
    )


def test_a_body_that_never_ends(small):
    """It is read up to the limit and no further; a body that breaks off leaves no line in the log."""
    with served(create_app(Settings(backend_store_uri=small.uri))) as address:
        answer = httpx.post(
            f"{address}/graphql", content=(b" " * 2**16 for _ in range(17)), headers={"content-type": JSON}
        )

    assert whole(answer) == (
        413,
        "application/json; charset=utf-8",
        refused("The body must be of 1048576 bytes at most."),
    )


async def test_a_client_that_hangs_up(http, small, caplog):
    """A body that breaks off is nobody's defect: it leaves nothing in the log."""
    app = create_app(Settings(backend_store_uri=small.uri))
    parts = iter([{"type": "http.request", "body": b'{"que', "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(parts)

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await app(
        {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}, receive, send
    )

    assert sent[0]["status"] == 400
    assert caplog.records == []


INVALID = [
    pytest.param(
        {"query": "{ experiment("},
        refused(
            "Syntax Error: Expected Name, found <EOF>.", "GRAPHQL_PARSE_FAILED", locations=[{"line": 1, "column": 14}]
        ),
        id="syntax",
    ),
    pytest.param(
        {"query": "{ nothing }"},
        refused(
            "Cannot query field 'nothing' on type 'Query'.",
            "GRAPHQL_VALIDATION_FAILED",
            locations=[{"line": 1, "column": 3}],
        ),
        id="validation",
    ),
    pytest.param(
        {"query": COUNTED, "variables": {"first": "many"}},
        refused(
            "Variable '$first' got invalid value 'many'; Int cannot represent non-integer value: 'many'",
            locations=[{"line": 1, "column": 8}],
        ),
        id="variable",
    ),
    pytest.param(
        {"query": COUNTED, "variables": {"first": 2**31}},
        refused(
            "Variable '$first' got invalid value 2147483648;"
            " Int cannot represent non 32-bit signed integer value: 2147483648",
            locations=[{"line": 1, "column": 8}],
        ),
        id="a large number",
    ),
    pytest.param(
        {"query": COUNTED, "variables": {"first": None}},
        refused("Variable '$first' of non-null type 'Int!' must not be null.", locations=[{"line": 1, "column": 8}]),
        id="null",
    ),
    pytest.param({"query": NAMED, "operationName": "None"}, refused("Unknown operation named 'None'."), id="operation"),
]


@pytest.mark.parametrize(("kind", "status"), [(GRAPHQL, 400), (JSON, 200)])
@pytest.mark.parametrize(("question", "body"), INVALID)
async def test_what_is_not_executed(http, question, body, kind, status):
    """An answer without data; in JSON, which intermediaries may answer too, it is a success of HTTP."""
    answer = await http.post("/graphql", json=question, headers={"accept": kind})

    assert whole(answer) == (status, f"{kind}; charset=utf-8", body)


@pytest.mark.parametrize("kind", [GRAPHQL, JSON])
async def test_what_fails_while_it_is_executed(http, kind):
    """An answer with data, even if they are null; HTTP has no part in it."""
    answer = await http.post(
        "/graphql", json={"query": "{ experiments(first: 101) { totalCount } }"}, headers={"accept": kind}
    )

    error = {
        "message": "`first` must be between 1 and 100, not 101.",
        "locations": [{"line": 1, "column": 3}],
        "path": ["experiments"],
        "extensions": {"code": "BAD_USER_INPUT"},
    }
    assert whole(answer) == (200, f"{kind}; charset=utf-8", {"data": None, "errors": [error]})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{" * 4_000, "Syntax Error: Expected Name, found '{'."),
        ("{ a " * 400, "Syntax Error: Document is nested too deeply. Parsing aborted."),
        ("{" + " a" * 2_000 + "}", "Syntax Error: Document contains more than 2000 tokens. Parsing aborted."),
        ('{ experiment(name: "\\ud800") { name } }', "Syntax Error: Invalid Unicode escape sequence: '\\ud800'."),
    ],
    ids=["braces", "fields", "tokens", "surrogate"],
)
async def test_a_document_that_is_too_much(http, query, message):
    """It is refused before anything has been looked at in it."""
    answer = await http.post("/graphql", json={"query": query})

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["message"], error["extensions"]) == (
        200,
        message,
        {"code": "GRAPHQL_PARSE_FAILED"},
    )


async def test_as_many_tokens_as_may_be(http):
    """The last number of tokens that passes, and the first that does not."""
    lengths = [95] * 18 + [60]
    fields = " ".join(f"t{place}: nodes(ids: [{'7 ' * length}]) {{ id }}" for place, length in enumerate(lengths))

    fits = await http.post("/graphql", json={"query": f"{{ {fields} }}"})
    longer = await http.post("/graphql", json={"query": f"query {{ {fields} }}"})

    assert fits.json()["data"] == {f"t{place}": [None] * length for place, length in enumerate(lengths)}
    assert [error["extensions"] for error in longer.json()["errors"]] == [{"code": "GRAPHQL_PARSE_FAILED"}]


async def test_fragments_that_lead_to_themselves(http):
    """They are found before they are followed."""
    query = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"

    answer = await http.post("/graphql", json={"query": query})

    assert answer.json() == refused(
        "Cannot spread fragment 'A' within itself via 'B'.",
        "GRAPHQL_VALIDATION_FAILED",
        locations=[{"line": 1, "column": 32}, {"line": 1, "column": 61}],
    )


FILTERED = "query ($filter: RunFilter) { runs(filterBy: $filter) { totalCount } }"


@pytest.mark.parametrize("depth", [10, 150, 400])
async def test_variables_that_are_nested_too_deeply(http, caplog, depth):
    """Whoever nests without end is told so, and leaves no line in the log."""
    nested = {}
    for _ in range(depth):
        nested = {"not": nested}

    answer = await http.post("/graphql", json={"query": FILTERED, "variables": {"filter": nested}})

    message = f"Too much is asked for at once: depth of an input {depth + 1}, at most 10 are answered."
    assert answer.json()["errors"] == [{"message": message, "extensions": {"code": "TOO_COMPLEX"}}]
    assert caplog.records == []


async def test_texts_of_any_script(store, client):
    """What people write comes back as they wrote it, whichever way it is asked."""
    name = "Größe 航班 🛫 e\u0301 \u200f \\ \" ' % _"
    store.experiment(name, runs=[name])
    query = "query ($name: String!) { experiment(name: $name) { name runs { nodes { name } } } }"
    expected = {"experiment": {"name": name, "runs": {"nodes": [{"name": name}]}}}

    assert await client.ask(query, name=name) == expected
    parameters = urlencode({"query": query, "variables": json.dumps({"name": name})})
    assert (await client.http.get(f"/graphql?{parameters}")).json()["data"] == expected
    literal = query.replace("$name)", json.dumps(name) + ")").replace("query ($name: String!)", "")
    assert await client.ask(literal) == expected


@pytest.mark.parametrize("query", ['{ experiment(name: "a\\u0000") { name } }', None], ids=["literal", "variable"])
async def test_a_text_with_nul(store, client, query):
    """PostgreSQL has no such texts, so nobody may ask for one."""
    query = query or "query ($name: String!) { experiment(name: $name) { name } }"

    error = await client.refused(query, name="a\0")

    assert (error["message"], error["extensions"]["code"]) == (
        "A text must not contain the character NUL.",
        "BAD_USER_INPUT",
    )


async def test_numbers_of_any_size(store, client):
    """JSON's numbers where they can say it, null and a text where they cannot."""
    experiment = store.experiment("flights")
    run = store.run(experiment, "a run", metrics={"nan": float("nan"), "up": float("inf"), "down": float("-inf")})
    store.client.log_metric(run, "tiny", 5e-324, timestamp=1_000, step=2**53 + 1)
    store.client.log_metric(run, "huge", -1.5e308, timestamp=1_000, step=-(2**63))

    response = await client.http.post(
        "/graphql", json={"query": "{ runs { nodes { metrics { key value text step } } } }"}
    )

    assert "9007199254740993" in response.text
    assert "-9223372036854775808" in response.text
    assert without_cost(response.json()) == {
        "data": {
            "runs": {
                "nodes": [
                    {
                        "metrics": [
                            {"key": "down", "value": None, "text": "-Infinity", "step": 0},
                            {"key": "huge", "value": -1.5e308, "text": "-1.5e+308", "step": -(2**63)},
                            {"key": "nan", "value": None, "text": "NaN", "step": 0},
                            {"key": "tiny", "value": 5e-324, "text": "5e-324", "step": 2**53 + 1},
                            {"key": "up", "value": None, "text": "Infinity", "step": 0},
                        ]
                    }
                ]
            }
        }
    }


async def test_a_defect_is_masked(store, client, caplog):
    """What went wrong is in the log under the ID that the answer names; the answer says nothing else."""
    run = store.run(store.experiment("flights"), "a run", params={"depth": 5})
    store.sql("DROP TABLE params")

    response = await client.http.post(
        "/graphql", json={"query": f'{{ run(runId: "{run}") {{ name params {{ key }} }} }}'}
    )

    [line] = [record for record in caplog.records if record.name == "lineage_api.api.failures"]
    id_ = line.args[0]
    assert line.getMessage() == f"Error {id_} at ['run', 'params']"
    assert line.exc_info
    assert "params" in str(line.exc_info[1])
    error = {
        "message": f"Something went wrong here; the log has it as {id_}.",
        "locations": [{"line": 1, "column": 57}],
        "path": ["run", "params"],
        "extensions": {"code": "INTERNAL", "id": id_},
    }
    assert whole(response) == (200, "application/json; charset=utf-8", {"data": {"run": None}, "errors": [error]})


async def test_a_defect_at_many_places(store, client, caplog):
    """What fails once is logged once, under one ID, however much of the answer it is missing from."""
    experiment = store.experiment("flights")
    runs = [store.run(experiment, name) for name in ("first", "second", "third")]
    ids = (await client.ask("{ runs { nodes { id } } }"))["runs"]["nodes"]
    store.sql("DROP TABLE params")

    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Run { params { key } } } }"
    response = await client.http.post(
        "/graphql", json={"query": query, "variables": {"ids": [each["id"] for each in ids]}}
    )

    answer = response.json()
    assert answer["data"] == {"nodes": [None] * len(runs)}
    assert [error["path"] for error in answer["errors"]] == [["nodes", index, "params"] for index in range(3)]
    assert {error["extensions"]["id"] for error in answer["errors"]} == {record.args[0] for record in caplog.records}
    assert len(caplog.records) == 1


async def test_a_value_that_has_no_form(small, http, caplog):
    """A value that its type cannot say is our defect too, and is not shown."""
    caplog.set_level(logging.CRITICAL, "lineage_api.api.failures")
    small.registered_model("m")
    small.sql(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, status, current_stage)"
        " VALUES ('m', 3000000000, 1, 1, 'READY', 'None')"
    )

    answer = await http.post(
        "/graphql", json={"query": '{ registeredModel(name: "m") { versions { nodes { version } } } }'}
    )

    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "3000000000" not in answer.text


async def test_a_defect_outside_of_the_operation(small, caplog):
    """Even what no field is to blame for is answered as GraphQL, with an ID that is in the log."""
    run = small.run("0", "deep")
    small.dataset(run, "deep", "1", profile="[" * 200 + "]" * 200)
    query = "profile"
    for _ in range(12):
        query = f"runs {{ nodes {{ inputs {{ dataset {{ {query} }} }} }} }}"

    app = create_app(Settings(backend_store_uri=small.uri, max_depth=100, max_cost=sys.maxsize))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        answer = await http.post("/graphql", json={"query": f"{{ datasets {{ nodes {{ {query} }} }} }}"})

    [line] = caplog.records
    id_ = line.args[0]
    assert whole(answer) == (
        500,
        "application/json; charset=utf-8",
        {
            "errors": [
                {
                    "message": f"Something went wrong here; the log has it as {id_}.",
                    "extensions": {"code": "INTERNAL", "id": id_},
                }
            ]
        },
    )


async def test_documents_are_kept_while_they_are_used(http):
    """The same text is answered again, and what came after it as well: nothing of one question is left in another."""
    for name in ("flights", "Default", "flights"):
        answer = await http.post(
            "/graphql", json={"query": NAMED, "operationName": "Named", "variables": {"name": name}}
        )
        assert answer.json()["data"] == {"experiment": {"name": name}}
