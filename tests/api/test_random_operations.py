"""Random operations on the real schema, over a store with all that is odd, are answered as graphql-core answers them.

LINEAGE_API_EXAMPLES sets how many are tried on each database; with any number set they differ from run to run.
"""

import asyncio
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import orjson
import pytest
from graphql import DocumentNode, ExecutionContext, ExecutionResult, GraphQLError, execute, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from lineage_api.api.context import Context
from lineage_api.api.limits import Limits, limits_of
from lineage_api.api.schema import executable
from lineage_api.config import Settings
from lineage_api.engine import ColumnarExecutionContext, answer
from lineage_api.engine.sql import Statement
from lineage_api.errors import LineageError
from lineage_api.graph.identity import encoded
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.database import Snapshot
from lineage_api.store.dialects import dialect_of
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.reading import database_of
from tests.abandoned import ABANDONED
from tests.api.random_operations import Operation, Pool, operations
from tests.conftest import Templates
from tests.stores import Store, filled

EXAMPLES = os.environ.get("LINEAGE_API_EXAMPLES")

pytestmark = ABANDONED


@settings(
    max_examples=int(EXAMPLES or 150),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(data=st.data())
def test_random_operations(asked, data):
    """The same data, their keys in the same order, and the same errors; and none of them is a defect."""
    operation = data.draw(operations(executable(read_only=True), asked.known))
    document = parse(operation.document)
    assert not validate(executable(read_only=True), document)

    ours, theirs = asked.answers(operation, document)
    if ours.data is None and theirs.data is None:
        # Of fields behind the one for which all is null, graphql-core tells the errors that it came by before that.
        others = [error for error in theirs.errors if error not in ours.errors]
        assert ours.errors
        assert not {_root(error) for error in ours.errors} & {_root(error) for error in others}
        theirs = theirs._replace(errors=[error for error in theirs.errors if error in ours.errors])

    assert ours._replace(data=repr(ours.data)) == theirs._replace(data=repr(theirs.data))
    assert ours.defects == []
    for backend in asked.writing_json:
        assert (backend, asked.written(operation, document, backend)) == (backend, as_written(theirs))


def _root(error: tuple[str, str]) -> str:
    """The root field that an error is below."""
    return error[0].strip("[]").split(",")[0]


class Answer(NamedTuple):
    """All that can be told of an answer."""

    data: Any
    errors: Sequence[tuple[str, str]]
    defects: Sequence[str]
    """The errors that nobody who asks could have avoided."""


class Asked:
    """A store that both executors are asked about."""

    def __init__(self, uri: str) -> None:
        self._runner = asyncio.Runner()
        self._database = database_of(uri, backend="rows")
        self.writing_json: Sequence[str] = () if uri.startswith("sqlite") else ("best", "json")
        """The back ends by which the database writes the answer, or parts of it."""
        self._failures = Failures()
        self._artifacts = Artifacts(Settings().artifacts_destination, Settings().artifact_time_limit_s)
        self._services = {
            Artifacts: self._artifacts,
            ModelFiles: ModelFiles(self._artifacts),
            Limits: limits_of(Settings()),
        }
        self._runner.run(self._database.open())
        self._at_once = None if uri.startswith("sqlite") else AtOnce(uri)

    @cached_property
    def known(self) -> Pool:
        """What somebody who knows the store would give for arguments, and what somebody who does not."""
        return known_values(self)

    def close(self) -> None:
        if self._at_once:
            self._runner.run(self._at_once.close())
        self._runner.run(self._database.close())
        self._artifacts.close()
        self._runner.close()

    def answers(self, operation: Operation, document: DocumentNode) -> tuple[Answer, Answer]:
        """Our answer and graphql-core's."""
        ours = self._runner.run(self._result(operation, document, ColumnarExecutionContext))
        theirs = self._runner.run(self._result(operation, document, ExecutionContext))
        return _told(ours), _told(theirs)

    def written(self, operation: Operation, document: DocumentNode, backend: str) -> Answer:
        """Our answer by a back end that has the database write JSON, as it is sent."""
        with self._failures:
            result = self._runner.run(self._result(operation, document, ColumnarExecutionContext, backend))
        return as_written(_told(result))

    def data(self, query: str) -> Any:
        """What a query finds."""
        result = self._runner.run(self._result(Operation(query, None, {}), parse(query), ColumnarExecutionContext))
        assert not result.errors
        return result.data

    async def _result(
        self, operation: Operation, document: DocumentNode, context: type[ExecutionContext], backend: str = "rows"
    ) -> ExecutionResult:
        snapshot: Any = self._database.snapshot()
        snapshot.backend = backend
        # Where nothing is waited for, graphql-core's errors do not depend on what was ready first.
        reader: Any = self._at_once if self._at_once and context is ExecutionContext else snapshot
        try:
            given = {"variable_values": operation.variables, "operation_name": operation.name}
            asking = Context(reader, self._services, 100)
            if context is ColumnarExecutionContext:
                return await answer(executable(read_only=True), document, asking, **given)
            result = execute(
                executable(read_only=True), document, context_value=asking, execution_context_class=context, **given
            )
            return result if isinstance(result, ExecutionResult) else await result
        finally:
            await snapshot.close()


class Failures(logging.Handler):
    """Fails where a statement did that the engine wrote, even if rows have answered in its place."""

    def __enter__(self) -> None:
        logging.getLogger("lineage_api.engine").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("lineage_api.engine").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            raise AssertionError(record.getMessage()) from (record.exc_info or (None, None))[1]


class AtOnce(Snapshot):
    """A reader of PostgreSQL that gives rows at once."""

    dialect = dialect_of("postgresql")

    def __init__(self, uri: str) -> None:
        import psycopg

        address = make_url(uri).set(drivername="postgresql").render_as_string(False)
        self._connection = psycopg.connect(address, cursor_factory=psycopg.RawCursor)
        self._connection.autocommit = True

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement.text, statement.parameters(values)).fetchall()

    async def close(self) -> None:
        self._connection.close()


