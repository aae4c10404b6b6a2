"""The root fields that lead to experiments, runs and datasets, and the pages of their lists."""

import base64

import orjson
import pytest

from tests.stores import filled

NUL = "A text must not contain the character NUL."
NO_CURSOR = "`after` is no cursor of this list in this order; pass an `endCursor` or `cursor` as it was given."


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """Default and two experiments more, with a run each, that read a dataset each."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        for number, name in enumerate(("a", "b")):
            run = made.run(made.experiment(name), name, start=1_000 * (number + 1), params={"p": name})
            made.dataset(run, f"data-{name}", "1")
        yield made


def cursor(*parts):
    """A cursor with these parts, made as the server makes them."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def parts(cursor):
    """What is in a cursor."""
    return orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


@pytest.mark.parametrize(
    "key",
    [{"id": id_} for id_ in ("77", "", "x", "00", " 0", "9" * 5000, "-1")]
    + [{"name": name} for name in ("", "default", "Default ", "'; --", "ﬁ")],
    ids=lambda key: str(key)[:20],
)
async def test_an_experiment_that_is_not_there(client, key):
    """An ID or a name that none has gives null."""
    question = "query ($id: String, $name: String) {experiment(experimentId: $id, name: $name) {name}}"

    assert await client.ask(question, **key) == {"experiment": None}


@pytest.mark.parametrize("id_", ["", "0" * 32, "a", "%", "é" * 40])
async def test_a_run_that_is_not_there(client, id_):
    """An ID that none has gives null."""
    assert await client.ask("query ($id: String!) {run(runId: $id) {name}}", id=id_) == {"run": None}


BOTH = '(name: "Default", experimentId: "0")'


@pytest.mark.parametrize("arguments", ["", "(experimentId: null)", "(name: null, experimentId: null)", BOTH])
async def test_an_experiment_by_neither_or_both(client, arguments):
    """Exactly one of ID and name is asked for, and the refusal says so."""
    error = await client.refused(f"{{experiment{arguments} {{name}}}}")

    assert error["message"] == "Give exactly one of `experimentId` and `name`."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_datasets_of_a_name(client):
    """Of a name, of a digest, of both, or all of them."""
    answer = await client.ask(
        """{
        all: datasets {totalCount nodes {name digest}}
        named: datasets(name: "data-a") {totalCount nodes {name}}
        digest: datasets(digest: "1") {totalCount nodes {name}}
        both: datasets(name: "data-b", digest: "1") {totalCount nodes {name}}
        neither: datasets(name: "data-b", digest: "2") {totalCount nodes {name}}
        }"""
    )

    a, b = {"name": "data-a"}, {"name": "data-b"}
    assert answer == {
        "all": {"totalCount": 2, "nodes": [a | {"digest": "1"}, b | {"digest": "1"}]},
        "named": {"totalCount": 1, "nodes": [a]},
        "digest": {"totalCount": 2, "nodes": [a, b]},
        "both": {"totalCount": 1, "nodes": [b]},
        "neither": {"totalCount": 0, "nodes": []},
    }


