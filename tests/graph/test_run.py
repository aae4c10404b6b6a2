"""Runs, the code behind them, and what they lead to."""

from lineage_api.graph.identity import encoded


async def test_what_a_run_says_of_itself(store, client):
    """Its columns, what its tags say, and times in UTC."""
    id_ = store.run(
        "0", "Lauf 🚲", start=1_700_000_000_123, end=1_700_000_001_625, status="FAILED",
        tags={"mlflow.user": "ann", "mlflow.note.content": "A *note*."},
    )  # fmt: skip

    answer = await client.ask(
        """query ($id: String!) {run(runId: $id) {__typename id label runId name status isDeleted startedAt endedAt
        duration user description artifactUri experiment {name}}}""",
        id=id_,
    )

    assert answer["run"] == {
        "__typename": "Run",
        "id": encoded("Run", id_),
        "label": "Lauf 🚲",
        "runId": id_,
        "name": "Lauf 🚲",
        "status": "FAILED",
        "isDeleted": False,
        "startedAt": "2023-11-14T22:13:20.123+00:00",
        "endedAt": "2023-11-14T22:13:21.625+00:00",
        "duration": 1.502,
        "user": "ann",
        "description": "A *note*.",
        "artifactUri": store.client.get_run(id_).info.artifact_uri,
        "experiment": {"name": "Default"},
    }


async def test_a_run_that_still_runs(store, client):
    """It has no end yet, and has taken no time that is known."""
    id_ = store.run("0", status="RUNNING")

    answer = await client.ask("query ($id: String!) {run(runId: $id) {status startedAt endedAt duration}}", id=id_)

    started = "1970-01-01T00:00:01.000+00:00"
    assert answer["run"] == {"status": "RUNNING", "startedAt": started, "endedAt": None, "duration": None}


async def test_the_states_of_runs(store, client):
    """Each state that MLflow has."""
    for status in ("RUNNING", "FINISHED", "FAILED", "KILLED"):
        store.run("0", status, status=status)
    store.sql("UPDATE runs SET status = 'SCHEDULED' WHERE name = 'RUNNING'")

    answer = await client.ask("{runs(orderBy: [{field: NAME}]) {nodes {name status}}}")

    assert [node["status"] for node in answer["runs"]["nodes"]] == ["SCHEDULED", "KILLED", "FINISHED", "FAILED"]


async def test_what_was_never_told(store, client):
    """Empty texts, zeros and nulls in MLflow's columns all mean that nothing is known."""
    id_ = store.run("0", tags={"mlflow.note.content": ""})
    what = "user description artifactUri startedAt endedAt duration"
    for text, time in ((None, None), ("", 0), ("", 10**17)):
        values = "user_id = :text, artifact_uri = :text, start_time = :time, end_time = 0"
        store.sql(f"UPDATE runs SET {values}", text=text, time=time)

        answer = await client.ask(f"query ($id: String!) {{run(runId: $id) {{{what}}}}}", id=id_)

        assert answer["run"] == dict.fromkeys(what.split())


async def test_the_name_of_an_old_run(store, client):
    """It is in a tag alone; where there is none, or an empty one, the ID has to do."""
    id_ = store.run("0", "old")
    question = "query ($id: String!) {run(runId: $id) {name label}}"
    for name in (None, ""):
        store.sql("UPDATE runs SET name = :name", name=name)
        assert await client.ask(question, id=id_) == {"run": {"name": "old", "label": "old"}}

    store.sql("UPDATE tags SET value = ''")
    assert await client.ask(question, id=id_) == {"run": {"name": id_, "label": id_}}

    store.client.delete_tag(id_, "mlflow.runName")
    assert await client.ask(question, id=id_) == {"run": {"name": id_, "label": id_}}


