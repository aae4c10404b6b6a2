"""Datasets, and what runs say of those that they read."""

from lineage_api.graph.identity import encoded


async def test_what_a_dataset_says_of_itself(store, client):
    """Its source, schema and profile are the JSON that MLflow recorded."""
    run = store.run("0")
    source, schema = '{"uri": "s3://b/é.csv"}', '{"mlflow_colspec": [{"type": "long", "name": "a"}]}'
    store.dataset(run, "taxi é", "12ab", source_type="s3", source=source, schema=schema, profile='{"num_rows": 442}')

    answer = await client.ask("{datasets {nodes {__typename id label name digest sourceType source schema profile}}}")

    dataset = {
        "__typename": "Dataset",
        "id": encoded("Dataset", "taxi é", "12ab"),
        "label": "taxi é (12ab)",
        "name": "taxi é",
        "digest": "12ab",
        "sourceType": "s3",
        "source": {"uri": "s3://b/é.csv"},
        "schema": {"mlflow_colspec": [{"type": "long", "name": "a"}]},
        "profile": {"num_rows": 442},
    }
    assert answer == {"datasets": {"nodes": [dataset]}}


async def test_what_was_not_recorded(store, client):
    """A schema or profile that was not recorded is null; what is no JSON is given as the text that it is."""
    store.dataset(store.run("0"), "bare", "1", source="data.csv, once")
    store.dataset(store.run("0"), "empty", "1", source="", schema="", profile="")
    store.dataset(store.run("0"), "odd", "1", source="[1, 2]", schema="null", profile="NaN")

    answer = await client.ask("{datasets {nodes {name source schema profile}}}")

    assert answer["datasets"]["nodes"] == [
        {"name": "bare", "source": "data.csv, once", "schema": None, "profile": None},
        {"name": "empty", "source": "", "schema": None, "profile": None},
        {"name": "odd", "source": [1, 2], "schema": None, "profile": "NaN"},
    ]


async def test_one_dataset_of_several_experiments(store, client):
    """It is known by name and digest, and what the first experiment recorded goes for it everywhere."""
    first, second = store.experiment("first"), store.experiment("second")
    late, early = store.run(second, "late", start=2000), store.run(first, "early", start=1000)
    store.dataset(late, "taxi", "1", source='"second"', schema='"second"', profile='"second"', source_type="code")
    store.dataset(early, "taxi", "1", source='"first"')
    store.dataset(late, "taxi", "2", source='"other"')

    what = "id source schema profile sourceType"
    answer = await client.ask(
        f"""{{
        datasets(digest: "1") {{nodes {{{what} runs {{nodes {{name}}}} experiments {{totalCount nodes {{name}}}}}}}}
        experiments {{nodes {{datasets {{nodes {{digest {what}}}}}}}}}
        runs {{nodes {{name inputs {{dataset {{digest {what}}}}}}}}}
        }}"""
    )

    one = {"id": encoded("Dataset", "taxi", "1"), "source": "first", "schema": None, "profile": None}
    one |= {"sourceType": "local"}
    other = one | {"digest": "2", "id": encoded("Dataset", "taxi", "2"), "source": "other"}
    experiments = {"totalCount": 2, "nodes": [{"name": "first"}, {"name": "second"}]}
    runs = {"nodes": [{"name": "late"}, {"name": "early"}]}
    one_of_two = {"digest": "1"} | one
    assert answer == {
        "datasets": {"nodes": [one | {"runs": runs, "experiments": experiments}]},
        "experiments": {"nodes": [{"datasets": {"nodes": nodes}} for nodes in ([], [one_of_two], [one_of_two, other])]},
        "runs": {"nodes": [
            {"name": "late", "inputs": [{"dataset": one_of_two}, {"dataset": other}]},
            {"name": "early", "inputs": [{"dataset": one_of_two}]},
        ]},
    }  # fmt: skip


async def test_the_same_digest_of_another_name(store, client):
    """It is another dataset: a digest alone says nothing."""
    run, other = store.run("0", "one"), store.run("0", "other")
    store.dataset(run, "a", "1")
    store.dataset(other, "b", "1")

    answer = await client.ask("{datasets {nodes {name runs {nodes {name}}}}}")

    datasets = [("a", "one"), ("b", "other")]
    assert answer["datasets"]["nodes"] == [{"name": d, "runs": {"nodes": [{"name": r}]}} for d, r in datasets]


async def test_the_runs_that_read_a_dataset(store, client):
    """Newest first, without those in the trash; of one part only when it is named."""
    for second, (name, context) in enumerate([("a", "training"), ("b", "test"), ("c", None), ("d", ""), ("e", "test")]):
        run = store.run("0", name, start=1000 * (second + 1))
        store.dataset(run, "taxi", "1", context)
    store.client.delete_run(run)

    answer = await client.ask(
        """{datasets {nodes {
        all: runs(first: 3) {totalCount nodes {name}}
        test: runs(context: "test") {totalCount nodes {name}}
        null: runs(context: null) {totalCount}
        none: runs(context: "Test") {totalCount nodes {name}}
        }}}"""
    )

    every = {"totalCount": 4, "nodes": [{"name": "d"}, {"name": "c"}, {"name": "b"}]}
    test, none = {"totalCount": 1, "nodes": [{"name": "b"}]}, {"totalCount": 0, "nodes": []}
    [dataset] = answer["datasets"]["nodes"]
    assert dataset == {"all": every, "test": test, "null": {"totalCount": 4}, "none": none}


async def test_the_experiments_of_a_dataset(store, client):
    """By name, without those in the trash."""
    for name in ("c", "a", "b", "gone"):
        id_ = store.experiment(name)
        store.dataset(store.run(id_), "taxi", "1")
    store.client.delete_experiment(id_)

    answer = await client.ask("{datasets {nodes {experiments(first: 2) {totalCount nodes {name}}}}}")

    experiments = {"totalCount": 3, "nodes": [{"name": "a"}, {"name": "b"}]}
    assert answer["datasets"]["nodes"] == [{"experiments": experiments}]


async def test_a_dataset_by_its_id(store, client):
    """Its ID names it in whatever experiment it was read."""
    for name in ("one", "two"):
        store.dataset(store.run(store.experiment(name)), "taxi", "1", source=f'"{name}"')

    answer = await client.ask(
        "query ($ids: [ID!]!) {nodes(ids: $ids) {... on Dataset {source experiments {totalCount}}}}",
        ids=[encoded("Dataset", "taxi", digest) for digest in ("1", "2")],
    )

    assert answer == {"nodes": [{"source": "one", "experiments": {"totalCount": 2}}, None]}


async def test_what_a_run_read(store, client):
    """By name and digest; the part that each played is null where that was not said."""
    run = store.run("0")
    for name, digest, context in (("b", "1", None), ("a", "2", "test"), ("a", "1", "training"), ("c", "1", "")):
        store.dataset(run, name, digest, context)
    store.dataset(run, "a", "1", "ignored")  # MLflow keeps the first context

    answer = await client.ask(
        """query ($id: String!) {run(runId: $id) {inputs {context dataset {label}}
        test: inputs(context: "test") {dataset {label}} null: inputs(context: null) {context}
        none: inputs(context: "none") {context}}}""",
        id=run,
    )

    labels = {"a (1)": "training", "a (2)": "test", "b (1)": None, "c (1)": None}
    assert answer["run"] == {
        "inputs": [{"context": context, "dataset": {"label": label}} for label, context in labels.items()],
        "test": [{"dataset": {"label": "a (2)"}}],
        "null": [{"context": context} for context in labels.values()],
        "none": [],
    }