def _told(result: ExecutionResult) -> Answer:
    errors = result.errors or []
    # Errors of merged or shared rows may come in another order than they stand in.
    told = sorted((repr(error.path), error.message) for error in errors)
    return Answer(result.data, told, [repr(error.original_error) for error in errors if _is_defect(error)])


def as_written(answer: Answer) -> Answer:
    """An answer with its data as they are sent, in which one number may be written in several ways."""
    return answer._replace(data=_comparable(orjson.loads(orjson.dumps(answer.data))))


def _comparable(value: Any) -> Any:
    match value:
        case dict():
            return [(key, _comparable(part)) for key, part in value.items()]
        case list():
            return [_comparable(part) for part in value]
        case float() if value.is_integer():
            return (int, int(value))
        case _:
            return (type(value), value)


def _is_defect(error: GraphQLError) -> bool:
    return not isinstance(error.original_error, LineageError | GraphQLError | None)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: Any) -> Iterator[Store]:
    """A store with a little of everything."""
    with filled(request.param, templates, tmp_path_factory.mktemp(request.param)) as made:
        fill(made)
        yield made


@pytest.fixture(scope="module")
def asked(store: Store) -> Iterator[Asked]:
    """Both executors, asked about that store."""
    asked = Asked(store.uri)
    yield asked
    asked.close()


