"""Events of the registry: what they say, what they lead to, and how they are found."""

import pytest

from lineage_api.graph.identity import encoded

EVENTS = """query ($models: [String!], $kinds: [RegistryEventKind!], $toStages: [Stage!], $actor: String,
    $since: DateTime, $until: DateTime, $afterEvent: ID, $orderBy: EventOrder! = OLDEST_FIRST, $first: Int! = 100,
    $after: String
) { registryEvents(
    models: $models, kinds: $kinds, toStages: $toStages, actor: $actor, since: $since, until: $until,
    afterEvent: $afterEvent, orderBy: $orderBy, first: $first, after: $after
) { totalCount nodes { %s } pageInfo { hasNextPage endCursor } } }"""
FIELDS = [
    *("origin", "modelName", "previousName", "version", "fromStage", "toStage", "alias", "previousVersion", "key"),
    *("value", "previousValue", "actor", "reason"),
]


def moment(seconds):
    """As DateTime has it."""
    return f"1970-01-01T00:{seconds // 60:02}:{seconds % 60:02}.000+00:00"


def numbered(number):
    """The ID of an event."""
    return encoded("RegistryEvent", number)


async def events(client, fields="kind", **asked):
    """The events that a question finds, which are counted too; their only field alone."""
    found = (await client.ask(EVENTS % fields, **asked))["registryEvents"]
    assert found["totalCount"] == len(found["nodes"])
    return [node.get(fields, node) for node in found["nodes"]]


async def told(client, **asked):
    """The events that a question finds, each by its kind and what of it is not null."""
    found = await events(client, " ".join(["kind", *FIELDS]), **asked)
    return [
        (node["kind"], {name: node[name] for name in FIELDS if name != "origin" and node[name] is not None})
        for node in found
    ]


async def test_what_events_say(store, client):
    """Each kind has what it is about, and nothing else."""
    store.registered_model("m", description="One.", tags={"a": "1"})
    store.version("m", source="s3://b/model")
    store.version("m", source="s3://b/model")
    store.stage("m", 1, "Production")
    store.stage("m", 1, "None")
    store.alias("m", "champion", 1)
    store.alias("m", "champion", 2)
    store.client.delete_registered_model_alias("m", "champion")
    store.client.set_model_version_tag("m", "2", "a", "2")
    store.client.set_model_version_tag("m", "2", "a", "")
    store.client.delete_model_version_tag("m", "2", "a")
    store.client.update_model_version("m", 2, "Two.")
    store.client.update_registered_model("m", "")
    store.stage("m", 2, "Staging")
    store.client.update_model_version("m", 2, "")
    store.client.delete_model_version("m", 2)
    store.client.rename_registered_model("m", "n")
    store.client.delete_registered_model("n")

    found = await told(client)

    m, n = {"modelName": "m"}, {"modelName": "n"}
    v1, v2 = {**m, "version": 1}, {**m, "version": 2}
    assert found[:17] == [
        ("MODEL_CREATED", m),
        ("DESCRIPTION_CHANGED", {**m, "value": "One."}),
        ("TAG_SET", {**m, "key": "a", "value": "1"}),
        ("VERSION_REGISTERED", v1),
        ("VERSION_REGISTERED", v2),
        ("STAGE_CHANGED", {**v1, "fromStage": "NONE", "toStage": "PRODUCTION"}),
        ("STAGE_CHANGED", {**v1, "fromStage": "PRODUCTION", "toStage": "NONE"}),
        ("ALIAS_SET", {**v1, "alias": "champion"}),
        ("ALIAS_SET", {**v2, "alias": "champion", "previousVersion": 1}),
        ("ALIAS_REMOVED", {**v2, "alias": "champion", "previousVersion": 2}),
        ("TAG_SET", {**v2, "key": "a", "value": "2"}),
        ("TAG_SET", {**v2, "key": "a", "value": "", "previousValue": "2"}),
        ("TAG_REMOVED", {**v2, "key": "a", "previousValue": ""}),
        ("DESCRIPTION_CHANGED", {**v2, "value": "Two."}),
        ("DESCRIPTION_CHANGED", {**m, "previousValue": "One."}),
        ("STAGE_CHANGED", {**v2, "fromStage": "NONE", "toStage": "STAGING"}),
        ("DESCRIPTION_CHANGED", {**v2, "previousValue": "Two."}),
    ]
    assert found[17] == ("VERSION_DELETED", {**v2, "fromStage": "STAGING"})
    assert found[18] == ("MODEL_RENAMED", {**n, "previousName": "m"})
    assert found[-1] == ("MODEL_DELETED", n)
    assert set(await events(client, "origin")) == {"EXTERNAL"}


