"""Who may ask for what, by whichever door: HTTP, WebSockets and streams."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
import sqlalchemy
import websockets
from graphql import get_named_type

from lineage_api.access import callers
from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import made
from lineage_api.api.schema import executable
from lineage_api.app import create_app
from lineage_api.config import Settings
from tests import stores
from tests.api.test_mutation import MUTATIONS, _example
from tests.asking import in_process
from tests.changing import everything
from tests.following import CREATE, FOLLOW, connected, followers, streaming, until
from tests.serving import served

EDITORS = {
    *("createRegisteredModel", "updateRegisteredModel", "registerModelVersion", "updateModelVersion"),
    *("transitionModelVersion", "setTags", "removeTags"),
}
"""What editors may change; all else is for managers."""
SAMPLES = {
    "node": '(id: "x") { id }',
    "nodes": '(ids: ["x"]) { id }',
    "experiment": '(name: "x") { id }',
    "run": '(runId: "x") { id }',
    "loggedModel": '(modelId: "x") { id }',
    "registeredModel": '(name: "x") { id }',
    "modelVersion": '(ref: {model: "x", version: 1}) { id }',
    "compareModelVersions": '(base: {model: "m", version: 1}, head: {model: "m", version: 2}) { __typename }',
    "compareRuns": '(base: "x", head: "y") { __typename }',
    "registryAt": '(at: "2026-01-01T00:00:00Z") { __typename }',
}
"""Arguments and selections of root fields; others are pages or plain objects."""
CHALLENGE = {"www-authenticate": "Bearer"}


class Doors:
    """A server with a token for each role, and the ways into it."""

    def __init__(self, address, file, secrets, app):
        self.address, self.file, self.secrets, self.app = address, file, secrets, app

    def headers(self, role):
        return {} if role is None else {"authorization": f"Bearer {self.secrets[role]}"}

    async def http(self, role, query, **variables):
        """The whole answer by HTTP."""
        async with httpx.AsyncClient(headers=self.headers(role), timeout=30) as client:
            answer = await client.post(f"{self.address}/graphql", json={"query": query, "variables": variables})
        return answer.json()

    async def stream(self, role, query, **variables):
        """The first answer of a stream."""
        headers = {**self.headers(role), "accept": "text/event-stream"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as client:
            answer = await client.post(f"{self.address}/graphql", json={"query": query, "variables": variables})
        told = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        return json.loads(told[0].removeprefix("data: ")) if told else answer.json()

    async def websocket(self, role, query, **variables):
        """The first answer over a WebSocket."""
        async with self.talking(role) as talk:
            await talk.ask(query, **variables)
            heard = await talk.heard()
        return heard["payload"] if heard["type"] == "next" else {"errors": heard["payload"]}

    @asynccontextmanager
    async def talking(self, role, name="Authorization"):
        """A connection that has begun."""
        async with connected(self.address) as talk:
            await talk.say(type="connection_init", payload={name: f"Bearer {self.secrets[role]}"})
            assert await talk.heard() == {"type": "connection_ack"}
            yield talk


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request, templates, tmp_path_factory):
    """A store that no test here changes but by its own models, and the doors to it."""
    folder = tmp_path_factory.mktemp("access")
    with stores.filled(request.param, templates, folder) as store, opened(store, folder) as doors:
        store.registered_model("m")
        for _ in range(3):
            store.version("m", source="s3://bucket/m")
        yield store, doors


def opened(store, folder, **settings):
    """The doors to a store."""
    return _Opened(store, folder, settings)


class _Opened:
    def __init__(self, store, folder, settings):
        file = TokenFile(str(folder / "tokens.json"))
        secrets = {}
        for role in Role:
            token, secrets[role] = made(role.name.lower(), role, None)
            file.add(token)
        app = create_app(Settings(backend_store_uri=store.uri, tokens=file.path, **settings))
        self._serving, self._file, self._secrets, self._app = served(app), file, secrets, app

    def __enter__(self):
        return Doors(self._serving.__enter__(), self._file, self._secrets, self._app)

    def __exit__(self, *what):
        self._serving.__exit__(*what)


@pytest.fixture
def doors(templates, tmp_path):
    """The doors to an empty store, where it is all the same which database it has."""
    with stores.filled("sqlite", templates, tmp_path) as store, opened(store, tmp_path) as made_:
        made_.store = store
        yield made_


def forbidden(answer):
    """Why an answer was refused for lack of a role; None when it was not."""
    errors = [each for each in answer.get("errors", []) if each["extensions"]["code"] == "FORBIDDEN"]
    assert len(errors) <= 1
    return errors[0]["message"] if errors else None


def mutation(name):
    """A document and an input that nobody is granted: a text of it is refused, if it is looked at at all."""
    type_ = get_named_type(MUTATIONS[name].args["input"].type)
    given = _example(type_)
    at_fault = next(each for each in ("reason", "idempotencyKey", "webhookId") if each in given)
    document = f"mutation ($input: {type_.name}!) {{ {name}(input: $input) {{ errors {{ __typename }} }} }}"
    return document, {**given, at_fault: "\0"}


@pytest.mark.parametrize("door", ["http", "stream", "websocket"])
async def test_each_mutation(shared, door):
    """By each door, each mutation is refused to those below its role, and looked at for all others."""
    store, doors = shared
    before = everything(store)
    for name in MUTATIONS:
        document, given = mutation(name)
        takes = Role.EDITOR if name in EDITORS else Role.MANAGER
        for role in Role:
            answer = await getattr(doors, door)(role, document, input=given)
            if role < takes:
                assert forbidden(answer) == f"This takes the role {takes.name}; yours is {role.name}.", (name, role)
                assert not answer["data"]
            else:
                assert answer["data"] == {name: {"errors": [{"__typename": "InvalidInputError"}]}}, (name, role)
    assert everything(store) == before


@pytest.mark.parametrize("door", ["http", "stream", "websocket"])
async def test_each_root_field(shared, door):
    """Everybody may read everything, but for webhooks, which are for managers."""
    _, doors = shared
    for name, field in executable().query_type.fields.items():
        type_ = get_named_type(field.type)
        selected = SAMPLES.get(name) or ("{ totalCount }" if "totalCount" in type_.fields else "{ __typename }")
        for role in Role:
            answer = await getattr(doors, door)(role, f"{{ {name}{selected} }}")
            is_refused = name == "webhooks" and role is not Role.MANAGER
            assert bool(forbidden(answer)) == is_refused, (name, role, answer)
            codes = {each["extensions"]["code"] for each in answer.get("errors", [])}
            assert codes <= {"FORBIDDEN", "NOT_FOUND"}, (name, answer)


async def test_several_fields_at_once(shared):
    """In one document under many names, each is decided on by itself."""
    store, doors = shared
    before = everything(store)
    document = """mutation {
        a: deleteRegisteredModel(input: {model: "m"}) { deletedId }
        b: setTags(input: {subjectId: "x", tags: []}) { errors { __typename } }
        ...F
    } fragment F on Mutation { c: deleteRegisteredModel(input: {model: "m"}) { deletedId } }"""
    answer = await doors.http(Role.EDITOR, document)

    assert [error["path"] for error in answer["errors"]][:1] == [["a"]]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}
    assert everything(store) == before


async def test_webhooks_by_their_ids(doors):
    """Those who may not look after them are told that there is none, whichever field they ask by."""
    document = """mutation { createWebhook(input: {url: "https://example.com/"}) { webhook { id } } }"""
    made_ = await doors.http(Role.MANAGER, document)
    id_ = made_["data"]["createWebhook"]["webhook"]["id"]
    asked = "query ($named: ID!) { node(id: $named) { id __typename } nodes(ids: [$named, $named]) { id } }"

    for role in (Role.READER, Role.EDITOR):
        for door in (doors.http, doors.stream, doors.websocket):
            assert (await door(role, asked, named=id_))["data"] == {"node": None, "nodes": [None, None]}
    found = (await doors.http(Role.MANAGER, asked, named=id_))["data"]
    assert found == {"node": {"id": id_, "__typename": "Webhook"}, "nodes": [{"id": id_}] * 2}


MOVE = """mutation ($input: TransitionModelVersionInput!) {
    transitionModelVersion(input: $input) { modelVersion { stage } errors { __typename } } }"""


async def moved(doors, role, version, stage, **more):
    """The stage that a version was moved to; FORBIDDEN where that was refused."""
    given = {"model": "m", "version": version, "stage": stage, **more}
    answer = await doors.http(role, MOVE, input=given)
    if forbidden(answer):
        return "FORBIDDEN"
    assert answer["data"]["transitionModelVersion"]["errors"] == [], answer
    return answer["data"]["transitionModelVersion"]["modelVersion"]["stage"]


def stages(store):
    """The stages of all versions, by their numbers."""
    return [
        each.current_stage
        for each in sorted(store.client.search_model_versions("name='m'"), key=lambda v: int(v.version))
    ]


def moves(store, version):
    """The stages that a version was moved to, in their order."""
    asked = "SELECT to_stage FROM lineage_events WHERE kind = 'STAGE_CHANGED' AND version = :version ORDER BY id"
    with store._engine.connect() as connection:
        return list(connection.scalars(sqlalchemy.text(asked), {"version": version}))


async def test_moves(shared):
    """Only managers let versions into Production and out of it; what is refused changes nothing."""
    store, doors = shared
    editor, manager = Role.EDITOR, Role.MANAGER
    assert await moved(doors, editor, 1, "STAGING") == "STAGING"
    assert await moved(doors, editor, 2, "STAGING", archiveExisting=True) == "STAGING"
    assert stages(store) == ["Archived", "Staging", "None"]

    before = everything(store)
    assert await moved(doors, editor, 1, "PRODUCTION") == "FORBIDDEN"
    assert await moved(doors, editor, 1, "PRODUCTION", expectedStage="STAGING", expectedCurrent=[7]) == "FORBIDDEN"
    assert everything(store) == before

    assert await moved(doors, manager, 1, "PRODUCTION") == "PRODUCTION"
    assert await moved(doors, manager, 3, "PRODUCTION") == "PRODUCTION"
    before = everything(store)
    for stage in ("NONE", "STAGING", "ARCHIVED"):
        assert await moved(doors, editor, 1, stage) == "FORBIDDEN"
    assert await moved(doors, editor, 1, "PRODUCTION", archiveExisting=True) == "FORBIDDEN"
    assert await moved(doors, editor, 1, "NONE", idempotencyKey="k") == "FORBIDDEN"
    assert everything(store) == before
    assert await moved(doors, editor, 1, "PRODUCTION") == "PRODUCTION"  # where it is already
    assert stages(store) == ["Production", "Staging", "Production"]
    for version in (1, 2, 3):
        await moved(doors, manager, version, "NONE")


async def test_an_editor_loses_the_race(shared):
    """A version that a manager lets into Production meanwhile is not taken out by an editor who began before."""
    store, doors = shared
    for _ in range(10):
        assert await moved(doors, Role.MANAGER, 1, "STAGING") == "STAGING"
        before = len(moves(store, 1))
        into, out = await asyncio.gather(
            moved(doors, Role.MANAGER, 1, "PRODUCTION"), moved(doors, Role.EDITOR, 1, "ARCHIVED")
        )
        assert into == "PRODUCTION"
        made = moves(store, 1)[before:]
        if out == "FORBIDDEN":
            assert made == ["Production"]
        else:
            # What is told of a change is read after it, when the other may have been made as well.
            assert made == ["Archived", "Production"]
            assert out in {"ARCHIVED", "PRODUCTION"}
        assert stages(store)[0] == "Production"
    await moved(doors, Role.MANAGER, 1, "NONE")


async def test_a_name_is_for_managers(shared):
    """Editors change descriptions, and a name only into itself."""
    store, doors = shared
    document = (
        "mutation ($input: UpdateRegisteredModelInput!) { updateRegisteredModel(input: $input) { errors { message } } }"
    )
    for given in ({"name": "n"}, {"name": "n", "description": "d"}):
        before = everything(store)
        assert forbidden(await doors.http(Role.EDITOR, document, input={"model": "m", **given}))
        assert everything(store) == before
    answer = await doors.http(Role.EDITOR, document, input={"model": "m", "name": "m", "description": "d"})
    assert answer["data"] == {"updateRegisteredModel": {"errors": []}}


async def test_the_viewer_and_the_actor(doors):
    """Who asks is told who they are, and what they change is recorded under their names."""
    for role in Role:
        for door in (doors.http, doors.stream, doors.websocket):
            assert (await door(role, "{ viewer { name role } }"))["data"] == {
                "viewer": {"name": role.name.lower(), "role": role.name}
            }
    document = 'mutation { createRegisteredModel(input: {name: "m"}) { events { actor } } }'
    answer = await doors.http(Role.EDITOR, document)
    assert answer["data"] == {"createRegisteredModel": {"events": [{"actor": "editor"}]}}


async def test_nobody_has_to_say_who_they_are(http):
    """Without tokens everybody is a manager without a name."""
    answer = await http.post("/graphql", json={"query": "{ viewer { name role } webhooks { totalCount } }"})
    assert answer.json()["data"] == {"viewer": {"name": None, "role": "MANAGER"}, "webhooks": {"totalCount": 0}}


async def test_who_is_not_known(doors):
    """By HTTP and as a stream it is one and the same refusal, before anything is read; the page needs no token."""
    token, expired = made("old", Role.MANAGER, None)
    wrong = [{}, {"authorization": f"Bearer {expired}"}, {"authorization": "Bearer x"}, {"authorization": "Basic eA=="}]
    said = set()
    async with httpx.AsyncClient(base_url=doors.address, timeout=30) as client:
        for headers in wrong:
            for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
                sent = {**headers, "accept": accept}
                for body in (b'{"query": "{ __typename }"}', b"no JSON"):
                    kind = {**sent, "content-type": "application/json"}
                    said.add(refusal(await client.post("/graphql", content=body, headers=kind)))
                said.add(refusal(await client.get("/graphql", params={"query": "{ __schema {"}, headers=sent)))
        token = doors.secrets[Role.MANAGER]
        in_address = {"query": "{ __typename }", "Authorization": f"Bearer {token}", "token": token}
        said.add(refusal(await client.get("/graphql", params=in_address)))
        page = await client.get("/graphql", headers={"accept": "text/html"})
    assert len(said) == 1
    assert page.status_code == 200


def refusal(answer):
    """What is said to who is not known."""
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    [error] = answer.json()["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    return error["message"]


@pytest.mark.parametrize(
    "payload", [None, {}, {"Authorization": "Bearer x"}, {"Authorization": 1}, {"authorization": None}]
)
async def test_who_is_not_known_over_a_websocket(doors, payload):
    """The connection is closed, without saying why."""
    async with connected(doors.address) as talk:
        await talk.say(type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await talk.closed() == (4403, "Forbidden")


async def test_before_it_is_said_who_connects(doors):
    """Nothing can be asked over a WebSocket."""
    async with connected(doors.address) as talk:
        await talk.ask("{ __typename }")
        assert await talk.closed() == (4401, "Unauthorized")


async def test_how_it_is_said_who_connects(doors):
    """In the payload under either spelling, or by the handshake."""
    for name in ("Authorization", "authorization"):
        async with doors.talking(Role.READER, name):
            pass
    async with connected(doors.address, additional_headers=doors.headers(Role.READER)) as talk:
        await talk.say(type="connection_init")
        assert await talk.heard() == {"type": "connection_ack"}


async def test_a_token_is_revoked(doors, monkeypatch):
    """Who is connected by it is sent away, and let in no more; others go on."""
    monkeypatch.setattr(callers, "LOOK_S", 0.05)
    async with doors.talking(Role.READER) as gone, doors.talking(Role.EDITOR) as stays:
        for talk in (gone, stays):
            await talk.follow()
        await until(lambda: followers(doors.app) == 2)
        doors.file.remove("reader")
        assert await gone.closed() == (4403, "Forbidden")
        await until(lambda: followers(doors.app) == 1)
        await asyncio.to_thread(doors.store.sql, CREATE, n="after")
        assert (await stays.event())["modelName"] == "after"
    answer = await doors.http(Role.READER, "{ __typename }")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


def test_a_token_is_revoked_of_who_follows_a_stream(doors):
    """The stream ends, without `complete`: who connects again is told why."""
    headers = doors.headers(Role.READER)
    with streaming(doors.address, FOLLOW, headers) as stream:
        doors.file.remove("reader")
        assert all(part.get("event") != "complete" for part in stream.parts())
    with streaming(doors.address, FOLLOW, headers) as stream:
        assert stream.response.status_code == 401


async def test_what_is_asked_of_readiness(doors):
    """Those who are not known get a word."""
    async with httpx.AsyncClient(base_url=doors.address, timeout=30) as client:
        assert (await client.get("/healthz")).text == "ok"
        assert (await client.get("/readyz")).text == "ready"
        known = await client.get("/readyz", headers=doors.headers(Role.READER))
        assert known.text.startswith("ready\nmodel files")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil.example", ""])
async def test_another_host(doors, host):
    """Is refused by HTTP and over WebSockets; probes are answered."""
    headers = {**doors.headers(Role.MANAGER), "host": host}
    async with httpx.AsyncClient(base_url=doors.address, timeout=30) as client:
        for path in ("/graphql", "/", "/graphiql/assets/x.js", "/none"):
            assert (await client.get(path, headers=headers)).status_code == 400
        answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert answer.status_code == 400
        assert (await client.get("/healthz", headers=headers)).status_code == 200


QUESTION = {"query": "{ __typename }"}
LISTED = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}


async def test_pages_of_other_sites(small):
    """They are refused, and told nothing that a browser would let them read."""
    async with in_process(small.uri, cors_allowed_origins="https://app.example") as client:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            for answer in (
                await client.post("/graphql", json=QUESTION, headers=headers),
                await client.get("/graphql", params=QUESTION, headers={**headers, "accept": "text/event-stream"}),
            ):
                assert answer.status_code == 403
                assert answer.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
                assert not [name for name in answer.headers if name.startswith("access-control")]
        asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
        answer = await client.options("/graphql", headers=asked)
        assert answer.status_code in {403, 405}
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_pages_of_listed_origins(small):
    """They may ask and read, after they have asked whether they may; refusals too."""
    async with in_process(small.uri, cors_allowed_origins="https://app.example") as client:
        before = await client.options("/graphql", headers={**LISTED, "access-control-request-method": "POST"})
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (204, "https://app.example")
        assert "authorization" in before.headers["access-control-allow-headers"]
        answer = await client.post("/graphql", json=QUESTION, headers=LISTED)
        assert answer.json()["data"] == {"__typename": "Query"}
        wrong = await client.post("/graphql", content="x", headers=LISTED)
        for each in (answer, wrong):
            assert each.headers["access-control-allow-origin"] == "https://app.example"
            assert "origin" in each.headers["vary"].lower()
            assert "access-control-allow-credentials" not in each.headers
    async with in_process(small.uri) as client:
        assert (await client.post("/graphql", json=QUESTION, headers=LISTED)).status_code == 403


async def test_a_page_of_its_own(small):
    """GraphiQL asks the server that it came from; who opens a link to it comes from anywhere."""
    async with in_process(small.uri) as client:
        own = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
        assert (await client.post("/graphql", json=QUESTION, headers=own)).status_code == 200
        link = {"accept": "text/html", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (
            (await client.get("/graphql", params=QUESTION, headers=link))
            .headers["content-type"]
            .startswith("text/html")
        )


async def test_handshakes_of_other_pages(doors, caplog):
    """They are refused before there is a connection, of which the log says nothing."""
    for origin, status in (("https://evil.example", 403), (doors.address, None), ("null", 403)):
        try:
            async with connected(doors.address, origin=origin):
                refused = None
        except websockets.InvalidStatus as why:
            refused = why.response.status_code
        assert refused == status, origin
    assert caplog.records == []


async def test_handshakes_with_another_host(doors, caplog):
    """The same, by 400."""
    uri = doors.address.replace("http", "ws") + "/graphql"
    host, port = uri.removeprefix("ws://").partition("/")[0].split(":")
    with pytest.raises(websockets.InvalidStatus) as why:
        await websockets.connect(
            f"ws://evil.example:{port}/graphql",
            host=host,
            port=int(port),
            subprotocols=["graphql-transport-ws"],
            proxy=None,
        )
    assert why.value.response.status_code == 400
    assert caplog.records == []


async def test_through_a_proxy(small):
    """Who a trusted proxy says somebody is, is the viewer; nobody else is believed."""
    settings = {"trusted_proxies": "127.0.0.1/32", "trusted_proxy_header": "X-Forwarded-User"}
    query = {"query": "{ viewer { name role } }"}
    async with in_process(small.uri, **settings) as client:
        answer = await client.post("/graphql", json=query, headers={"x-forwarded-user": "ann"})
        assert answer.json()["data"] == {"viewer": {"name": "ann", "role": "READER"}}
        assert (await client.post("/graphql", json=query)).status_code == 401
    async with in_process(small.uri, **{**settings, "trusted_proxies": "10.0.0.0/8"}) as client:
        answer = await client.post("/graphql", json=query, headers={"x-forwarded-user": "ann"})
        assert answer.status_code == 401


def test_a_real_server_believes_no_addresses(small):
    """A header that says where a request comes from, which anybody can send, makes nobody a proxy."""
    settings = {"trusted_proxies": "10.0.0.0/8", "trusted_proxy_header": "X-Forwarded-User"}
    with served(create_app(Settings(backend_store_uri=small.uri, **settings))) as address:
        said = {"x-forwarded-for": "10.0.0.1", "x-forwarded-user": "root", "forwarded": "for=10.0.0.1"}
        assert httpx.post(f"{address}/graphql", json=QUESTION, headers=said).status_code == 401
