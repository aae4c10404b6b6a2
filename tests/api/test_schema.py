"""The schema: described throughout, as it is committed, and each of its fields works by itself."""

import json
import re
from collections import defaultdict, deque
from itertools import cycle
from pathlib import Path
from textwrap import dedent

import pytest
from graphql import (
    GraphQLObjectType,
    build_client_schema,
    build_schema,
    get_introspection_query,
    get_named_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_introspection_type,
    is_object_type,
    is_required_argument,
    is_specified_scalar_type,
    lexicographic_sort_schema,
    print_schema,
)

from lineage_api.api.schema import executable, sdl
from lineage_api.store.feed import Wanted
from lineage_api.webhooks import records
from lineage_api.webhooks.sending import Attempt
from tests import stores
from tests.asking import Client
from tests.histories import connected

SCHEMA = executable()
COMMITTED = (Path(__file__).parents[2] / "schema.graphql").read_text(encoding="utf-8")
TYPES = [
    each
    for name, each in sorted(SCHEMA.type_map.items())
    if not is_introspection_type(each) and not is_specified_scalar_type(each)
]


def described(type_):
    """Everything of a type that people read: where it stands, and its description."""
    yield type_.name, type_.description
    if is_enum_type(type_):
        yield from ((f"{type_.name}.{name}", value.description) for name, value in type_.values.items())
    for name, field in getattr(type_, "fields", {}).items():
        yield f"{type_.name}.{name}", field.description
        for argument, described_too in getattr(field, "args", {}).items():
            yield f"{type_.name}.{name}({argument}:)", described_too.description


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_everything_is_described(type_):
    """By a sentence: it begins like one, it ends like one, and it is on one line."""
    bad = {place: text for place, text in described(type_) if not re.fullmatch(r"[A-Z].*[^.]\.", text or "", re.DOTALL)}

    assert bad == {}
    assert [place for place, text in described(type_) if "\n" in text] == []


def test_the_schema_is_the_committed_one():
    """Whoever changes it changes the file as well."""
    assert sdl() == COMMITTED


async def test_the_schema_that_is_executed_is_the_committed_one(http):
    """What the server says of itself is what the file says, descriptions and defaults included."""
    query = get_introspection_query(specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True)
    answer = await http.post("/graphql", json={"query": query})
    served = build_client_schema(answer.json()["data"])

    assert print_schema(lexicographic_sort_schema(served)) == print_schema(
        lexicographic_sort_schema(build_schema(COMMITTED))
    )


# A small store, in which each arrow leads somewhere.


def fill(store):
    """Makes it, and gives what its questions need."""
    experiment = store.experiment("flights", team="ops")
    code = {"mlflow.source.name": "train.py", "mlflow.user": "ann", "mlflow.note.content": "A note."}
    git = {f"mlflow.source.git.{key}": key for key in ("repoURL", "commit", "branch", "dirty")}
    sweep = store.run(experiment, "sweep")
    base = store.logged_model(experiment, "base", sweep)
    tags = code | git | {"team": "ops"}
    run = store.run(experiment, "forest", start=2_000, parent=sweep, tags=tags, params={"depth": 5})
    store.dataset(run, "taxi", "1f0c", schema='{"mlflow_colspec": []}', profile='{"num_rows": 3}')
    store.used_model(run, base.model_id)
    made = {"model_type": "forest", "params": {"depth": "5"}, "tags": {"team": "ops"}}
    model = store.logged_model(experiment, "model", run, **made)
    on_data = {"dataset_name": "taxi", "dataset_digest": "1f0c"}
    store.metric(run, "rmse", 2.0, 1.5, float("nan"), 1.0, **on_data)
    store.metric(run, "mae", 1.0, model_id=model.model_id, **on_data)
    evaluation = store.run(experiment, "evaluation", start=3_000, parent=run)
    store.used_model(evaluation, model.model_id)
    store.registered_model("first")
    first = store.version("first", run_id=run, model_id=model.model_id, description="One.", tags={"team": "ops"})
    store.registered_model("taxi", description="A model.", tags={"team": "ops"})
    number = store.copied("first", first, "taxi")
    store.client.set_model_version_tag("taxi", str(number), "team", "ops")
    store.alias("taxi", "champion", number)
    for each in (store.copied("first", first, "taxi"), store.copied("first", first, "taxi"), number):
        store.stage("taxi", each, "Production", archive=True)
    write_files(Path(store.client.get_run(run).info.artifact_uri))
    write_files(Path(model.artifact_location))
    # One with which all is otherwise.
    older = code | {"mlflow.source.git.commit": "older"}
    before = store.run(experiment, "tree", end=5_000, tags=older, params={"depth": 4}, metrics={"mae": 2.0})
    store.dataset(before, "taxi", "2a2a")
    folder = Path(store.client.get_run(before).info.artifact_uri, "model")
    write_files(folder, scikit_learn="1.4.0", size=900, column="minutes")
    store.version("first", run_id=before, source=str(folder))
    store.sql("UPDATE lineage_events SET cause_id = 1 WHERE id > 1")
    webhook(store)
    return {"run": run, "model": model.model_id, "before": before}


