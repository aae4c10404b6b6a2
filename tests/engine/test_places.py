"""Where values stand in the response, and which errors are told."""

from lineage_api.engine.places import Field, Items, Place, Problem, Shared, Some, located


def field(above, key, rank=0, *, is_required=False):
    return Field(above, rank, key, "T", is_required=is_required)


def items(above, starts, *, is_required=False):
    return Items(above, starts, is_required=is_required)


def told(*problems):
    """Paths and messages of the errors that are told of some at places."""
    errors = located([Problem(place, at, ValueError(message), []) for place, at, message in problems])
    return [(error.path, error.message) for error in errors]


def test_the_way_to_a_value():
    """Through lists in lists, some of them empty, and those values that are there."""
    lists = items(items(field(Place(), "grid"), [0]), [0, 0, 2, 5, 5])
    names = field(Some(lists, [0, 1, 4]), "name")

    assert [names.path(index).as_list() for index in range(3)] == [
        ["grid", 1, 0, "name"],
        ["grid", 1, 1, "name"],
        ["grid", 2, 2, "name"],
    ]
    assert lists.owner(5) == 4
    assert Place().path(0) is None


def test_a_path_has_keys_and_the_type_of_the_field():
    """As resolvers are given it."""
    a = field(Place(), "a")
    path = field(items(a, [0]), "name").path(2)

    assert path.as_list() == ["a", 2, "name"]
    assert path.typename == "T"


def test_errors_in_the_order_of_the_document():
    """First by the field's place in its selection, then by the index in a list, whatever came first."""
    a, b = field(Place(), "a", 0), field(Place(), "b", 1)
    x, y = field(items(a, [0]), "x", 0), field(items(a, [0]), "y", 1)

    assert told((b, 0, "1"), (y, 0, "2"), (x, 1, "3"), (x, 0, "4")) == [
        (["a", 0, "x"], "4"),
        (["a", 0, "y"], "2"),
        (["a", 1, "x"], "3"),
        (["b"], "1"),
    ]


def test_an_error_nulls_what_is_above():
    """Up to where null is allowed; what lies below such a place is not told any more."""
    a = field(Place(), "a")
    item = items(a, [0], is_required=True)
    x, y = field(item, "x", 0, is_required=True), field(item, "y", 1)

    assert told((x, 0, "1"), (x, 1, "2"), (y, 1, "3")) == [(["a", 0, "x"], "1")]
    assert told((y, 0, "1"), (x, 1, "2"), (y, 2, "3")) == [(["a", 0, "y"], "1"), (["a", 1, "x"], "2")]


def test_an_error_nulls_all():
    """Where null is allowed nowhere on the way, one error is the whole answer."""
    a, b = field(Place(), "a", 0, is_required=True), field(Place(), "b", 1)

    assert told((b, 0, "late"), (a, 0, "early")) == [(["a"], "early")]


def test_a_row_in_several_places():
    """Its error is told at each; a row that nobody has tells nothing."""
    lists = items(field(Place(), "lists"), [0])
    rows = Shared(field(lists, "row"), [1, None, 0, 1, ValueError("none")])
    name = field(rows, "name")

    assert told((name, 1, "no name")) == [
        (["lists", 0, "row", "name"], "no name"),
        (["lists", 3, "row", "name"], "no name"),
    ]
    assert told((name, 7, "nobody's")) == []


def test_errors_by_the_thousand():
    """Rows that all fail, each of one parent, are told in time that grows with their number, not with its square."""
    rows = Shared(field(items(field(Place(), "lists"), [0]), "row"), range(20_000))
    name = field(rows, "name")

    assert len(told(*((name, at, "no") for at in range(20_000)))) == 20_000
