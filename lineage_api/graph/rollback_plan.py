"""Where to go back to, and whether that is safe."""

from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlalchemy import column as named

from lineage_api.analysis.rollback import Basis
from lineage_api.engine.arrows import One
from lineage_api.engine.levels import Call, Level
from lineage_api.engine.nouns import arrow, column, listed, noun, resolved
from lineage_api.engine.steps import Steps
from lineage_api.engine.tables import Mixed, Picked
from lineage_api.graph.check import Check
from lineage_api.graph.comparison import BetweenCurrentAndTarget, ModelVersionComparison
from lineage_api.graph.conditions import is_given
from lineage_api.graph.node import OfType
from lineage_api.graph.nouns import ModelVersion
from lineage_api.graph.registry_at import Tenure
from lineage_api.graph.rows import LAST_TENURES, MODEL_VERSIONS
from lineage_api.graph.version_filter import Stage
from lineage_api.registry.plans import Place, plans
from lineage_api.store.model_files import ModelFiles

OfStage = Annotated[Stage, strawberry.argument(description="The stage to roll back; not together with an alias.")]
OfAlias = Annotated[str, strawberry.argument(description="The alias to roll back.")]
To = Annotated[
    int, strawberry.argument(description="The version to go back to; by default the one that held the place before.")
]

_KEY = [MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version]


@strawberry.enum(description="Why a version is the one to go back to.")
class RollbackBasis(Enum):
    HISTORY = strawberry.enum_value("HISTORY", description="History says that it held the place before.")
    NEWEST_ARCHIVED = strawberry.enum_value(
        "NEWEST_ARCHIVED", description="History does not reach back; it is the newest archived version."
    )
    CHOSEN = strawberry.enum_value("CHOSEN", description="It was asked for.")


def _basis(basis: Basis | None) -> RollbackBasis | None:
    return basis and RollbackBasis(basis.value)


class _LastTenure(Level):
    """The stays that ended last of the targets, by the events that they began with."""

    needs = ("last_event", "tenure_type")
    _one = One(LAST_TENURES, of=[named("last_event")], to=[LAST_TENURES.c.id])

    def resolve(self, call: Call) -> Steps[Any]:
        # Of one field, since all its plans are about the same kind of place.
        type_name = call.column("tenure_type")[0]
        below = OfType(call.below, type_name)
        found: Picked = yield from self._one.resolve(Call(call.parents, {}, call.context, below, call.memo))
        places = [(type_name, index) if isinstance(index, int) else None for index in found.indices]
        return Mixed({type_name: found.rows}, places)


@noun
class RollbackPlan:
    """Where to go back to, and whether that is safe."""

    current: list[ModelVersion] = listed(MODEL_VERSIONS, of=named("current_keys"), to=_KEY)
    """The versions that hold the place now."""
    target: ModelVersion | None = arrow(MODEL_VERSIONS, of=[named("model"), named("target")], to=_KEY)
    """The version to go back to; null when there is none."""
    basis: RollbackBasis | None = column(named("basis"), convert=_basis)
    """Why it is the target; null when there is none."""
    last_tenure: Tenure | None = resolved(_LastTenure())
    """When the target held the place before; null when it never did."""
    is_safe: bool
    """Whether there is a target and no check failed."""
    checks: list[Check]
    """What was looked at."""
    comparison: ModelVersionComparison | None = resolved(BetweenCurrentAndTarget())
    """What going back would change; null unless there is one current version and a target."""
    alternatives: list[ModelVersion] = listed(MODEL_VERSIONS, of=named("alternative_keys"), to=_KEY)
    """Other versions that could be gone back to, the best first."""


class Plans(Level):
    """The plans of registered models; nothing is changed."""

    needs = ("name",)

    async def resolve(self, call: Call) -> Any:
        given = {name: value if is_given(value) else None for name, value in call.arguments.items()}
        stage = given.get("stage")
        place = Place(stage.value if stage else None, given.get("alias"))
        files = call.context.service(ModelFiles)
        return await plans(call.context.reader, files, call.column("name"), place, given.get("to"))


def plan_arguments(stage: OfStage | None = None, alias: OfAlias | None = None, to: To | None = None) -> None:
    """The arguments of `rollbackPlan`."""
