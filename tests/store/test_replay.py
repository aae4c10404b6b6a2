"""Whatever is changed, and however, the history replayed is what MLflow shows."""

import os
import warnings
from collections import defaultdict
from contextlib import suppress
from itertools import pairwise

import pytest
import sqlalchemy
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException

from lineage_api.migrations import recording
from lineage_api.registry import aliases, models, restore, tags, versions
from lineage_api.registry.outcome import Asked
from lineage_api.registry.reasons import Refused
from lineage_api.registry.units import Units
from tests.histories import KINDS, differs, drop_triggers, opened, rows, sql
from tests.mariadb import delete_all

PHASES = (Phase.explicit, Phase.generate)
"""What fails is not made smaller, which would take minutes."""
EXAMPLES = int(os.environ.get("LINEAGE_API_EXAMPLES", "20"))
NAMES, TEXTS, KEYS = ["a", "b", "c"], ["", "x", "X", "it's"], ["k", "team/x"]
STAGES = ["None", "Staging", "Production", "Archived"]

REFUSALS = {"RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"}
IS_TAKEN = "would lead to a duplicate entry"
"""What MariaDB says of a name that is taken, where the versions are renamed with their model."""

name, text, key = st.sampled_from(NAMES), st.sampled_from(TEXTS), st.sampled_from(KEYS)
alias, version, stage = st.sampled_from(["one", "two"]), st.integers(1, 3), st.sampled_from(STAGES)


def call(method, *given):
    """A call of MLflow's client."""
    return st.tuples(st.just(method), *given)


CALLS = st.one_of(
    call("create_registered_model", name, st.dictionaries(key, text, max_size=1), text),
    call("create_model_version", name, st.just("s3://b"), st.none(), st.dictionaries(key, text, max_size=1)),
    call("create_model_version", name, st.just("s3://b")),
    call("transition_model_version_stage", name, version, stage, st.booleans()),
    call("set_registered_model_alias", name, alias, version),
    call("set_registered_model_alias", name, alias, version),
    call("transition_model_version_stage", name, version, stage, st.just(True)),
    call("rename_registered_model", name, name),
    call("delete_registered_model", name),
    call("delete_model_version", name, version),
    call("update_registered_model", name, text),
    call("update_model_version", name, version, text),
    call("set_registered_model_tag", name, key, text),
    call("delete_registered_model_tag", name, key),
    call("set_model_version_tag", name, version, key, text),
    call("delete_model_version_tag", name, version, key),
    call("delete_registered_model_alias", name, alias),
)
STATEMENTS = st.sampled_from([
    "UPDATE registered_models SET name = :other WHERE name = :name",
    "UPDATE registered_models SET description = NULL WHERE name = :name",
    "UPDATE model_versions SET current_stage = 'Production', description = 'sql' WHERE name = :name",
    "UPDATE model_versions SET current_stage = 'Archived' WHERE current_stage = 'Deleted_Internal'",
    "UPDATE model_versions SET version = version + 10 WHERE name = :name AND version < 3",
    "UPDATE registered_model_aliases SET alias = 'two' WHERE alias = 'one' AND name = :name",
    'UPDATE registered_model_tags SET "key" = \'new\' WHERE name = :name',
    "UPDATE model_version_tags SET value = NULL WHERE name = :name",
    "DELETE FROM model_version_tags WHERE name = :name",
    "DELETE FROM model_versions WHERE name = :name AND version = 2",
    "DELETE FROM registered_model_aliases WHERE name = :name",
    "DELETE FROM registered_models WHERE name = :name",
])  # fmt: skip
BEGINNING = [
    *(f"INSERT INTO registered_models (workspace, name, creation_time) VALUES ('default', '{of}', {at})"
      for at, of in ((1, "a"), (1, "b"))),
    *(f"""INSERT INTO model_versions (workspace, name, version, current_stage, description)
      VALUES ('default', '{of}', {number}, 'Production', 'x')""" for of in "ab" for number in (1, 2)),
    *(f"INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', '{of}', 'one', 1)"
      for of in "ab"),
    "INSERT INTO model_version_tags (workspace, name, version, \"key\", value) VALUES ('default', 'a', 1, 'k', 'x')",
]  # fmt: skip
CHANGES = {
    "create": lambda unit, name, text: models.create(unit, name, text, [("k", text)]),
    "rename": models.update,
    "delete": models.delete,
    "register": lambda unit, name, text: versions.register(unit, name, FILES, text, [], create_model=True),
    "describe": versions.update,
    "transition": lambda unit, name, version, stage, archive: versions.transition(
        unit, name, version, stage, archive_existing=archive and stage in versions.ACTIVE, expected=versions.Expected()
    ),
    "remove": versions.delete,
    "restore": lambda unit, name, version: restore.restored(unit, name, version, None),
    "copy": lambda unit, name, version, other: versions.copy(unit, versions.Ref(name, version), other),
    "alias": lambda unit, name, alias, version: aliases.set_to(unit, name, alias, version, None),
    "unalias": aliases.remove,
    "tag": lambda unit, name, key, text: tags.set_to(unit, tags.Subject("RegisteredModel", [name]), [(key, text)]),
}
"""What our API does."""
FILES = versions.From(source="s3://b/m")


