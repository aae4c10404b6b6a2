"""Secrets that somebody logged: shown to those who may change something, to others not, and in events to nobody."""

import base64
import json
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import literal, select

from lineage_api.access.callers import Caller
from lineage_api.access.roles import Role
from lineage_api.analysis.secrets import MAY_BE_SECRET, SHAPES, looks_secret
from lineage_api.api.event_facts import EventFacts
from lineage_api.api.executor import Question
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.store.engines import reading
from lineage_api.store.functions import in_path, install
from tests.analysis.test_secrets import SECRET, VALUES
from tests.stores import filled

PASSWORD, KEY = "hunter2!", "AKIAIOSFODNN7EXAMPLE"
PARAMS = {"db_password": PASSWORD, "note": KEY, "lr": "0.1", "max_tokens": "100"}
TAGS = {"api_key": "abc-123", "team": "ops", "origin": "https://ann:pw@host/data"}
HIDDEN = {PASSWORD, KEY, *TAGS.values()} - {"ops"}


class Asking:
    """Asks a server as somebody with a role."""

    def __init__(self, executor):
        self.executor = executor

    async def data(self, role, query, **variables):
        """The data of an answer without errors."""
        result = await self.executor.execute(Question(query, variables, caller=Caller("x", role)))
        assert not result.errors, result.errors
        return self.executor.body(result).decode()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def leaky(request, templates, tmp_path_factory):
    """A store of two runs and a version with secrets in them."""
    with filled(request.param, templates, tmp_path_factory.mktemp("leaky")) as store:
        experiment = store.experiment("flights")
        run = store.run(experiment, "a", params=PARAMS, tags=TAGS)
        store.run(experiment, "b", params={**PARAMS, "db_password": "other", "lr": "0.2", "note": "plain"})
        store.registered_model("m")
        store.version("m", source="s3://bucket/model", run_id=run)
        store.client.set_model_version_tag("m", "1", "api_key", TAGS["api_key"])
        store.client.update_model_version("m", "1", f"Reads {TAGS['origin']}")
        yield store


@pytest.fixture
async def asking(leaky):
    """Asks a server about it."""
    async with server(leaky) as asking:
        yield asking


@asynccontextmanager
async def server(store, **settings):
    """A server that is asked in the process."""
    app = create_app(Settings(backend_store_uri=store.uri, max_cost=10**6, **settings))
    async with app.router.lifespan_context(app):
        yield Asking(app.state.executor)


VALUES_OF_RUNS = """{ runs(first: 10, orderBy: {field: NAME, direction: ASC}) { nodes {
  v: params { v: value } params { key value } secret: param(key: "db_password") note: param(key: "note")
  lr: param(key: "lr") tags(includeSystem: true) { value } } }
  registeredModels { nodes { versions { nodes { tags { value } description source } } } } }"""


async def test_who_may_only_read(asking):
    """Sees that there is something, and not what it is; all else is as others see it."""
    for role in (Role.EDITOR, Role.MANAGER):
        shown = await asking.data(role, VALUES_OF_RUNS)
        assert all(secret in shown for secret in HIDDEN)
        assert "[redacted]" not in shown
    shown = await asking.data(Role.READER, VALUES_OF_RUNS)
    assert not any(secret in shown for secret in HIDDEN)
    assert '"params":[{"key":"db_password","value":"[redacted]"},{"key":"lr","value":"0.1"}' in shown
    assert '{"key":"max_tokens","value":"100"},{"key":"note","value":"[redacted]"}]' in shown
    assert '"secret":"[redacted]","note":"[redacted]","lr":"0.1"' in shown
    assert '"description":"[redacted]","source":"s3://bucket/model"' in shown
    # And not for what was kept when somebody else asked the same.
    assert "[redacted]" not in await asking.data(Role.MANAGER, VALUES_OF_RUNS)


EVERYWHERE = """{ registeredModels { nodes { name description tags { key value }
  rollbackPlan(stage: PRODUCTION) { checks { name detail } comparison { params { key base head } } }
  versions { nodes { source description artifactUri label tags(includeSystem: true) { key value }
    recipe { script params { key value } missing code { repoUrl } } manifest { flavors } artifacts { path text }
    lineage { mermaid nodes { label } }
    run { name description params { key value } param(key: "x") code { repoUrl entryPoint } metrics { key text }
      inputs { dataset { name source schema profile } } } } } } }
  experiments { nodes { name tags { key value } artifactLocation } } limits { maxDepth } }"""