@pytest.mark.parametrize(
    "question",
    [
        "query ($x: String) {experiment(name: $x) {name}}",
        "query ($x: String) {experiment(experimentId: $x) {name}}",
        "query ($x: String) {experiments(filterBy: {nameContains: $x}) {nodes {name}}}",
        "query ($x: String!) {experiments(filterBy: {tags: [{key: $x}]}) {nodes {name}}}",
        'query ($x: String!) {experiments(filterBy: {tags: [{key: "a", in: ["b", $x]}]}) {totalCount}}',
        'query ($x: String!) {experiment(name: "a") {tags(keys: [$x]) {key}}}',
        "query ($x: String!) {run(runId: $x) {name}}",
        "query ($x: String!) {runs(filterBy: {users: [$x]}) {totalCount}}",
        "query ($x: String) {runs(filterBy: {nameContains: $x}) {totalCount}}",
        "query ($x: String) {runs(filterBy: {commit: $x}) {totalCount}}",
        "query ($x: String!) {runs(filterBy: {metrics: [{key: $x}]}) {totalCount}}",
        'query ($x: String) {runs(filterBy: {params: [{key: "a", contains: $x}]}) {totalCount}}',
        "query ($x: String!) {runs(filterBy: {dataset: {name: $x}}) {totalCount}}",
        "query ($x: String) {runs(filterBy: {not: {or: [{nameContains: $x}]}}) {totalCount}}",
        "query ($x: String) {runs(orderBy: [{metric: $x}]) {nodes {name}}}",
        "query ($x: String) {runs(orderBy: [{param: $x}]) {nodes {name}}}",
        "query ($x: String) {datasets(name: $x) {nodes {name}}}",
        "query ($x: String) {datasets(digest: $x) {nodes {name}}}",
        'query ($x: String!) {runs(filterBy: {nameContains: "a"}) {nodes {param(key: $x)}}}',
        'query ($x: String!) {runs(filterBy: {nameContains: "a"}) {nodes {metric(key: $x)}}}',
        'query ($x: String!) {runs(filterBy: {nameContains: "a"}) {nodes {params(keys: [$x]) {key}}}}',
        'query ($x: String!) {runs(filterBy: {nameContains: "a"}) {nodes {metricHistory(key: $x) {totalCount}}}}',
        'query ($x: String) {runs(filterBy: {nameContains: "a"}) {nodes {inputs(context: $x) {context}}}}',
        'query ($x: String) {datasets(name: "data-a") {nodes {runs(context: $x) {totalCount}}}}',
    ],
)  # fmt: skip
async def test_a_nul_in_an_argument(client, question):
    """No database text holds NUL, so a question with one is refused, whatever the database."""
    error = await client.refused(question, x="a\0b")

    assert error["message"] == NUL
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_nul_in_matching(client):
    """The same goes for a text within an expression."""
    error = await client.refused("query ($x: String) {runs(filterBy: {matching: $x}) {totalCount}}", x="tags.a = '\0'")

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


LISTS = ["experiments", "runs", "datasets"]
NAMES = {"experiments": ["Default", "a", "b"], "runs": ["b", "a"], "datasets": ["data-a", "data-b"]}
PAGE = """query ($first: Int!, $after: String) {%s(first: $first, after: $after) {
nodes {name} edges {cursor node {name}} totalCount pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
}}"""


@pytest.mark.parametrize("field", LISTS)
async def test_a_list_page_by_page(client, field):
    """Each page says whether there are others, and how many items all pages have."""
    names, after = NAMES[field], None
    for number, name in enumerate(names):
        [page] = (await client.ask(PAGE % field, first=1, after=after)).values()

        [edge] = page["edges"]
        info = {"hasNextPage": name != names[-1], "hasPreviousPage": number > 0}
        info |= {"startCursor": edge["cursor"], "endCursor": edge["cursor"]}
        item = {"name": name}
        assert page == {"nodes": [item], "edges": [edge], "totalCount": len(names), "pageInfo": info}
        assert edge["node"] == item
        after = edge["cursor"]


@pytest.mark.parametrize("field", LISTS)
async def test_what_comes_after_the_last(client, field):
    """Nothing: an empty page, that knows of the pages before."""
    [every] = (await client.ask(PAGE % field, first=100, after=None)).values()

    [page] = (await client.ask(PAGE % field, first=100, after=every["pageInfo"]["endCursor"])).values()

    info = {"hasNextPage": False, "hasPreviousPage": True, "startCursor": None, "endCursor": None}
    assert page == {"nodes": [], "edges": [], "totalCount": len(NAMES[field]), "pageInfo": info}


EMPTY = ['runs(filterBy: {nameContains: "x"})', 'datasets(name: "x")', 'experiments(filterBy: {nameContains: "x"})']


@pytest.mark.parametrize("field", EMPTY)
async def test_an_empty_list(client, field):
    """A page without items has no cursors, and no neighbours."""
    question = f"{{{field} {{totalCount nodes {{id}} pageInfo {{hasNextPage hasPreviousPage startCursor endCursor}}}}}}"

    [page] = (await client.ask(question)).values()

    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page == {"totalCount": 0, "nodes": [], "pageInfo": info}