async def test_the_user_of_a_run(store, client):
    """From the column, or from the tag; the `unknown` that MLflow's client writes is nobody."""
    id_ = store.run("0")
    question = 'query ($id: String!) {run(runId: $id) {user} runs(filterBy: {users: ["ann"]}) {totalCount}}'
    assert await client.ask(question, id=id_) == {"run": {"user": None}, "runs": {"totalCount": 0}}

    store.client.set_tag(id_, "mlflow.user", "ann")
    for column in ("unknown", "", None):
        store.sql("UPDATE runs SET user_id = :user", user=column)
        assert await client.ask(question, id=id_) == {"run": {"user": "ann"}, "runs": {"totalCount": 1}}

    store.sql("UPDATE runs SET user_id = 'bob'")
    assert await client.ask(question, id=id_) == {"run": {"user": "bob"}, "runs": {"totalCount": 0}}


async def test_the_code_of_a_run(store, client):
    """What its tags say; what they do not say is null."""
    git = "mlflow.source.git"
    tags = {f"{git}.commit": "abc", f"{git}.branch": "main", f"{git}.dirty": "True", "mlflow.source.name": "train.py"}
    store.run("0", "all", tags=tags | {f"{git}.repoURL": "https://x/y.git"})
    store.run("0", "some", tags={f"{git}.commit": "", "mlflow.source.name": "train.py"}, start=900)
    store.run("0", "none", tags={"mlflow.source.type": "LOCAL", "other": "x"}, start=800)

    answer = await client.ask("{runs {nodes {name code {entryPoint repoUrl commit branch isDirty}}}}")

    every = {"entryPoint": "train.py", "repoUrl": "https://x/y.git", "commit": "abc", "branch": "main", "isDirty": True}
    assert answer["runs"]["nodes"] == [
        {"name": "all", "code": every},
        {"name": "some", "code": dict.fromkeys(every) | {"entryPoint": "train.py"}},
        {"name": "none", "code": None},
    ]


async def test_whether_code_was_dirty(store, client):
    """In whatever spelling it was written down."""
    spellings = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
    for spelling in spellings:
        store.run("0", spelling, tags={"mlflow.source.git.dirty": spelling})

    answer = await client.ask("{runs {nodes {name code {isDirty}}}}")

    assert {node["name"]: node["code"]["isDirty"] for node in answer["runs"]["nodes"]} == spellings


async def test_a_deleted_run(store, client):
    """It is there by its ID, and in lists only when those in the trash are asked for."""
    id_ = store.run("0", "gone")
    store.client.delete_run(id_)

    answer = await client.ask(
        """query ($id: String!, $node: ID!) {
        run(runId: $id) {isDeleted}
        node(id: $node) {... on Run {isDeleted}}
        runs {totalCount nodes {name}}
        null: runs(filterBy: {includeDeleted: null}) {totalCount}
        all: runs(filterBy: {includeDeleted: true}) {totalCount nodes {name isDeleted}}
        }""",
        id=id_,
        node=encoded("Run", id_),
    )

    assert answer == {
        "run": {"isDeleted": True},
        "node": {"isDeleted": True},
        "runs": {"totalCount": 0, "nodes": []},
        "null": {"totalCount": 0},
        "all": {"totalCount": 1, "nodes": [{"name": "gone", "isDeleted": True}]},
    }


async def test_parents_and_children(store, client):
    """Children come oldest first, of any experiment; those in the trash are left out."""
    parent = store.run("0", "parent")
    other = store.experiment("other")
    store.run(other, "late", parent=parent, start=3000)
    middle = store.run("0", "early", parent=parent, start=2000)
    store.run("0", "grandchild", parent=middle, start=4000)
    store.client.delete_run(store.run("0", "gone", parent=parent))

    answer = await client.ask(
        "{runs(orderBy: [{field: NAME}]) {nodes {name parent {name} children(first: 1) {totalCount nodes {name}}}}}"
    )

    children = {"parent": (2, "early"), "early": (1, "grandchild")}
    parents = {"late": "parent", "early": "parent", "grandchild": "early"}
    for node in answer["runs"]["nodes"]:
        count, first = children.get(node["name"], (0, None))
        assert node["children"] == {"totalCount": count, "nodes": [{"name": first}] if first else []}
        assert node["parent"] == ({"name": parents[node["name"]]} if node["name"] in parents else None)