def without_secrets(value):
    """What is shown to others, without what they may not see."""
    if isinstance(value, dict):
        return {key: without_secrets(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_secrets(part) for part in value]
    return "[redacted]" if isinstance(value, str) and any(secret in value for secret in HIDDEN) else value


async def test_everywhere(asking):
    """Wherever secrets stand they are not shown, and all else is, be it from tables or worked out."""
    shown = json.loads(await asking.data(Role.MANAGER, EVERYWHERE))["data"]
    assert shown != without_secrets(shown)
    assert json.loads(await asking.data(Role.READER, EVERYWHERE))["data"] == without_secrets(shown)


async def test_the_schema(asking):
    """What it says of itself is no secret, whatever it looks like."""
    query = "{ __typename __schema { types { description fields { description } } } }"
    assert await asking.data(Role.READER, query) == await asking.data(Role.MANAGER, query)


async def test_comparisons(asking, leaky):
    """Both sides of a difference are values under its key."""
    [first, second] = leaky.client.search_runs(["1"], order_by=["attributes.start_time ASC"])
    query = "query ($a: String!, $b: String!) { compareRuns(base: $a, head: $b) { params { key base head } } }"
    ids = {"a": first.info.run_id, "b": second.info.run_id}
    hidden = '{"key":"db_password","base":"[redacted]","head":"[redacted]"}'
    assert hidden in await asking.data(Role.READER, query, **ids)
    assert PASSWORD in await asking.data(Role.MANAGER, query, **ids)


CONDITIONS = [
    '{params: [{key: "db_password", eq: "hunter2!"}]}',
    '{params: [{key: "db_password", contains: "hunt"}]}',
    '{params: [{key: "db_password", in: ["hunter2!"]}]}',
    '{params: [{key: "note", contains: "AKIAI"}]}',
    '{tags: [{key: "origin", contains: "ann:"}]}',
    """{matching: "params.db_password LIKE 'hunt%'"}""",
    """{matching: "params.note LIKE 'AKIA%'"}""",
    """{matching: "tags.api_key = 'abc-123'"}""",
]
COUNTED = "{ runs(filterBy: %s) { totalCount } }"


async def test_conditions_tell_nothing(asking):
    """Or one could guess a secret letter by letter."""
    for condition in CONDITIONS:
        assert '"totalCount":1' in await asking.data(Role.EDITOR, COUNTED % condition)
        assert '"totalCount":0' in await asking.data(Role.READER, COUNTED % condition)
        assert '"totalCount":2' in await asking.data(Role.READER, COUNTED % f"{{not: {condition}}}")


async def test_other_conditions(asking):
    """Are as good as ever: that a key is there, and what is no secret."""
    for condition in (
        '{params: [{key: "db_password"}, {key: "lr", eq: "0.1"}, {key: "max_tokens", eq: "100"}]}',
        """{matching: "params.lr = '0.1' and tags.team = 'ops'"}""",
    ):
        assert '"totalCount":1' in await asking.data(Role.READER, COUNTED % condition)


async def test_orders_and_cursors(asking):
    """A cursor has the value in it that it stands at."""
    query = '{ runs(orderBy: {param: "%s"}) { edges { cursor } } }'

    async def values(role, key):
        edges = json.loads(await asking.data(role, query % key))["data"]["runs"]["edges"]
        cursors = [edge["cursor"] for edge in edges]
        return [json.loads(base64.urlsafe_b64decode(cursor + "==="))[1] for cursor in cursors]

    assert await values(Role.EDITOR, "db_password") == ["other", PASSWORD]
    assert await values(Role.EDITOR, "note") == ["plain", KEY]
    assert await values(Role.READER, "db_password") == [None, None]
    assert await values(Role.READER, "note") == ["plain", None]
    assert await values(Role.READER, "lr") == ["0.2", "0.1"]


async def test_events(asking, leaky):
    """They are sent to others and outlast the tag, so nobody is told: neither by the API nor by webhooks."""
    query = "{ registryEvents(first: 50) { nodes { id key value previousValue } } }"
    for role in Role:
        told = await asking.data(role, query)
        assert '"key":"api_key","value":"[redacted]"' in told
        assert '"value":"[redacted]","previousValue":' in told
        assert not any(secret in told for secret in HIDDEN)
    with reading(leaky.uri).connect() as connection:
        ids = connection.exec_driver_sql("SELECT id FROM lineage_events").scalars().all()
    facts = str([await EventFacts(asking.executor).of(each) for each in ids])
    assert "'[redacted]'" in facts
    assert not any(secret in facts for secret in HIDDEN)


async def test_those_who_follow(asking):
    """Each is told what he may know of the version as it is now."""
    query = "subscription { registryEvents(after: %s) { modelVersion { tags { value } } } }"
    for role, is_shown in ((Role.READER, False), (Role.EDITOR, True)):
        question = Question(query % '"WyJSZWdpc3RyeUV2ZW50IiwwXQ"', caller=Caller("x", role))
        told = []
        async for answer in asking.executor.answers(question):
            told.append(answer.json)
            if "api_key" in answer.json or "value" in answer.json:
                break
        assert (TAGS["api_key"] in told[-1]) is is_shown


def test_what_is_looked_for_in_sql(leaky):
    """Finds all that is found in Python, and not what is plainly something else."""
    pairs = [("name", value) for value in VALUES] + [(name, "x") for name in SECRET.split()]
    assert all(looks_secret(*pair) for pair in pairs)
    harmless = [("lr", "0.1"), ("image", "registry.example.com/team/train:1.2"), ("repo", "https://host/a?b=c#d")]
    with reading(leaky.uri).connect() as connection:
        if leaky.kind == "sqlite":
            install(connection.connection.dbapi_connection)

        def found(pattern, text):
            return connection.scalar(select(in_path(literal(text), literal(pattern)))) is not None

        for name, value in pairs:
            assert found(MAY_BE_SECRET, f"{name}={value}")
        for value in VALUES:
            assert found(SHAPES, value), value
        for name, value in harmless:
            assert not found(SHAPES, value), value
            assert not found(MAY_BE_SECRET, f"{name}={value}")