@pytest.mark.parametrize("first", [0, 101, -1, 2**31 - 1])
@pytest.mark.parametrize("field", LISTS)
async def test_the_size_of_a_page(client, field, first):
    """It is refused, not cut, where it is out of bounds."""
    error = await client.refused(PAGE % field, first=first)

    assert error["message"] == f"`first` must be between 1 and 100, not {first}."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("first", [1, 100])
@pytest.mark.parametrize("field", LISTS)
async def test_the_bounds_of_the_size_of_a_page(client, field, first):
    """The least and the greatest pass."""
    [page] = (await client.ask(PAGE % field, first=first)).values()

    assert [node["name"] for node in page["nodes"]] == NAMES[field][:first]


NONSENSE = ["", "x", "é", "AAAA", "=", "null", "e30", "W10", cursor(1, "a"), cursor("a"), cursor({}), "A" * 10_000]


@pytest.mark.parametrize("after", NONSENSE, ids=lambda after: after[:10])
@pytest.mark.parametrize("field", LISTS)
async def test_a_cursor_that_is_none(client, field, after):
    """What the server never gave as a cursor is refused."""
    error = await client.refused(PAGE % field, first=1, after=after)

    assert error["message"] == NO_CURSOR
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "other",
    [
        "runs(orderBy: [{field: STARTED_AT, direction: ASC}])",
        "runs(orderBy: [{field: ENDED_AT}])",
        'runs(orderBy: [{metric: "a"}])',
        "runs(orderBy: [{field: STARTED_AT}, {field: NAME}])",
        "experiments",
        "datasets",
    ],
)
async def test_a_cursor_of_another_list_or_order(client, other):
    """A cursor is good for the order that it came from alone."""
    [page] = (await client.ask(f"{{{other} {{pageInfo {{startCursor}}}}}}")).values()

    error = await client.refused(PAGE % "runs", first=1, after=page["pageInfo"]["startCursor"])

    assert error["message"] == NO_CURSOR
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("kind", ["metric", "param"])
async def test_a_cursor_of_another_key(client, kind):
    """Ordered by one metric or parameter and by another is not the same order."""
    question = "query ($o: [RunOrder!], $after: String) {runs(orderBy: $o, after: $after) {pageInfo {endCursor}}}"
    [page] = (await client.ask(question, o=[{kind: "a"}])).values()

    error = await client.refused(question, o=[{kind: "b"}], after=page["pageInfo"]["endCursor"])

    assert error["message"] == NO_CURSOR


FORGED = {
    "experiments": [
        ["a", "1"], ["a", 1.5], ["a", True], ["a", [1]], ["a", 2**63], ["a", 2**31], ["a\0", 1], [1, 1], ["a"],
        ["a", 1, 1],
    ],
    "runs": [["1", "a"], [2**63, "a"], [2**64 - 1, "a"], [1, "\0"], [1.5, "a"], [True, "a"], [{}, "a"]],
    "datasets": [["a\0", "1"], ["a", 1], [{}, []]],
}  # fmt: skip


@pytest.mark.parametrize(("field", "values"), [(field, values) for field in LISTS for values in FORGED[field]], ids=str)
async def test_a_cursor_with_values_that_do_not_fit(client, field, values):
    """What no row of the list could have in its place is refused before the database sees it."""
    [page] = (await client.ask(PAGE % field, first=1)).values()
    [mark, *_] = parts(page["pageInfo"]["endCursor"])

    error = await client.refused(PAGE % field, first=1, after=cursor(mark, *values))

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_cursor_after_a_null(client):
    """Nulls come last, so that after the last of them there is nothing."""
    [page] = (await client.ask(PAGE % "runs", first=1)).values()
    [mark, *_] = parts(page["pageInfo"]["endCursor"])

    [page] = (await client.ask(PAGE % "runs", first=1, after=cursor(mark, None, "z"))).values()

    assert page["nodes"] == []


@pytest.mark.parametrize("values", [[None, None], [1, None]], ids=str)
async def test_a_cursor_with_a_null_that_cannot_be(client, values):
    """A run has an ID, so no cursor is without one."""
    [page] = (await client.ask(PAGE % "runs", first=1)).values()
    [mark, *_] = parts(page["pageInfo"]["endCursor"])

    error = await client.refused(PAGE % "runs", first=1, after=cursor(mark, *values))

    assert error["message"] == NO_CURSOR