def ours(what, *given):
    """A change by our API."""
    return st.tuples(st.just("ours"), st.just(what), *given)


OURS = st.one_of(
    ours("create", name, text),
    ours("rename", name, name, text),
    ours("delete", name),
    ours("register", name, text),
    ours("describe", name, version, text),
    ours("transition", name, version, stage, st.booleans()),
    ours("remove", name, version),
    ours("restore", name, version),
    ours("copy", name, version, name),
    ours("alias", name, alias, version),
    ours("unalias", name, alias),
    ours("tag", name, key, text),
)
STEPS = st.one_of(
    CALLS,
    CALLS,
    OURS,
    OURS,
    st.tuples(st.just("sql"), STATEMENTS, name, name),
    st.sampled_from([("drop",), ("catch_up",)]),
)


def changed(store, step):
    """Makes a change, if it can be made."""
    match step:
        case ("drop",):
            drop_triggers_that_are_there(store)
        case ("catch_up",):
            recording.catch_up(store.uri)
        case ("ours", what, *given):
            if store.kind in {"sqlite", "postgresql"}:  # others are not served
                with suppress(Refused):
                    store.units.made(Asked(what), lambda unit: CHANGES[what](unit, *given))
        case ("sql", statement, name, other):
            given = {key: value for key, value in (("name", name), ("other", other)) if f":{key}" in statement}
            try:
                sql(store, statement, **given)
            except sqlalchemy.exc.DBAPIError as error:
                if not isinstance(error, sqlalchemy.exc.IntegrityError) and IS_TAKEN not in str(error):
                    raise
            if "SET version" in statement:  # which no trigger sees, so that what follows would be said of nobody
                recording.catch_up(store.uri)
        case (method, *given):
            called(store.client, method, *given)


def called(client, method, *given):
    """A call of MLflow's client, which may refuse, but not because of us."""
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        try:
            getattr(client, method)(*given)
        except MlflowException as refusal:
            is_known = IS_TAKEN in refusal.message or "cannot archive existing" in refusal.message
            if refusal.error_code not in REFUSALS and not is_known:
                raise


def drop_triggers_that_are_there(store):
    """As a migration does."""
    if not recording.looked_at(store.uri).missing:
        drop_triggers(store)


def shown(client):
    """What MLflow shows of its registry."""
    found = {}
    for model in client.search_registered_models(max_results=100):
        versions = client.search_model_versions(f"name = '{model.name}'")
        found[model.name] = {
            "description": model.description or None,
            "tags": said(model.tags),
            "aliases": {alias: int(version) for alias, version in model.aliases.items()},
            "versions": {
                int(each.version): (each.current_stage, each.description or None, said(each.tags)) for each in versions
            },
        }
    return found