def webhook(store):
    """A webhook, and an attempt to send it an event."""
    wanted = Wanted(frozenset({"taxi"}), frozenset({"STAGE_CHANGED"}), frozenset({"Production"}))
    attempt = Attempt(status=503, error="answered 503", duration_ms=12, retry_after_s=None)
    with connected(store) as connection:
        made = records.add(connection, url="https://ci.example/", secret="whsec_", head=1, wanted=wanted)
        records.log(connection, made.id, "EVENT", attempt, 1)


def write_files(folder, scikit_learn="1.5.0", size=1234, column="distance"):
    """A model's files, as MLflow writes them."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "notes.txt").write_text("notes")
    (folder / "requirements.txt").write_text(f"scikit-learn=={scikit_learn}\n")
    (folder / "python_env.yaml").write_text("python: 3.11.7\ndependencies: [-r requirements.txt]\n")
    (folder / "MLmodel").write_text(
        dedent(f"""
            flavors:
              python_function: {{env: {{virtualenv: python_env.yaml}}}}
              sklearn: {{sklearn_version: 1.5.0}}
            mlflow_version: 3.17.2
            model_size_bytes: {size}
            signature:
              inputs: '[{{"type": "double", "name": "{column}", "required": true}}]'
              outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "float64", "shape": [-1]}}}}]'
              params: '[{{"name": "quick", "type": "boolean", "default": false, "shape": null}}]'
        """)
    )


ARGUMENTS = {
    "Query.node": 'id: "{id}"',
    "Query.nodes": "ids: [{ids}]",
    "Query.experiment": 'name: "flights"',
    "Query.run": 'runId: "{run}"',
    "Query.loggedModel": 'modelId: "{model}"',
    "Query.registeredModel": 'name: "taxi"',
    "Query.modelVersion": 'ref: {{model: "taxi", version: 1}}',
    "Query.compareModelVersions": 'base: {{model: "first", version: 2}}, head: {{model: "first", version: 1}}',
    "Query.compareRuns": 'base: "{before}", head: "{run}"',
    "Experiment.tradeoff": 'axes: [{{metric: "mae", goal: MINIMIZE}}]',
    "Query.registryAt": 'at: "2100-01-01T00:00:00Z"',
    "RegisteredModel.version": "number: 1",
    "RegisteredModel.rollbackPlan": "stage: PRODUCTION",
    "RegisteredModel.inStage": "stage: PRODUCTION",
    "Run.param": 'key: "depth"',
    "Run.metric": 'key: "mae"',
    "Run.metricHistory": 'key: "rmse"',
}
"""What the fields need that do not work without arguments."""


NOWHERE = {"lastTenure {{ ... on AliasTenure", "target {{ ... on Dataset"}
"""What leads somewhere with other arguments only, or what nothing comes of."""


def asked(parent, name):
    """A field with the arguments that it needs."""
    place = f"{parent.name}.{name}"
    required = [key for key, argument in parent.fields[name].args.items() if is_required_argument(argument)]
    assert not required or place in ARGUMENTS, f"{place} needs {required}: say what, in ARGUMENTS"
    return f"{name}({ARGUMENTS[place]})" if place in ARGUMENTS else name


def steps(type_):
    """All ways on from a type: how each is written, and the object or interface type that it leads to."""
    for name, field in type_.fields.items():
        target = get_named_type(field.type)
        if not is_composite_type(target):
            continue
        yield asked(type_, name), target
        if is_object_type(target) and "nodes" in target.fields:
            yield f"{asked(type_, name)} {{{{ nodes", get_named_type(target.fields["nodes"].type)
        if is_interface_type(target):
            for kind in SCHEMA.get_possible_types(target):
                step = f"{asked(type_, name)} {{{{ ... on {kind.name}"
                if step not in NOWHERE:
                    yield step, kind


def shortest_ways():
    """For each type the shortest way to it from the root."""
    ways = {"Query": ""}
    waiting = deque([SCHEMA.query_type])
    while waiting:
        type_ = waiting.popleft()
        for step, target in steps(type_):
            if target.name not in ways:
                ways[target.name] = f"{ways[type_.name]} {{{{ {step}"
                waiting.append(target)
    return ways


WAYS = shortest_ways()
ARROWS = defaultdict(list)
"""All ways to a type that go through each step from each type, and are as short as can be."""
for each in SCHEMA.type_map.values():
    if isinstance(each, GraphQLObjectType) and each.name in WAYS:
        for step, target in steps(each):
            ARROWS[target].append(f"{WAYS[each.name]} {{{{ {step}")


def selections(type_):
    """Each field of a type, alone."""
    for name, field in type_.fields.items():
        yield (
            f"{asked(type_, name)} {{{{ __typename }}}}"
            if is_composite_type(get_named_type(field.type))
            else asked(type_, name)
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, templates, tmp_path_factory):
    """The store, and what its questions need."""
    with stores.filled(request.param, templates, tmp_path_factory.mktemp("schema")) as store:
        yield store, fill(store)


IDS = """{{
  Experiment: experiment(name: "flights") {{ id }}
  Run: run(runId: "{run}") {{ id }}
  Dataset: datasets {{ nodes {{ id }} }}
  LoggedModel: loggedModel(modelId: "{model}") {{ id }}
  RegisteredModel: registeredModel(name: "taxi") {{ id }}
  ModelVersion: modelVersion(ref: {{model: "taxi", version: 1}}) {{ id }}
  RegistryEvent: registryEvents {{ nodes {{ id }} }}
  Webhook: webhooks {{ nodes {{ id }} }}
  WebhookDelivery: webhooks {{ nodes {{ deliveries {{ nodes {{ id }} }} }} }}
}}"""


@pytest.fixture
async def ask(filled):
    """Asks about it."""
    store, values = filled
    async with Client.of(store.uri, []) as client:
        ids = {kind: next(leaves(found)) for kind, found in (await client.ask(IDS.format(**values))).items()}

        def written(alias, way, selection):
            kind = next(iter(re.findall(r"\.\.\. on (\w+)", way)), "Run")
            text = f"{way} {{{{ {selection}".format(
                **values, id=ids[kind], ids=", ".join(map(json.dumps, ids.values()))
            )
            return f"{alias}: {text.strip()[1:]}" + "}" * (text.count("{") - text.count("}") - 1)

        async def ask(ways, selection):
            texts = [written(f"w{i}", way, selection) for i, way in enumerate(ways)]
            answer = await client.ask(f"{{{' '.join(texts)}}}")
            return [answer[f"w{i}"] for i in range(len(ways))]

        yield ask


@pytest.mark.parametrize("type_", [each for each in TYPES if each in ARROWS], ids=str)
async def test_each_field_works_alone(filled, ask, type_):
    """Whatever else is or isn't asked: a field that forgets to name a column that it needs is found here.

    Each way to its object leads somewhere, and the answers are those of graphql-core's own executor. On PostgreSQL
    all ways are asked for all fields; on SQLite a field alone is asked for by two of them, in turn.
    """
    alone = list(selections(type_))
    for way, found in zip(ARROWS[type_], await ask(ARROWS[type_], "__typename"), strict=True):
        assert any(leaves(found)), f"{way} leads nowhere"
    if filled[0].kind == "postgresql":  # what a field needs is the same on each database
        for way in ARROWS[type_]:
            await ask([way], " ".join(alone))
        return
    ways = cycle(ARROWS[type_])
    for selection in alone:
        await ask([next(ways), next(ways)], selection)


def leaves(data):
    """What is at the ends of an answer."""
    if isinstance(data, dict):
        for part in data.values():
            yield from leaves(part)
    elif isinstance(data, list):
        for part in data:
            yield from leaves(part)
    else:
        yield data


def test_every_type_is_reached():
    """There is no type of object to which no question, no change and no subscription leads."""
    changes, subscription = SCHEMA.mutation_type, SCHEMA.subscription_type.name
    reached = {*WAYS, changes.name, *led_to(changes, set()), subscription}
    assert {each.name for each in TYPES if is_object_type(each)} <= reached
    assert [each.name for each in TYPES if is_input_object_type(each) and not each.fields] == []


def led_to(type_, known):
    """The names of all types that fields of a type lead to, straight or by further ones."""
    for field in type_.fields.values():
        target = get_named_type(field.type)
        if is_composite_type(target) and target.name not in known:
            kinds = SCHEMA.get_possible_types(target) if is_interface_type(target) else [target]
            known.update(each.name for each in (target, *kinds))
            for kind in kinds:
                led_to(kind, known)
    return known
