"""The lineage: what something came from, and what came of it."""

from dataclasses import dataclass

import pytest

from lineage_api.graph.identity import encoded

_ASK = """query ($id: ID!, $direction: LineageDirection! = BOTH, $depth: Int! = 5, $most: Int! = 200) {
    node(id: $id) {... on LineageNode {lineage(direction: $direction, depth: $depth, maxNodes: $most) {
        nodes {__typename label}
        links {source {label} target {label} kind}
        isTruncated
    }}}
}"""


@dataclass
class Made:
    """The IDs of what `made` makes."""

    data: str
    parent: str
    child: str
    model: str
    evaluation: str
    version: str
    copy: str
    folder: str
    old: str


def fill(store):
    """Makes a dataset, a run that starts another, its model, an evaluation, a version, its copy; and two others."""
    parent = store.run("0", "parent")
    child = store.run("0", "child", parent=parent)
    evaluation = store.run("0", "evaluation")
    store.dataset(parent, "taxis", "d1")
    model = store.logged_model("0", "regressor", child)
    store.used_model(evaluation, model.model_id)
    for name in ("taxis", "copies", "bare", "old"):
        store.registered_model(name)
    store.version("taxis", model_id=model.model_id)
    store.copied("taxis", 1, "copies")
    store.version("bare", source="s3://bucket/model")
    old = store.run("0", "old")
    store.version("old", run_id=old)
    store.client.delete_run(old)
    versions = {name: encoded("ModelVersion", name, 1) for name in ("taxis", "copies", "bare", "old")}
    return Made(
        encoded("Dataset", "taxis", "d1"), encoded("Run", parent), encoded("Run", child),
        encoded("LoggedModel", model.model_id), encoded("Run", evaluation), versions["taxis"], versions["copies"],
        versions["bare"], versions["old"],
    )  # fmt: skip


@pytest.fixture
def made(store, templates):
    """What was made of an empty store."""
    return templates.filled(store, fill)


@pytest.fixture
def lineage(client):
    """The lineage around an object: labels, links in short, whether it is all."""

    async def lineage(id_, **how):
        found = (await client.ask(_ASK, id=id_, **how))["node"]["lineage"]
        links = [(link["source"]["label"], link["kind"], link["target"]["label"]) for link in found["links"]]
        return [node["label"] for node in found["nodes"]], links, found["isTruncated"]

    return lineage


_LINKS = [
    ("taxis (d1)", "READ_BY", "parent"),
    ("parent", "STARTED", "child"),
    ("child", "PRODUCED", "regressor"),
    ("regressor", "USED_BY", "evaluation"),
    ("regressor", "REGISTERED_AS", "taxis v1"),
    ("taxis v1", "COPIED_TO", "copies v1"),
    ("regressor", "REGISTERED_AS", "copies v1"),
]


async def test_both_ways(made, lineage):
    """The node itself first, then the nearest; every link between them, in the direction in which things came about."""
    for start, labels in {
        made.version: ["taxis v1", "regressor", "copies v1", "child", "parent", "taxis (d1)"],
        made.copy: ["copies v1", "regressor", "taxis v1", "child", "parent", "taxis (d1)"],
        made.child: ["child", "parent", "regressor", "taxis (d1)", "evaluation", "copies v1", "taxis v1"],
        made.evaluation: ["evaluation", "regressor", "child", "parent", "taxis (d1)"],
    }.items():
        nodes, links, is_truncated = await lineage(start)
        assert nodes == labels
        assert sorted(links) == sorted(link for link in _LINKS if link[0] in nodes and link[2] in nodes)
        assert not is_truncated


async def test_one_way(made, lineage):
    """Towards the data, or towards what is served."""
    assert (await lineage(made.version, direction="UPSTREAM"))[0] == [
        "taxis v1", "regressor", "child", "parent", "taxis (d1)"
    ]  # fmt: skip
    assert (await lineage(made.data, direction="UPSTREAM")) == (["taxis (d1)"], [], False)
    nodes, links, _ = await lineage(made.data, direction="DOWNSTREAM")
    assert nodes == ["taxis (d1)", "parent", "child", "regressor", "evaluation", "copies v1", "taxis v1"]
    assert sorted(links) == sorted(_LINKS)
    assert (await lineage(made.parent, direction="DOWNSTREAM"))[0] == nodes[1:]


async def test_where_there_is_no_logged_model(made, lineage):
    """A version comes from its run, be it in the trash; one of a bare folder from nothing."""
    assert await lineage(made.old) == (["old v1", "old"], [("old", "REGISTERED_AS", "old v1")], False)
    assert await lineage(made.folder) == (["bare v1"], [], False)