async def test_a_parent_that_is_deleted_or_gone(store, client):
    """A parent in the trash is still the parent; one that is nowhere leaves null, and a child that is not top-level."""
    deleted = store.run("0", "deleted")
    store.run("0", "child", parent=deleted, start=3000)
    store.run("0", "orphan", parent="f" * 32, start=2000)
    store.client.delete_run(deleted)

    answer = await client.ask(
        "{runs {nodes {name parent {name isDeleted}}} top: runs(filterBy: {isTopLevel: true}) {totalCount}}"
    )

    parent = {"name": "deleted", "isDeleted": True}
    nodes = [{"name": "child", "parent": parent}, {"name": "orphan", "parent": None}]
    assert answer == {"runs": {"nodes": nodes}, "top": {"totalCount": 0}}


async def test_the_models_that_a_run_logged_and_used(store, client):
    """Newest first, without those in the trash; a model that a run used is none that it logged."""
    maker, user = store.run("0", "maker", status="RUNNING"), store.run("0", "user", status="RUNNING")
    models = [store.logged_model("0", name, maker).model_id for name in ("first", "second", "gone")]
    for time, model in enumerate(models):
        store.sql(f"UPDATE logged_models SET creation_timestamp_ms = {time + 1} WHERE model_id = '{model}'")
        store.used_model(user, model)
    store.client.delete_logged_model(models[2])

    what = "name loggedModels {totalCount nodes {name}} usedModels(first: 1) {totalCount nodes {name}}"
    answer = await client.ask(f"{{runs(orderBy: [{{field: NAME, direction: ASC}}]) {{nodes {{{what}}}}}}}")

    none = {"totalCount": 0, "nodes": []}
    logged = {"totalCount": 2, "nodes": [{"name": "second"}, {"name": "first"}]}
    used = {"totalCount": 2, "nodes": [{"name": "second"}]}
    assert answer["runs"]["nodes"] == [
        {"name": "maker", "loggedModels": logged, "usedModels": none},
        {"name": "user", "loggedModels": none, "usedModels": used},
    ]


async def test_the_versions_that_were_registered_from_a_run(store, client):
    """Newest first, whether the run is named in the version, by its source or by the logged model that it is of."""
    run = store.run("0", status="RUNNING")
    model = store.logged_model("0", run_id=run).model_id
    store.registered_model("m")
    sources = [{"run_id": run}, {"model_id": model}, {"source": f"runs:/{run}/model"}, {"run_id": run}]
    for source in sources:
        store.version("m", **source)
    store.client.delete_model_version("m", "4")

    answer = await client.ask(
        "query ($id: String!) {run(runId: $id) {modelVersions(first: 2) {totalCount nodes {version}}}}", id=run
    )

    assert answer["run"] == {"modelVersions": {"totalCount": 3, "nodes": [{"version": 3}, {"version": 2}]}}


async def test_the_files_of_a_run(store, client, tmp_path):
    """Its own folder of artifacts, and nothing for a run that has none."""
    run = store.run(store.experiment("e"), "run")
    (tmp_path / "note.txt").write_text("hello")
    store.client.log_artifact(run, str(tmp_path / "note.txt"), "notes")
    store.run("0", "bare", start=500)
    store.sql("UPDATE runs SET artifact_uri = '' WHERE name = 'bare'")

    files = 'root: artifacts {path} notes: artifacts(path: "notes") {path text}'
    answer = await client.ask(f"{{runs {{nodes {{name {files}}}}}}}")

    notes = [{"path": "notes/note.txt", "text": "hello"}]
    assert answer["runs"]["nodes"] == [
        {"name": "run", "root": [{"path": "notes"}], "notes": notes},
        {"name": "bare", "root": None, "notes": None},
    ]


async def test_runs_by_their_ids(store, client):
    """Each comes in its place, as often as it is asked for; what is no run's ID is null."""
    ids = {name: encoded("Run", store.run("0", name)) for name in "ab"}
    asked = [ids["b"], encoded("Run", "0" * 32), ids["a"], "nonsense", ids["b"]]

    answer = await client.ask("query ($ids: [ID!]!) {nodes(ids: $ids) {... on Run {name}}}", ids=asked)

    assert answer == {"nodes": [{"name": "b"}, None, {"name": "a"}, None, {"name": "b"}]}