def said(tags):
    """Tags, where one without a value is one with an empty one."""
    return {key: value or "" for key, value in tags.items()}


class Replay:
    """What the events say, one after the other."""

    def __init__(self, events):
        self.models, self.stages, self.said = {}, defaultdict(dict), defaultdict(dict)
        self.aliases, self.tags = defaultdict(dict), defaultdict(dict)
        for each in events:
            self.of_model(each["model_id"], each)
            self.of_version(each["model_id"], each["version"], each)

    def of_model(self, of, each):
        match each["kind"]:
            case "MODEL_CREATED" | "MODEL_RENAMED":
                self.models[of] = each["model_name"]
            case "MODEL_DELETED":
                del self.models[of]
            case "ALIAS_SET":
                self.aliases[of][each["alias"]] = each["version"]
            case "ALIAS_REMOVED":
                assert self.aliases[of].pop(each["alias"]) == each["previous_version"]

    def of_version(self, of, number, each):
        match each["kind"]:
            case "VERSION_DELETED":
                del self.stages[of][number]
                self.said[of].pop(number, None)  # its row is gone, and with it what it said; or MLflow has cleared it
            case "VERSION_REGISTERED" | "VERSION_RESTORED" | "STAGE_CHANGED":
                self.stages[of][number] = each["to_stage"]
            case "DESCRIPTION_CHANGED":
                self.said[of][number] = each["value"]
            case "TAG_SET":
                self.tags[of, number][each["key"]] = each["value"]
            case "TAG_REMOVED":
                assert self.tags[of, number].pop(each["key"]) == each["previous_value"]

    def shown(self):
        """As MLflow shows it."""
        return {name: self._model(of) for of, name in self.models.items()}

    def _model(self, of):
        said = self.said[of]
        versions = {
            version: (stage, said.get(version), self.tags[of, version]) for version, stage in self.stages[of].items()
        }
        return {
            "description": said.get(None),
            "tags": self.tags[of, None],
            "aliases": self.aliases[of],
            "versions": versions,
        }


def require_one_chain(events):
    """Times go on with the order, and where an event is followed by another in its slot, one begins as one ends."""
    times = [each["occurred_at"] for each in events]
    assert times == sorted(times)
    slots = defaultdict(list)
    for each in events:
        slots[each["model_id"], each["slot"]].append(each)
    for one, other in (pair for chain in slots.values() for pair in pairwise(chain)):
        assert one["ended_at"] is not None
        is_end = one["ended_at"] == one["occurred_at"] or one["kind"] == "VERSION_DELETED"
        is_gone = other["kind"] == "VERSION_REGISTERED" or one["kind"] == "DESCRIPTION_CHANGED"
        assert one["ended_at"] == other["occurred_at"] or is_end or is_gone, (one, other)


@pytest.fixture(scope="module", params=KINDS)
def store(request, templates, tmp_path_factory):
    """A store of each kind, for all examples."""
    with opened(request.param, templates, tmp_path_factory.mktemp("replay")) as made:
        recording.begin(made.uri)
        made.units = Units(made.uri)
        yield made
        made.units.close()


@settings(phases=PHASES, max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(steps=st.lists(STEPS, min_size=8, max_size=25))
@example(
    steps=[
        ("sql", "DELETE FROM model_versions WHERE name = :name AND version = 2", "a", "b"),
        ("create_model_version", "a", "s3://b"),
    ]
)
def test_the_history_is_equal_to_the_tables(store, steps):
    """After any changes by our API, MLflow's client and SQL, with triggers or without, once both were compared."""
    delete_all(store)
    recording.catch_up(store.uri)
    sql(store, *BEGINNING)
    for step in steps:
        changed(store, step)
    recording.catch_up(store.uri)

    events = rows(store)
    assert Replay(events).shown() == shown(store.client)
    require_one_chain(events)
    assert recording.catch_up(store.uri).added == 0
    assert not differs(store)
