"""Valid operations to begin with: the README's, one of each mutation, and random ones that know the store."""

from collections.abc import Sequence
from random import Random
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLSchema,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_required_input_field,
)
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lineage_api.api.schema import executable
from tests.api.random_operations import PLAIN, Operation, operations
from tests.following import FOLLOW
from tests.test_readme import EXAMPLES

FOR_CHANGES: dict[str, Sequence[Any]] = {
    "CreateRegisteredModelInput.name": ["m", "other", "a", "b"],
    "UpdateRegisteredModelInput.name": ["m", "other", "a"],
    # Elsewhere `m` is named, with all its versions, which are not to be lost at once.
    "DeleteRegisteredModelInput.model": ["a", "b", "gone"],
    "model": ["m", "m", "other", "a", "prompt", "gone"],
    "version": [1, 2, 3, 4, 5, 6, 7, 99],
    "expectedVersion": [1, 2, 3],
    "expectedCurrent": [[1, 2], [], [3], [2]],
    "RollBackInput.to": [1, 3],
    "alias": ["champion", "copy", "gone", "new"],
    "RegisterModelVersionInput.source": ["s3://nowhere/at/all", "runs:/gone/model", "models:/m/1", "http://a/b"],
    "artifactPath": ["model", "", "../x"],
    "url": ["https://hooks.invalid/a", "http://127.0.0.1:9/", "http://10.0.0.1/", "nonsense"],
    "reason": ["why not", ""],
    "idempotencyKey": ["a", "b", "c", None],
    "RollBackInput.force": [False, True],
    "description": ["text", ""],
    "TagInput.key": ["team", "m", "mlflow.user", "gone"],
    "TagInput.value": ["ops", ""],
}
"""Values for the inputs of mutations."""


def corpus(known: dict[str, Any], count: int, number: int) -> list[Operation]:
    """Operations on a store in which some of these values are; `number` is the seed of those that are random."""
    schema, pool = executable(), {**PLAIN, **known, **FOR_CHANGES}
    chance = Random(number)
    written = [Operation(query, None, {}) for query, _ in EXAMPLES]
    named = [Operation(query.replace("nyc-flights-regressor", "m"), None, {}) for query, _ in EXAMPLES]
    asked = [Operation(get_introspection_query(), None, {}), Operation(FOLLOW, None, {"models": ["m"], "kinds": None})]
    changes = [_change(schema, name, pool, chance) for name in schema.mutation_type.fields for _ in range(3)]
    return written + named + asked + changes + drawn(operations(schema, pool), count, number)


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """So many examples of a strategy."""
    found = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: Any) -> None:
        found.append(example)

    draw()
    return found


def _change(schema: GraphQLSchema, name: str, pool: dict[str, Sequence[Any]], chance: Random) -> Operation:
    """One mutation, whose input is a variable."""
    type_ = schema.mutation_type.fields[name].args["input"].type
    selected = "__typename errors { __typename message path }"
    document = f"mutation Change($input: {type_}) {{ {name}(input: $input) {{ {selected} }} }}"
    return Operation(document, "Change", {"input": _input(type_, pool, chance)})


def _input(type_: Any, pool: dict[str, Sequence[Any]], chance: Random) -> dict[str, Any]:
    fields = get_named_type(type_).fields.items()
    return {
        name: _value(field.type, [f"{get_named_type(type_)}.{name}", name], pool, chance)
        for name, field in fields
        if is_required_input_field(field) or chance.random() < 0.5
    }


def _value(type_: Any, names: Sequence[str], pool: dict[str, Sequence[Any]], chance: Random) -> Any:
    inner = get_nullable_type(type_)
    for name in names:
        if name in pool:
            return chance.choice(pool[name])
    if isinstance(inner, GraphQLList):
        return [_value(inner.of_type, names, pool, chance)]
    if isinstance(inner, GraphQLInputObjectType):
        return _input(inner, pool, chance)
    return chance.choice(pool.get(inner.name) or list(inner.values))