async def test_a_version_that_begins_in_a_stage_and_one_that_comes_back(store, client):
    """A stage that it was registered in was entered; being deleted is none."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    store.sql(
        "INSERT INTO model_versions (workspace, name, version, current_stage) VALUES ('default', 'm', 2, 'Staging')"
    )
    store.client.delete_model_version("m", 1)
    store.sql("UPDATE model_versions SET current_stage = 'Archived' WHERE version = 1")

    found = [(kind, about) for kind, about in await told(client) if kind.startswith("VERSION")]

    m = {"modelName": "m"}
    assert found == [
        ("VERSION_REGISTERED", {**m, "version": 1}),
        ("VERSION_REGISTERED", {**m, "version": 2, "toStage": "STAGING"}),
        ("VERSION_DELETED", {**m, "version": 1, "fromStage": "NONE"}),
        ("VERSION_RESTORED", {**m, "version": 1, "toStage": "ARCHIVED"}),
    ]
    assert await events(client, "version", toStages=["STAGING", "NONE"]) == [2]
    assert await events(client, "kind", toStages=["ARCHIVED"]) == ["VERSION_RESTORED"]


@pytest.mark.parametrize("settings", [{"backend": "rows"}], ids=["rows"])
async def test_what_an_event_leads_to(store, client, statements):
    """The model by the name that it has now, the version also when it was deleted, and the cause."""
    store.registered_model("gone")
    store.client.delete_registered_model("gone")
    store.registered_model("gone")
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    store.client.delete_model_version("m", 1)
    store.client.rename_registered_model("m", "n")
    store.sql("UPDATE lineage_events SET cause_id = 1, actor = 'ann', reason = 'Old.' WHERE kind = 'VERSION_DELETED'")

    fields = "kind model { name } modelVersion { label isDeleted } cause { id kind cause { kind } } actor reason"
    found = await events(client, fields)

    nothing = {"model": None, "modelVersion": None, "cause": None, "actor": None, "reason": None}
    n = {**nothing, "model": {"name": "n"}}
    version = {**n, "modelVersion": {"label": "n v1", "isDeleted": True}}
    cause = {"id": numbered(1), "kind": "MODEL_CREATED", "cause": None}
    assert found == [
        {"kind": "MODEL_CREATED", **nothing},
        {"kind": "MODEL_DELETED", **nothing},
        {"kind": "MODEL_CREATED", **nothing, "model": {"name": "gone"}},
        {"kind": "MODEL_CREATED", **n},
        {"kind": "VERSION_REGISTERED", **version},
        {"kind": "VERSION_DELETED", **version, "cause": cause, "actor": "ann", "reason": "Old."},
        {"kind": "MODEL_RENAMED", **n},
    ]
    assert len(statements) == 5  # the page, the count, models, versions, causes


async def test_an_event_by_its_id(store, client, statements):
    """One statement; null for what is no event."""
    store.registered_model("m")
    store.tick()

    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on RegistryEvent { kind occurredAt } } }"
    wrong = [encoded("RegistryEvent", key) for key in (2, 0, -1, "1", 2**40, 2**63, 1.0, True)]
    answer = await client.ask(query, ids=[numbered(1), *wrong])

    event = {"id": numbered(1), "kind": "MODEL_CREATED", "occurredAt": moment(1)}
    assert answer == {"nodes": [event, *[None] * len(wrong)]}
    assert len(statements) == 1


async def test_events_of_prompts(store, client):
    """They are in no list, and have no ID that leads anywhere."""
    store.prompt("p")
    store.registered_model("m")
    store.client.set_prompt_alias("p", "production", 1)

    assert await events(client, "modelName") == ["m"]
    nodes = await client.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=list(map(numbered, range(20))))
    assert len([node for node in nodes["nodes"] if node]) == 1


async def test_an_event_that_is_not_committed_yet(store, client):
    """What PostgreSQL has under a negative number until then is not there."""
    store.registered_model("m")
    store.sql("UPDATE lineage_events SET id = -7 WHERE id = 1")

    assert await events(client) == []
    assert await client.ask("query ($id: ID!) { node(id: $id) { id } }", id=numbered(-7)) == {"node": None}


def tell(store):
    """Makes two models, renames one, and makes a third under its old name; an event a second."""
    store.registered_model("a")  # 1
    store.registered_model("b")  # 2
    store.version("a", source="s3://b/model")  # 3
    store.stage("a", 1, "Production")  # 4
    store.client.rename_registered_model("a", "c")  # 5
    store.registered_model("a")  # 6
    store.version("b", source="s3://b/model")  # 7
    store.stage("b", 1, "Staging")  # 8
    store.alias("c", "champion", 1)  # 9
    store.tick()
    store.sql("UPDATE lineage_events SET actor = 'ann' WHERE id IN (4, 8)")


@pytest.fixture
def told_store(store, templates):
    """Three models, and nine events."""
    templates.filled(store, tell)
    return store


async def test_the_filter_of_events(told_store, client):
    """Each condition keeps those that meet it, and all of them hold at once."""
    everything = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    expected = [
        ({}, everything),
        (dict.fromkeys(["models", "kinds", "toStages", "actor", "since", "until", "afterEvent"]), everything),
        ({"models": ["b"]}, [2, 7, 8]),
        ({"models": ["a"]}, [1, 3, 4, 6]),
        ({"models": ["c"]}, [1, 3, 4, 5, 9]),
        ({"models": ["C", "x"]}, []),
        ({"models": []}, []),
        ({"kinds": ["MODEL_CREATED", "ALIAS_SET"]}, [1, 2, 6, 9]),
        ({"kinds": []}, []),
        ({"toStages": ["PRODUCTION"]}, [4]),
        ({"toStages": ["STAGING", "PRODUCTION"]}, [4, 8]),
        ({"toStages": ["NONE"]}, []),
        ({"toStages": []}, []),
        ({"actor": "ann"}, [4, 8]),
        ({"actor": "Ann"}, []),
        ({"since": moment(8)}, [8, 9]),
        ({"since": "1970-01-01T00:00:07.0001Z"}, [8, 9]),
        ({"until": moment(2)}, [1]),
        ({"until": "1970-01-01T00:00:02.0001Z"}, [1, 2]),
        ({"since": moment(3), "until": moment(3)}, []),
        ({"since": moment(3), "until": moment(4)}, [3]),
        ({"afterEvent": numbered(7)}, [8, 9]),
        ({"afterEvent": numbered(10**12)}, []),
        ({"afterEvent": numbered(-1)}, everything),
        ({"models": ["c"], "kinds": ["STAGE_CHANGED"], "actor": "ann", "afterEvent": numbered(3)}, [4]),
    ]
    ids = {numbered(number): number for number in everything}
    found = [(asked, [ids[id_] for id_ in await events(client, "id", **asked)]) for asked, _ in expected]
    assert found == expected


@pytest.mark.parametrize(
    "id_", ["", "x", encoded("Run", "a"), encoded("RegistryEvent", "1"), encoded("RegistryEvent", 1, 2)]
)
@pytest.mark.parametrize("fields", ["nodes { id }", "totalCount", "__typename"])
async def test_after_what_is_no_event(client, id_, fields):
    """It is refused, and not taken for the beginning."""
    error = await client.refused(f"query ($id: ID!) {{ registryEvents(afterEvent: $id) {{ {fields} }} }}", id=id_)

    assert error["message"] == "`afterEvent` is no event's ID; pass the `id` of an event as it was given."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("text", ["models", "actor"])
async def test_a_filter_with_nul(client, text):
    """A text with NUL is refused: no database holds one."""
    value = "a\0" if text == "actor" else ["a\0"]

    assert (await client.refused(EVENTS % "id", **{text: value}))["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("order", ["NEWEST_FIRST", "OLDEST_FIRST"])
@pytest.mark.parametrize("size", [1, 2, 4, 9])
@pytest.mark.parametrize("since", [None, moment(3)])
async def test_all_pages_of_events(told_store, client, order, size, since):
    """Page by page each is there once, in the order of all, also when others come meanwhile."""
    found, after = [], None
    while True:
        asked = {"orderBy": order, "first": size, "after": after, "since": since}
        page = (await client.ask(EVENTS % "id", **asked))["registryEvents"]
        found += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]

    numbers = list(range(3 if since else 1, 10))
    assert found == list(map(numbered, numbers if order == "OLDEST_FIRST" else reversed(numbers)))


async def test_events_come_newest_first(told_store, client):
    """Where no order is asked for, twenty of them."""
    answer = await client.ask("{ registryEvents { nodes { id } } }")

    assert answer["registryEvents"]["nodes"] == [{"id": numbered(number)} for number in range(9, 0, -1)]


async def test_a_cursor_of_another_order(told_store, client):
    """It is refused."""
    page = (await client.ask(EVENTS % "id", first=1))["registryEvents"]["pageInfo"]

    error = await client.refused(EVENTS % "id", orderBy="NEWEST_FIRST", after=page["endCursor"])

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_polling_with_one_statement(told_store, client, statements):
    """Who asks again and again, after the last event that was handled, asks in the same words each time."""
    texts = set()
    for number in range(9):
        query = "query ($id: ID!) { registryEvents(afterEvent: $id, orderBy: OLDEST_FIRST) { nodes { id } } }"
        answer = await client.ask(query, id=numbered(number))
        assert answer["registryEvents"]["nodes"][0] == {"id": numbered(number + 1)}
        [text] = statements
        texts.add(text)

    assert len(texts) == 1