@pytest.mark.parametrize(
    ("depth", "most", "count", "is_truncated"),
    [(1, 200, 2, True), (3, 200, 4, True), (4, 200, 7, False), (20, 7, 7, False), (20, 6, 6, True), (20, 1, 1, True)],
)
async def test_where_it_is_cut(made, lineage, depth, most, count, is_truncated):
    """At a depth, or a number of nodes; the links are those between the nodes that are given."""
    nodes, links, was_truncated = await lineage(made.data, direction="DOWNSTREAM", depth=depth, most=most)

    assert len(nodes) == count
    assert was_truncated == is_truncated
    assert sorted(links) == sorted(link for link in _LINKS if link[0] in nodes and link[2] in nodes)


async def test_cycles_end(store, made, lineage):
    """A run that used the model that it made."""
    run_id = store.run("0", "itself")
    model = store.logged_model("0", "ouroboros", run_id)
    store.used_model(run_id, model.model_id)

    for direction in ("UPSTREAM", "DOWNSTREAM", "BOTH"):
        assert await lineage(encoded("Run", run_id), direction=direction, depth=20) == (
            ["itself", "ouroboros"], [("itself", "PRODUCED", "ouroboros"), ("ouroboros", "USED_BY", "itself")], False
        )  # fmt: skip


async def test_a_dataset_of_many_experiments_is_one_node(store, lineage):
    """Known by its name and digest; another digest is another one."""
    other = store.experiment("other")
    for experiment, digest in (("0", "d1"), (other, "d1"), (other, "d2")):
        store.dataset(store.run(experiment, f"{digest} in {experiment}"), "taxis", digest)

    nodes, links, _ = await lineage(encoded("Dataset", "taxis", "d1"))

    assert sorted(nodes) == ["d1 in 0", f"d1 in {other}", "taxis (d1)"]
    assert len(links) == 2


async def test_what_is_gone_is_left_out(store, made, lineage):
    """Deleted versions, deleted logged models, runs that MLflow's gc removed."""
    store.client.delete_model_version("copies", "1")
    assert "copies v1" not in (await lineage(made.version))[0]
    assert await lineage(made.copy) == (["copies v1"], [], False)

    store.sql("UPDATE logged_models SET lifecycle_stage = 'deleted'")
    nodes, links, _ = await lineage(made.version)
    assert nodes == ["taxis v1", "child", "parent", "taxis (d1)"]
    assert ("child", "REGISTERED_AS", "taxis v1") in links

    for table in ("tags", "metrics", "latest_metrics", "params"):
        store.sql(f"DELETE FROM {table}")
    store.sql("DELETE FROM runs WHERE name = 'child'")
    assert await lineage(made.version) == (["taxis v1"], [], False)


async def test_more_links_than_nodes_are_wanted(store, lineage, statements):
    """Of 30 readers nine are given, and the others are not read."""
    for i in range(30):
        run = store.run("0", f"run {i:02}")
        store.dataset(run, "a", "1")

    nodes, links, is_truncated = await lineage(encoded("Dataset", "a", "1"), most=10)

    assert is_truncated
    assert len(set(nodes)) == len(nodes) == 10
    assert sorted(links) == sorted(("a (1)", "READ_BY", run) for run in nodes[1:])
    read = [text for text in statements if "inputs.rowid" in text or "LATERAL" in text]
    assert len(read) == 1


async def test_out_of_range(made, client):
    """Says what would be right."""
    for argument, number, most in (
        ("depth", 0, 20),
        ("depth", 21, 20),
        ("maxNodes", 0, 1000),
        ("maxNodes", 1001, 1000),
    ):
        question = "query ($id: ID!) {node(id: $id) {... on LineageNode {lineage(%s: %s) {isTruncated}}}}"
        error = await client.refused(question % (argument, number), id=made.version)
        assert error["message"] == f"`{argument}` must be between 1 and {most}, not {number}."
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_the_text_to_draw(made, client):
    """Mermaid's, with a line for each node and link."""
    question = "query ($id: ID!) {node(id: $id) {... on LineageNode {lineage(direction: UPSTREAM) {mermaid}}}}"
    text = (await client.ask(question, id=made.version))["node"]["lineage"]["mermaid"]

    first, *lines = text.splitlines()
    assert first.startswith("flowchart")
    for label in ("taxis v1", "regressor", "child", "parent", "taxis"):
        assert sum(label in line for line in lines) >= 1
    assert sum("-->" in line for line in lines) == 4


async def test_what_it_costs(store, client, statements):
    """As many statements for many as for one: two for each kind of link and distance at most."""
    store.registered_model("m")
    parent = store.run("0", "parent")

    def make():
        run = store.run("0", parent=parent)
        store.dataset(run, "data", "1")
        model = store.logged_model("0", "model", run)
        store.version("m", model_id=model.model_id)

    question = "{modelVersions {nodes {lineage(depth: 6) {nodes {id label} links {kind source {id}} mermaid}}}}"
    make()
    make()
    await client.ask(question)
    few = len(statements)
    for _ in range(4):
        make()
    await client.ask(question)

    assert len(statements) == few
    assert few <= 2 * 6 * 6
