"""How tags are set and removed, on whatever has them, through the whole server."""

import pytest

from lineage_api.graph.identity import encoded
from tests.changing import EVENTS, event, prompt

SELECTED = f"subject {{ __typename id tags {{ key value }} }} {EVENTS}"
KINDS = ["Experiment", "Run", "LoggedModel", "RegisteredModel", "ModelVersion"]
LONGEST = {
    "Experiment": 20_000,
    "Run": 8_000,
    "LoggedModel": 100_000,
    "RegisteredModel": 5_000,
    "ModelVersion": 100_000,
}


@pytest.fixture
def ids(store):
    """The ID of one object of each type that has tags, each of which has the tag `there`."""
    tags = {"there": "before"}
    experiment = store.experiment("e", **tags)
    run = store.run(experiment, tags=tags)
    logged = store.logged_model(experiment, run_id=run, tags=tags)
    store.registered_model("m", tags=tags)
    store.version("m", source="s3://b/1", tags=tags)
    return {
        "Experiment": encoded("Experiment", int(experiment)),
        "Run": encoded("Run", run),
        "LoggedModel": encoded("LoggedModel", logged.model_id),
        "RegisteredModel": encoded("RegisteredModel", "m"),
        "ModelVersion": encoded("ModelVersion", "m", 1),
    }


def seen(store, kind):
    """The tags that MLflow's own client sees."""
    client = store.client
    experiment = client.get_experiment_by_name("e")
    found = {
        "Experiment": lambda: experiment,
        "Run": lambda: client.search_runs([experiment.experiment_id])[0].data,
        "LoggedModel": lambda: client.search_logged_models([experiment.experiment_id])[0],
        "RegisteredModel": lambda: client.get_registered_model("m"),
        "ModelVersion": lambda: client.get_model_version("m", 1),
    }[kind]()
    return {key: value for key, value in found.tags.items() if not key.startswith("mlflow.")}


async def test_setting_and_removing(store, changer, ids):
    """A key that is there gets the new value; history has events of the registry alone."""
    for kind in KINDS:
        tags = [{"key": "there", "value": "after"}, {"key": "team/new", "value": ""}]
        version = 1 if kind == "ModelVersion" else None
        recorded = kind in {"RegisteredModel", "ModelVersion"}

        changed = await changer.change("setTags", SELECTED, subjectId=ids[kind], tags=tags, reason="why")

        set_ = [
            event("TAG_SET", version=version, key="there", value="after", previousValue="before", reason="why"),
            event("TAG_SET", version=version, key="team/new", value="", reason="why", cause={"kind": "TAG_SET"}),
        ]
        assert changed == {
            "subject": {"__typename": kind, "id": ids[kind], "tags": sorted(tags, key=lambda tag: tag["key"])},
            "events": set_ if recorded else [],
        }
        assert seen(store, kind) == {"there": "after", "team/new": ""}

        changed = await changer.change("removeTags", SELECTED, subjectId=ids[kind], keys=["team/new", "there"])

        gone = [
            event("TAG_REMOVED", version=version, key="team/new", previousValue=""),
            event("TAG_REMOVED", version=version, key="there", previousValue="after", cause={"kind": "TAG_REMOVED"}),
        ]
        assert changed == {
            "subject": {"__typename": kind, "id": ids[kind], "tags": []},
            "events": gone if recorded else [],
        }
        assert seen(store, kind) == {}


async def test_the_longest_of_each(store, changer, refused, ids):
    """Keys and values of the greatest length are kept on both databases, and one character more is refused."""
    for kind in KINDS:
        tag = {"key": "k" * 250, "value": "v" * LONGEST[kind]}
        await changer.change("setTags", subjectId=ids[kind], tags=[tag])
        assert seen(store, kind)["k" * 250] == tag["value"]
        longer = {each: text + text[0] for each, text in tag.items()}
        errors = await refused("setTags", subjectId=ids[kind], tags=[longer])
        assert [(error["__typename"], error["path"]) for error in errors] == [
            ("InvalidInputError", ["tags", "0", "key"]),
            ("InvalidInputError", ["tags", "0", "value"]),
        ]
        [error] = await refused("removeTags", subjectId=ids[kind], keys=["k" * 256])
        assert (error["__typename"], error["path"]) == ("InvalidInputError", ["keys", "0"])