def fill(store: Store) -> None:
    """Makes some of everything that MLflow knows, and some of what only old versions or mistakes leave behind."""
    flights, trains = store.experiment("flights", team="ops", note=""), store.experiment("trains")
    empty, gone = store.experiment("empty"), store.experiment("gone")
    parent = store.run(
        flights, "parent", params={"p": 1, "q": ""}, metrics={"m": 1.5, "n": math.nan}, tags={"mlflow.user": "ann"}
    )
    child = store.run(flights, "child", parent=parent, start=2_000, params={"p": 2}, metrics={"m": math.inf, "n": -1.0})
    store.run(trains, "grandchild", parent=child, start=2_000, status="FAILED", tags={"team": "ops"})
    runs = [store.run(trains, f"run {number}", start=3_000, metrics={"m": float(number)}) for number in range(3)]
    running, deleted = store.run(flights, "running", status="RUNNING"), store.run(flights, "deleted", parent=parent)
    store.metric(parent, "loss", 3.0, math.nan, -math.inf, 1.0)
    store.metric(child, "loss", 0.5, 0.5, step=7)
    store.client.set_tag(parent, "mlflow.source.git.commit", "abcdef0123")
    store.client.set_tag(child, "mlflow.note.content", "A note.")
    inputs = [(parent, "1", "training"), (child, "1", None), (runs[0], "2", "eval"), (runs[0], "1", "")]
    for run, digest, context in inputs:
        store.dataset(run, "taxi", digest, context, schema='{"columns": [1]}', profile="no json")
    fill_models(store, flights, parent, runs, deleted)
    store.client.delete_run(deleted)
    store.client.delete_experiment(gone)
    store.sql("UPDATE runs SET start_time = NULL, end_time = 7, name = '' WHERE run_uuid = :id", id=running)
    store.sql("UPDATE experiments SET creation_time = NULL WHERE experiment_id = :id", id=int(empty))


def fill_models(store: Store, experiment: str, parent: str, runs: Sequence[str], deleted: str) -> None:
    """Models, logged and registered, with versions of every origin."""
    logged = store.logged_model(experiment, "model", parent, params={"depth": "3"}, tags={"team": "ops"})
    alone = store.logged_model(experiment, "alone", model_type="agent")
    store.used_model(runs[0], logged.model_id)
    store.used_model(runs[1], logged.model_id)
    store.metric(runs[0], "m", 0.25, model_id=logged.model_id, dataset_name="taxi", dataset_digest="1")
    folder = store.artifacts / "files" / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {sklearn: {}}\nmodel_size_bytes: 12\n")
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("text")
    store.registered_model("m", description="", tags={"team": "ops"})
    store.registered_model("other")
    store.registered_model("nothing")
    for options in (
        {"model_id": logged.model_id},
        {"model_id": alone.model_id},
        {"run_id": parent},
        {"source": f"runs:/{runs[0]}/model"},
        {"source": str(folder)},
        {"run_id": deleted, "description": "Of a run in the trash."},
        {"source": "s3://nowhere/at/all"},
    ):
        store.version("m", **options)
    store.copied("m", 1, "other")
    store.copied("m", 3, "other")
    store.stage("m", 1, "Production")
    store.stage("m", 2, "Production")
    store.stage("m", 3, "Staging")
    store.alias("m", "champion", 2)
    store.alias("m", "copy", 3)
    store.client.delete_model_version("m", "6")
    store.client.set_model_version_tag("m", "1", "team", "ml")
    store.prompt("prompt")
    store.sql("UPDATE model_versions SET creation_time = NULL, status = '' WHERE name = 'm' AND version = 4")


