"""Completion of values: a column at a time, for all positions of the response that a field has.

A column is completed to the values for the response, and the indices at which null must climb to the position above.
"""

from abc import abstractmethod
from collections.abc import AsyncIterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import Any

from graphql import GraphQLError
from graphql.execution.execute import invalid_return_type_error
from graphql.pyutils import Undefined
from graphql.pyutils.is_iterable import is_iterable

from lineage_api.engine.leaves import Leaf, is_plain
from lineage_api.engine.levels import outcome
from lineage_api.engine.places import Items, Place, Problem, Shared, Some
from lineage_api.engine.plans import FieldPlan, Selection, Shape
from lineage_api.engine.steps import Steps
from lineage_api.engine.tables import RELATED, Grouped, Mixed, Picked, Table
from lineage_api.engine.tally import Tally

Nulled = AbstractSet[int]
Completed = tuple[Sequence[Any], Nulled]
NONE: Nulled = frozenset()


class Completion:
    """Completes columns; where objects are met, their fields are executed."""

    def __init__(self, execution: Any) -> None:
        self.execution = execution
        self.problems: list[Problem] = []
        self.tally: Tally = getattr(execution.context_value, "tally", None) or Tally()

    @abstractmethod
    def select(self, selection: Selection, parents: Any, place: Place) -> Steps[Completed]:
        """The objects of the response for some parents."""

    def complete(self, field: FieldPlan, shape: Shape, values: Any, place: Place) -> Steps[Completed]:
        """All values of one position; null climbs only from where it is not allowed."""
        if isinstance(values, RELATED):
            done, nulled = yield from self._related(field, shape, values, place)
        else:
            if shape.leaf is not None and shape.leaf.is_serialised(values, is_required=shape.is_required):
                return values, NONE
            if all(map(is_plain, set(map(type, values)))):
                done, nulled = yield from self._whole(field, shape, values, place)
            else:
                done, nulled = yield from self._settled(field, shape, values, place)
        return done, nulled if shape.is_required else NONE

    def fail(self, field: FieldPlan, place: Place, index: int, error: Exception) -> None:
        """Note an error at one value of a column."""
        self.problems.append(Problem(place, index, error, field.nodes))

    def _settled(self, field: FieldPlan, shape: Shape, values: Sequence[Any], place: Place) -> Steps[Completed]:
        """Values among which some are null, errors, or still to be awaited."""
        values = yield from self._awaited(values)
        present, nulled = self._present(field, shape, values, place)
        there = [values[index] for index in present]
        done, failed = yield from self._whole(field, shape, there, Some(place, present))
        results: list[Any] = [None] * len(values)
        for index, value in zip(present, done, strict=True):
            results[index] = value
        return results, nulled | {present[index] for index in failed}

    def _awaited(self, values: Sequence[Any]) -> Steps[Sequence[Any]]:
        """The same values, those that are awaitable awaited; what they raise takes their place."""
        is_awaitable = self.execution.is_awaitable
        odd = {kind for kind in set(map(type, values)) if not is_plain(kind)}
        indices = [index for index, value in enumerate(values) if type(value) in odd and is_awaitable(value)]
        if not indices:
            return values
        results = list(values)
        answers = yield [values[index] for index in indices]
        for index, answer in zip(indices, answers, strict=True):
            results[index] = answer
        return results

    def _present(
        self, field: FieldPlan, shape: Shape, values: Sequence[Any], place: Place
    ) -> tuple[list[int], set[int]]:
        """The indices of the values that are there, and of those that are null by an error."""
        present, nulled = [], set()
        for index, value in enumerate(values):
            if isinstance(value, Exception):
                self.fail(field, place, index, value)
                nulled.add(index)
            elif value is not None and value is not Undefined:
                present.append(index)
            elif shape.is_required:
                self.fail(field, place, index, null_error(field))
                nulled.add(index)
        return present, nulled

    def _whole(self, field: FieldPlan, shape: Shape, values: Sequence[Any], place: Place) -> Steps[Completed]:
        """Values of which none is null, an error or awaitable."""
        if shape.leaf is not None:
            return self._leaves(field, shape.leaf, values, place)
        if shape.item is not None:
            return (yield from self._lists(field, shape.item, values, place))
        if shape.object_type is not None:
            return (yield from self._objects(field, shape.object_type, values, place))
        return (yield from self._abstract(field, shape, values, place))

    def _leaves(self, field: FieldPlan, leaf: Leaf, values: Sequence[Any], place: Place) -> Completed:
        done = leaf.serialised(values)
        nulled = {index for index, value in enumerate(done) if isinstance(value, Exception)}
        for index in nulled:
            self.fail(field, place, index, done[index])
            done[index] = None
        return done, nulled

    def _lists(self, field: FieldPlan, item: Shape, values: Sequence[Any], place: Place) -> Steps[Completed]:
        lists = yield from self._as_lists(field, values)
        bad = {index for index, value in enumerate(lists) if isinstance(value, Exception)}
        for index in bad:
            self.fail(field, place, index, lists[index])
            lists[index] = ()
        items = [value for part in lists for value in part]
        done, nulled = yield from self._items(field, item, items, list(map(len, lists)), place)
        for index in bad:
            done[index] = None
        return done, nulled | bad

    def _as_lists(self, field: FieldPlan, values: Sequence[Any]) -> Steps[list[Any]]:
        """Each value as a sequence, or the exception that says why it is none."""
        if set(map(type, values)) <= {list, tuple}:
            return list(values)
        later = [value for value in values if not is_iterable(value) and isinstance(value, AsyncIterable)]
        gathered = iter((yield [_gathered(value) for value in later]) if later else ())
        return [
            next(gathered) if not is_iterable(value) and isinstance(value, AsyncIterable) else _as_list(field, value)
            for value in values
        ]

    def _items(
        self, field: FieldPlan, item: Shape, items: Any, lengths: Sequence[int], place: Place
    ) -> Steps[tuple[list[Any], Nulled]]:
        """The lists of some lengths that these items, one after the other, make."""
        ends = list(accumulate(lengths))
        starts = [end - length for end, length in zip(ends, lengths, strict=True)]
        where = Items(place, starts, is_required=item.is_required, is_bounded=field.is_bounded)
        if where.is_free:
            self.tally.add_rows(len(items) * field.weight)
        done, failed = yield from self.complete(field, item, items, where)
        lists: list[Any] = [list(done[start:end]) for start, end in zip(starts, ends, strict=True)]
        nulled = {where.owner(index) for index in failed}
        for index in nulled:
            lists[index] = None
        return lists, nulled

    def _objects(self, field: FieldPlan, type_: Any, values: Sequence[Any], place: Place) -> Steps[Completed]:
        if type_.is_type_of is None or not values:
            return (yield from self._selected(field, type_, values, place))
        info = self._info(field, place, 0)
        answers = yield from self._awaited([outcome(type_.is_type_of, value, info) for value in values])
        right, nulled = [], set()
        for index, answer in enumerate(answers):
            if answer and not isinstance(answer, Exception):
                right.append(index)
                continue
            error = answer or invalid_return_type_error(type_, values[index], field.nodes)
            self.fail(field, place, index, error)
            nulled.add(index)
        if not nulled:
            return (yield from self._selected(field, type_, values, place))
        rest = [values[index] for index in right]
        done, failed = yield from self._selected(field, type_, rest, Some(place, right))
        results: list[Any] = [None] * len(values)
        for index, value in zip(right, done, strict=True):
            results[index] = value
        return results, nulled | {right[index] for index in failed}

    def _selected(self, field: FieldPlan, type_: Any, parents: Any, place: Place) -> Steps[Completed]:
        try:
            selection = field.plan.selection(type_, field.nodes)
        except Exception as error:  # noqa: BLE001 - such as of a directive that is given null: an error of each object
            for index in range(len(parents)):
                self.fail(field, place, index, error)
            return [None] * len(parents), set(range(len(parents)))
        if selection.is_counted and not place.is_free:
            self.tally.objects += len(parents)
        objects, failed = yield from self.select(selection, parents, place)
        if failed:
            objects = list(objects)
            for index in failed:
                objects[index] = None
        return objects, failed

    def _abstract(self, field: FieldPlan, shape: Shape, values: Sequence[Any], place: Place) -> Steps[Completed]:
        """Objects of several types: those of one type are completed together."""
        type_ = shape.abstract_type
        resolve = type_.resolve_type or self.execution.type_resolver
        names: Sequence[Any] = [
            outcome(resolve, value, self._info(field, place, index), type_) for index, value in enumerate(values)
        ]
        names = yield from self._awaited(names)
        parts: dict[Any, list[int]] = {}
        results: list[Any] = [None] * len(values)
        nulled = set()
        for index, name in enumerate(names):
            runtime_type = self._runtime_type(field, type_, name, values[index], self._info(field, place, index))
            if isinstance(runtime_type, Exception):
                self.fail(field, place, index, runtime_type)
                nulled.add(index)
            else:
                parts.setdefault(runtime_type, []).append(index)
        for runtime_type, indices in parts.items():
            some = [values[index] for index in indices]
            done, failed = yield from self._objects(field, runtime_type, some, Some(place, indices))
            for index, value in zip(indices, done, strict=True):
                results[index] = value
            nulled |= {indices[index] for index in failed}
        return results, nulled

    def _runtime_type(self, field: FieldPlan, type_: Any, name: Any, value: Any, info: Any) -> Any:
        if isinstance(name, Exception):
            return name
        return outcome(self.execution.ensure_valid_runtime_type, name, type_, field.nodes, info, value)

    def _info(self, field: FieldPlan, place: Place, index: int) -> Any:
        path = place.path(index)
        return self.execution.build_resolve_info(field.field, field.nodes, field.parent_type, path)

    def _related(self, field: FieldPlan, shape: Shape, values: Any, place: Place) -> Steps[Completed]:
        """Values that are rows of tables; their types need no proof."""
        match values:
            case Table():
                return (yield from self._selected(field, shape.object_type, values, place))
            case Grouped():
                item = shape.item or shape
                return (yield from self._items(field, item, values.rows, values.lengths, place))
            case Picked():
                return (yield from self._picked(field, shape, values, place))
            case _:
                return (yield from self._mixed(field, shape, values, place))

    def _picked(self, field: FieldPlan, shape: Shape, values: Picked, place: Place) -> Steps[Completed]:
        indices = values.indices
        nulled: AbstractSet[int] = set()
        if set(map(type, indices)) != {int}:
            _, nulled = self._present(field, shape, indices, place)
        shared = Shared(place, indices)
        rows, failed = yield from self._selected(field, shape.object_type, values.rows, shared)
        done = [rows[index] if isinstance(index, int) else None for index in indices]
        if failed:
            nulled = nulled | {owner for owner, index in enumerate(indices) if index in failed}
        return done, nulled

    def _mixed(self, field: FieldPlan, shape: Shape, values: Mixed, place: Place) -> Steps[Completed]:
        _, nulled = self._present(field, shape, values.places, place)
        done: list[Any] = [None] * len(values)
        for name, rows in values.parts.items():
            picks = [there[1] if there and there[0] == name else None for there in values.places]
            part = Shape(is_required=False, object_type=self.execution.schema.type_map[name])
            objects, failed = yield from self._picked(field, part, Picked(rows, picks), place)
            nulled |= failed
            for index, pick in enumerate(picks):
                if pick is not None:
                    done[index] = objects[index]
        return done, nulled


def null_error(field: FieldPlan) -> TypeError:
    """What is wrong where null is not allowed."""
    return TypeError(f"Cannot return null for non-nullable field {field.label}.")


def _as_list(field: FieldPlan, value: Any) -> Any:
    if not is_iterable(value):
        return GraphQLError(f"Expected Iterable, but did not find one for field '{field.label}'.")
    return outcome(list, value)


async def _gathered(values: AsyncIterable[Any]) -> list[Any]:
    return [value async for value in values]