async def test_the_name_of_a_run_is_a_tag(store, changer, refused, ids):
    """As MLflow has it: with the tag the run is renamed."""
    tag = {"key": "mlflow.runName", "value": "renamed"}

    changed = await changer.change(
        "setTags", "subject { ... on Run { name } } events { kind }", subjectId=ids["Run"], tags=[tag]
    )

    assert changed == {"subject": {"name": "renamed"}, "events": []}
    [error] = await refused("setTags", subjectId=ids["Run"], tags=[{**tag, "value": "x" * 251}])
    assert (error["__typename"], error["path"]) == ("InvalidInputError", ["tags", "0", "value"])


async def test_tags_that_cannot_be_set_or_removed(refused, ids):
    """None at all, one twice, one that is not there, one that would make a prompt: all or nothing."""
    one = {"key": "there", "value": "x"}
    for kind in KINDS:
        cases = [
            ("setTags", {"tags": []}, "InvalidInputError", ["tags"]),
            ("setTags", {"tags": [one, one]}, "InvalidInputError", ["tags", "1", "key"]),
            ("setTags", {"tags": [one, {"key": "../x", "value": ""}]}, "InvalidInputError", ["tags", "1", "key"]),
            ("removeTags", {"keys": []}, "InvalidInputError", ["keys"]),
            ("removeTags", {"keys": ["there", "there"]}, "InvalidInputError", ["keys", "1"]),
            ("removeTags", {"keys": ["there", "none"]}, "NotFoundError", ["keys", "1"]),
        ]
        if kind in {"RegisteredModel", "ModelVersion"}:
            mark = {"key": "mlflow.prompt.is_prompt", "value": "true"}
            cases.append(("setTags", {"tags": [mark]}, "InvalidInputError", ["tags", "0", "key"]))
        for mutation, given, type_, path in cases:
            [error] = await refused(mutation, subjectId=ids[kind], **given)
            assert (error["__typename"], error["path"]) == (type_, path), (kind, mutation, given)


async def test_what_cannot_be_tagged(store, refused, ids):
    """Datasets, events, prompts, what is no ID, and what is not there, be it deleted."""
    prompt(store, "greeting")
    store.version("m", source="s3://b/2")
    store.client.delete_model_version("m", 2)
    store.client.delete_logged_model(ids_of(ids["LoggedModel"])[0])
    nowhere = [
        encoded("Dataset", "d", "1"),
        encoded("RegistryEvent", 1),
        encoded("RegisteredModel", "greeting"),
        encoded("RegisteredModel", "none"),
        encoded("ModelVersion", "m", 2),
        encoded("ModelVersion", "m", 3),
        encoded("ModelVersion", "none", 1),
        encoded("ModelVersion", "m", 2**40),
        encoded("Run", "none"),
        encoded("Experiment", 2**40),
        encoded("Experiment", "x"),
        encoded("LoggedModel", "m-none"),
        ids["LoggedModel"],
        "garbage",
        "",
    ]
    for id_ in nowhere:
        for mutation, given in (("setTags", {"tags": [{"key": "a", "value": "b"}]}), ("removeTags", {"keys": ["a"]})):
            [error] = await refused(mutation, subjectId=id_, **given)
            assert (error["__typename"], error["path"]) == ("NotFoundError", ["subjectId"]), id_


def ids_of(id_):
    """The key in an ID."""
    from lineage_api.graph.identity import decoded

    return decoded(id_)[1]


async def test_what_is_in_the_trash(store, refused, ids):
    """MLflow lets nobody change it either."""
    store.client.delete_run(ids_of(ids["Run"])[0])
    store.client.delete_experiment(str(ids_of(ids["Experiment"])[0]))
    for kind in ("Run", "Experiment"):
        for mutation, given in (
            ("setTags", {"tags": [{"key": "a", "value": "b"}]}),
            ("removeTags", {"keys": ["there"]}),
        ):
            assert await refused(mutation, subjectId=ids[kind], **given) == [
                {
                    "__typename": "InvalidInputError",
                    "message": "It is in the trash; restore it first.",
                    "path": ["subjectId"],
                }
            ]