def known_values(asked: Asked) -> dict[str, Sequence[Any]]:
    """Pools by the names of arguments: what is in the store, some of what is not, and what is refused."""
    found = asked.data(KNOWN)
    runs = [run["runId"] for run in found["runs"]["nodes"]]
    models = [model["modelId"] for model in found["loggedModels"]["nodes"]]
    cursors = sorted(set(_cursors(found)))
    ids = sorted(set(_ids(found)))
    odd = [("Run", "gone"), ("Experiment", "1"), ("ModelVersion", "m", 6), ("Tag", 1)]
    odd_ids = ["no", *(encoded(*key) for key in odd)]
    return {
        "id": [*ids, *odd_ids],
        "ids": [ids[:3], [*odd_ids, ids[0], ids[0]], [], ids[-1]],
        "Query.run.runId": [*runs, "gone"],
        "Query.compareRuns.base": [*runs, "gone"],
        "Query.compareRuns.head": [*runs, "gone"],
        "Query.loggedModel.modelId": [*models, "gone"],
        "experimentId": ["1", "2", "4", "99", "x"],
        "experimentIds": [["1"], ["2", "x"], []],
        "name": ["flights", "m", "taxi", "model", "gone", "a\0"],
        "ModelVersionRef.model": ["m", "other", "prompt", "gone"],
        "models": [["m"], ["other", "gone"], []],
        "digest": ["1", "2", ""],
        "context": ["training", "eval", ""],
        "path": ["", "data", "model", "../..", "MLmodel"],
        "first": [1, 2, 3, 50, 0, 101],
        "after": [*cursors, "", "nonsense", "W10"],
        "maxBytes": [10, 0],
        "number": [1, 2, 6, 99],
        "version": [1, 3, 6, 99],
        "alias": ["champion", "copy", "gone"],
        "aliases": [["champion"], ["gone"], []],
        "names": [["python"], []],
        "keys": [["team"], ["p", "m", "depth"], [], ["mlflow.user"]],
        "key": ["m", "n", "loss", "p", "q", "team", "mlflow.user", "gone"],
        "eq": ["1", "ops", ""],
        "contains": ["p", "", "%"],
        "metric": ["m", "loss", "gone"],
        "param": ["p", "q"],
        "commit": ["abc", "ABCDEF0123", ""],
        "users": [["ann"], []],
        "nameContains": ["RUN", "i", "%"],
        "matching": ["metrics.m < 2", "tags.team = 'ops' AND params.p = '1'", "no sense", ""],
        **{f"NumberCondition.{name}": [0, 1.5, -1] for name in ("eq", "ne", "gt", "gte", "lt", "lte")},
        "DateTime": ["1970-01-01T00:00:02+00:00", "2020-01-01T01:00:00+01:00", "9999-01-01T00:00:00Z"],
        "BigInt": [1],
        "JSON": [{"a": 1}],
    }


KNOWN = """{
    runs(first: 100) { nodes { id runId
        metricHistory(key: "loss", first: 1) { pageInfo { endCursor } }
        children(first: 1) { pageInfo { endCursor } }
        loggedModels(first: 1) { pageInfo { endCursor } }
        modelVersions(first: 1) { pageInfo { endCursor } }
    } pageInfo { startCursor } }
    named: runs(orderBy: {field: NAME, direction: ASC}, first: 2) { pageInfo { endCursor } }
    measured: runs(orderBy: {metric: "m"}, first: 2) { pageInfo { endCursor } }
    unmeasured: runs(orderBy: {metric: "m"}, first: 100) { pageInfo { endCursor } }
    experiments(first: 2) { nodes { id runs(first: 1) { pageInfo { endCursor } } } pageInfo { endCursor } }
    datasets(first: 1) { nodes { id } pageInfo { endCursor } }
    loggedModels(first: 2) { nodes { id modelId } pageInfo { startCursor } }
    registeredModels { nodes { id versions(first: 2) { nodes { id } pageInfo { endCursor } } } pageInfo { endCursor } }
    modelVersions(first: 2) { pageInfo { endCursor } }
}"""


def _cursors(found: Any) -> Iterator[str]:
    return (value for key, value in _leaves(found) if key.endswith("Cursor") and value)


def _ids(found: Any) -> Iterator[str]:
    return (value for key, value in _leaves(found) if key == "id")


def _leaves(found: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All leaves of an answer, with their keys."""
    match found:
        case dict():
            return (leaf for name, part in found.items() for leaf in _leaves(part, name))
        case list():
            return (leaf for part in found for leaf in _leaves(part, key))
        case _:
            return iter([(key, found)])
