"""What differs between versions, and between runs, through the graph."""

import math
import shutil
from pathlib import Path

import pytest

from tests.asking import Client
from tests.model_folders import own
from tests.stores import filled
from tests.trained import GIT, NEW, OLD, PREPROCESSORS, Models, column, write

CHANGE = "{ key kind base head delta relative }"
CODE = "{ commit repoUrl entryPoint isDirty }"
OF_RUNS = f"""
    isIdentical unknown params {CHANGE} metrics {CHANGE} tags {CHANGE} datasets {CHANGE} artifacts {CHANGE}
    code {{ base {CODE} head {CODE} compareUrl }} duration {CHANGE}
"""
OF_VERSIONS = f"{OF_RUNS} isSignatureCompatible environment {CHANGE} signature {CHANGE} size {CHANGE}"
VERSIONS = f"""query ($base: ModelVersionRef!, $head: ModelVersionRef!) {{
    compareModelVersions(base: $base, head: $head) {{ {OF_VERSIONS} }}
}}"""
RUNS = f"query ($base: String!, $head: String!) {{ compareRuns(base: $base, head: $head) {{ {OF_RUNS} }} }}"
NOTHING = {
    **{part: [] for part in ("params", "metrics", "tags", "datasets", "artifacts", "environment", "signature")},
    **dict.fromkeys(["code", "size", "duration"]),
}


@pytest.fixture
def models(store):
    return Models(store)


def changed(key, base, head, delta=None, relative=None):
    """A difference as `CHANGE` selects it."""
    kind = "ADDED" if base is None else "REMOVED" if head is None else "CHANGED"
    return {"key": key, "kind": kind, "base": base, "head": head, "delta": delta, "relative": relative}


def sha(content):
    """How contents are told apart."""
    from hashlib import sha256

    return f"sha256:{sha256(content).hexdigest()}"


async def compared(client, base=1, head=2, query=VERSIONS):
    """What differs between two versions of `m`."""
    refs = {"base": {"model": "m", "version": base}, "head": {"model": "m", "version": head}}
    return (await client.ask(query, **refs))["compareModelVersions"]


async def test_a_version_that_was_trained_again(models, client):
    """Everything that changed is there, and nothing else; contents tell files of one size apart."""
    models.version(models.run())
    hour = column("hour", "long")
    again = models.run(
        rate=0.3, rmse=5.7, commit=NEW, digest="d2", end=6_000, tags={"team": "ml"}, preprocessor=PREPROCESSORS[1]
    )
    models.version(again, sklearn="1.5.0", columns=[hour], size=1_000)
    models.store.client.set_model_version_tag("m", "2", "approved", "yes")
    models.store.client.set_model_version_tag("m", "2", "team", "own")

    code = {"repoUrl": "git@github.com:o/r.git", "entryPoint": "train.py", "isDirty": None}
    assert await compared(client) == {
        "isIdentical": False,
        "isSignatureCompatible": False,
        "unknown": [],
        "params": [changed("learning_rate", "0.1", "0.3", 0.2, 2.0)],
        "metrics": [changed("rmse", "6.0", "5.7", -0.3, -0.05)],
        "tags": [changed("approved", None, "yes"), changed("team", "ops", "own")],
        "environment": [changed("scikit-learn", "1.4.2", "1.5.0")],
        "signature": [changed("inputs.hour", None, "long")],
        "datasets": [changed("rides", "d1", "d2")],
        "artifacts": [
            changed(
                "model/requirements.txt",
                *map(sha, (b"Scikit_Learn==1.4.2\nnumpy>=1\n", b"Scikit_Learn==1.5.0\nnumpy>=1\n")),
            ),
            changed("preprocessor.bin", *map(sha, PREPROCESSORS[:2])),
        ],
        "code": {
            "base": {"commit": OLD, **code},
            "head": {"commit": NEW, **code},
            "compareUrl": f"https://github.com/o/r/compare/{OLD}...{NEW}",
        },
        "size": changed("size", "900", "1000", 100.0, 0.1111111111111111),
        "duration": changed("duration", "2.5", "5.0", 2.5, 1.0),
    }


async def test_what_is_the_same(models, client):
    """A version and itself, and a copy, which came of the same run; only a tag of its own is a difference."""
    one = models.version(models.run(tags={f"{GIT}.dirty": "true"}))
    copy = models.store.client.copy_model_version(f"models:/m/{one}", "n")
    refs = {"base": {"model": "m", "version": 1}, "head": {"model": "n", "version": int(copy.version)}}

    assert await compared(client, 1, 1) == {
        **NOTHING,
        "isIdentical": True,
        "isSignatureCompatible": True,
        "unknown": [],
    }
    assert (await client.ask(VERSIONS, **refs))["compareModelVersions"]["isIdentical"]

    models.store.client.set_model_version_tag("n", "1", "mlflow.own", "x")
    models.store.client.set_model_version_tag("n", "1", "team", "ml")
    found = (await client.ask(VERSIONS, **refs))["compareModelVersions"]
    assert {part: each for part, each in found.items() if each != NOTHING.get(part)} == {
        "isIdentical": False,
        "isSignatureCompatible": True,
        "unknown": [],
        "tags": [changed("team", "ops", "ml")],
    }


async def test_callers_that_need_not_change(models, client):
    """One more column breaks them when it has to be given, and one less does always."""
    run = models.run()
    models.version(run, folder=models.folder(run) / "a")
    models.version(run, folder=models.folder(run) / "b", columns=[column("hour", required=False)])

    found = await compared(client)
    assert found["isSignatureCompatible"]
    assert found["signature"] == [changed("inputs.hour", None, "double (optional)")]
    assert not (await compared(client, 2, 1))["isSignatureCompatible"]
    # Two models of one run: its other files are the same ones.
    assert found["artifacts"] == []
    assert found["unknown"] == []


async def test_a_version_without_a_run(models, client):
    """What comes from a run is unknown; what its files say is compared."""
    models.version(models.run())
    models.version(None, folder=own(models.store.artifacts) / "bare", sklearn="1.5.0", size=900)
    models.version(None, folder=own(models.store.artifacts) / "bare", sklearn="1.5.0", size=900)

    found = await compared(client)

    parts = ["params", "metrics", "tags", "datasets", "artifacts", "code", "duration"]
    assert found.pop("unknown") == [f"{part}: the head has no run" for part in parts]
    contents = [f"Scikit_Learn=={version}\nnumpy>=1\n".encode() for version in ("1.4.2", "1.5.0")]
    assert found == NOTHING | {
        "isIdentical": False,
        "isSignatureCompatible": True,
        "environment": [changed("scikit-learn", "1.4.2", "1.5.0")],
        "artifacts": [changed("model/requirements.txt", *map(sha, contents))],
    }
    assert (await compared(client, 2, 3))["isIdentical"], "the same files came about once"


async def test_a_version_whose_run_is_deleted(models, client):
    """A run in the trash is still known; one that is gone is not, but for those that came of the same one."""
    runs = [models.run(), models.run(rate=0.3)]
    for run in [*runs, runs[1]]:
        models.version(run)
    whole = await compared(client)
    models.store.client.delete_run(runs[1])
    assert await compared(client) == whole

    models.store.client._tracking_client.store._hard_delete_run(runs[1])

    found = await compared(client)
    parts = ["params", "metrics", "tags", "datasets", "artifacts", "code", "duration"]
    assert found["unknown"] == [f"{part}: the head's run is gone" for part in parts]
    assert found["params"] == []
    assert (await compared(client, 2, 3))["isIdentical"]


async def test_what_nobody_recorded(models, client):
    """It is named, and no difference."""
    models.version(models.run())
    bare = models.store.run(models.experiment, status="RUNNING", params={"n": 1})
    write(models.folder(bare) / "model", {"MLmodel": b"flavors: {sklearn: {}}", "model.pkl": b"other"})
    models.store.version("m", run_id=bare, source=str(models.folder(bare) / "model"))

    found = await compared(client)

    assert found["unknown"] == [
        "environment: not recorded for the head",
        "signature: not recorded for the head",
        "code: nothing about it was recorded for the head",
        "size: not recorded for the head",
        "duration: the head's run has not ended",
    ]
    assert [found[part] for part in ("environment", "signature", "code", "size", "duration")] == [[], [], *[None] * 3]
    assert found["isSignatureCompatible"] is None
    assert found["params"] == [
        changed("depth", "3", None), changed("learning_rate", "0.1", None), changed("n", None, "1")
    ]  # fmt: skip
    assert found["datasets"] == [changed("rides", "d1", None)]
    assert [(each["key"], each["kind"]) for each in found["artifacts"]] == [
        ("model/model.pkl", "CHANGED"),
        ("model/python_env.yaml", "REMOVED"),
        ("model/requirements.txt", "REMOVED"),
        ("plots/residuals.png", "REMOVED"),
        ("preprocessor.bin", "REMOVED"),
    ]
    assert (await compared(client, 2, 2))["isIdentical"]


async def test_files_that_cannot_be_read(models, client):
    """They are never counted as the same, wherever the reason lies; a part that can be read is compared."""
    runs = [models.run() for _ in range(3)]
    for run in runs:
        write(models.folder(run), {"big.bin": bytes(2**20 + 1), "large.bin": bytes(2**20)})
        models.version(run)
    shutil.rmtree(models.folder(runs[2]) / "model")
    long = "artifacts: of the same size, and too much to be read: big.bin"
    assert (await compared(client))["unknown"] == [long]

    found = await compared(client, 1, 3)
    unread = [f"{part}: MLmodel of the head could not be read" for part in ("environment", "signature", "size")]
    assert found["unknown"] == [*unread[:2], "artifacts: the model of the head has no files", long, unread[2]]
    assert found["artifacts"] == []
    assert found["isSignatureCompatible"] is None
    assert not (await compared(client, 3, 3))["isIdentical"], "what cannot be read is unknown all the same"

    models.store.sql("UPDATE model_versions SET source = '', storage_location = '' WHERE version = 1")
    models.store.sql("UPDATE runs SET artifact_uri = 'strange://b/a' WHERE run_uuid = :run", run=runs[0])
    nowhere = "nothing says where the files of the base are"
    assert (await compared(client, 1, 2))["unknown"] == [
        f"environment: {nowhere}",
        f"signature: {nowhere}",
        "artifacts: the artifact store of the base did not answer",
        f"artifacts: {nowhere}",
        f"size: {nowhere}",
    ]


async def test_what_is_measured_and_read_otherwise(models, client):
    """Not-a-number is itself and no number; a dataset that plays another part is another input."""
    ids = [
        models.store.run(models.experiment, metrics={"same": math.nan, "rmse": rmse, "loss": loss}, end=end)
        for rmse, loss, end in ((math.nan, 0.0, 2_000), (1.0, math.inf, 2_000))
    ]
    for run, parts in zip(ids, (["training", "eval", None], ["eval", "eval", "training"]), strict=True):
        for (name, digest), part in zip((("a", "1"), ("b", "2"), ("b", "1")), parts, strict=True):
            models.store.dataset(run, name, digest, part)

    selected = f"metrics {CHANGE} datasets {CHANGE} duration {CHANGE}"
    query = f"query ($base: String!, $head: String!) {{compareRuns(base: $base, head: $head) {{{selected}}}}}"
    found = (await client.ask(query, base=ids[0], head=ids[1]))["compareRuns"]

    assert found == {
        "metrics": [changed("loss", "0.0", "Infinity"), changed("rmse", "NaN", "1.0")],
        "datasets": [changed("a", "1 (training)", "1 (eval)"), changed("b", "1, 2 (eval)", "1 (training), 2 (eval)")],
        "duration": None,
    }


async def test_two_runs(models, client):
    """The same of runs as of versions, with the models that they logged by name; a run in the trash is one too."""
    runs = [models.run(), models.run(rate=0.2, preprocessor=PREPROCESSORS[1])]
    for number, run in enumerate(runs):
        for name in ("model", f"model {number}"):
            model = models.store.logged_model(models.experiment, name, run)
            write(
                Path(model.artifact_location), {"MLmodel": bytes([number]), "model.pkl": b"model", "n": bytes(number)}
            )
    models.store.client.delete_run(runs[0])

    found = (await client.ask(RUNS, base=runs[0], head=runs[1]))["compareRuns"]

    files = [changed("model 0/model.pkl", "5", None), changed("model 0/n", "0", None)]
    files += [changed("model 1/model.pkl", None, "5"), changed("model 1/n", None, "1")]
    files += [changed("model/n", "0", "1", 1.0), changed("preprocessor.bin", *map(sha, PREPROCESSORS[:2]))]
    assert {part: each for part, each in found.items() if each != NOTHING.get(part)} == {
        "isIdentical": False,
        "unknown": [],
        "params": [changed("learning_rate", "0.1", "0.2", 0.1, 1.0)],
        "artifacts": files,
    }
    assert (await client.ask(RUNS, base=runs[0], head=runs[0]))["compareRuns"]["isIdentical"]
    query = "query ($a: String!, $b: String!) {compareRuns(base: $a, head: $b) {base {isDeleted} head {isDeleted}}}"
    assert (await client.ask(query, a=runs[0], b=runs[1]))["compareRuns"] == {
        "base": {"isDeleted": True}, "head": {"isDeleted": False}
    }  # fmt: skip


async def test_what_is_compared_can_be_named_and_looked_at(models, client):
    """By number, stage or alias; both sides lead on to the versions."""
    for _ in range(2):
        models.version(models.run())
    models.store.stage("m", 1, "Production")
    models.store.alias("m", "next", 2)
    query = """query ($base: ModelVersionRef!, $head: ModelVersionRef!) {
        compareModelVersions(base: $base, head: $head) { base { label stage } head { label aliases } }
    }"""

    refs = {"base": {"model": "m", "stage": "PRODUCTION"}, "head": {"model": "m", "alias": "next"}}
    assert (await client.ask(query, **refs))["compareModelVersions"] == {
        "base": {"label": "m v1", "stage": "PRODUCTION"},
        "head": {"label": "m v2", "aliases": ["next"]},
    }


NUL = "A text must not contain the character NUL."
ONE = "Give exactly one of `version`, `stage` and `alias`."
SEVERAL = "The stage holds several versions: 2, 1. Ask by `version`, or for the whole stage."


REFERENCES = [
    ({"version": 7}, "NOT_FOUND", "There is no version 7 of 'm'."),
    ({"version": 3}, "NOT_FOUND", "There is no version 3 of 'm'."),
    ({"stage": "STAGING"}, "NOT_FOUND", "There is no version of 'm' in STAGING."),
    ({"alias": "a"}, "NOT_FOUND", "There is no version of 'm' with the alias 'a'."),
    ({"model": "none", "version": 1}, "NOT_FOUND", "There is no version 1 of 'none'."),
    ({"model": "prompt", "version": 1}, "NOT_FOUND", "There is no version 1 of 'prompt'."),
    ({"stage": "PRODUCTION"}, "BAD_USER_INPUT", SEVERAL),
    ({}, "BAD_USER_INPUT", ONE),
    ({"version": 1, "stage": None, "alias": "a"}, "BAD_USER_INPUT", ONE),
    ({"alias": "\0"}, "BAD_USER_INPUT", NUL),
    ({"model": "\0", "version": 1}, "BAD_USER_INPUT", NUL),
]


async def test_references_that_name_no_version(named_badly):
    """One that names nothing is told from one that makes no sense, on either side."""
    query = """query ($base: ModelVersionRef!, $head: ModelVersionRef!) {
        compareModelVersions(base: $base, head: $head) { isIdentical }
    }"""
    good = {"model": "m", "version": 1}
    for given, code, message in REFERENCES:
        bad = {"model": "m", **given}
        for refs in ({"base": bad, "head": good}, {"base": good, "head": bad}):
            error = await named_badly.refused(query, **refs)
            assert (error["extensions"]["code"], error["message"]) == (code, message)


async def test_runs_that_are_not_there(named_badly):
    """The error says which."""
    for run, code, message in (("x", "NOT_FOUND", "There is no run 'x'."), ("\0", "BAD_USER_INPUT", NUL)):
        error = await named_badly.refused(RUNS, base=run, head=run)
        assert (error["extensions"]["code"], error["message"]) == (code, message)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def badly(request, templates, tmp_path_factory):
    """A store with two versions in one stage, one that was deleted, and a prompt; tests only read it."""
    with filled(request.param, templates, tmp_path_factory.mktemp("badly")) as made:
        made.registered_model("m")
        for number in (1, 2, 3):
            made.version("m", source="x")
            made.stage("m", number, "Production")
        made.client.delete_model_version("m", "3")
        made.prompt("prompt")
        yield made


@pytest.fixture
async def named_badly(badly, statements):
    """Asks about that store."""
    async with Client.of(badly.uri, statements) as asking:
        yield asking


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def many(request, templates, tmp_path_factory):
    """Registered models whose second version took the first one's place in Production; tests only read them."""
    with filled(request.param, templates, tmp_path_factory.mktemp("many")) as made:
        for name in ("a", "b", "c"):
            models = Models(made, name)
            models.version(models.run(rate=0.1))
            models.version(models.run(rate=0.2, commit=NEW, preprocessor=PREPROCESSORS[1]))
            for number in (1, 2):
                made.stage(name, number, "Production", archive=True)
        made.registered_model("d")
        yield made


@pytest.fixture
async def asking(many, statements):
    """Asks about them."""
    async with Client.of(many.uri, statements) as client:
        yield client


async def test_what_going_back_would_change(asking, statements):
    """From the current version to the target; null where there is none, and at the same cost for one and for many."""
    plan = f"""rollbackPlan(stage: PRODUCTION) {{ comparison {{
        isIdentical base {{ label }} head {{ label }} params {CHANGE} artifacts {{ key }}
    }} }}"""
    found = (await asking.ask(f"{{ registeredModels {{ nodes {{ {plan} }} }} }}"))["registeredModels"]["nodes"]
    cost = len(statements)

    comparisons = [node["rollbackPlan"]["comparison"] for node in found]
    assert comparisons == [
        *(
            {
                "isIdentical": False,
                "base": {"label": f"{name} v2"},
                "head": {"label": f"{name} v1"},
                "params": [changed("learning_rate", "0.2", "0.1", -0.1, -0.5)],
                "artifacts": [{"key": "preprocessor.bin"}],
            }
            for name in ("a", "b", "c")
        ),
        None,
    ]
    assert (await asking.ask(f'{{ registeredModel(name: "a") {{ {plan} }} }}'))["registeredModel"] == found[0]
    assert len(statements) == cost


PARTS = [
    # what is asked of a comparison, statements beside the two that find the versions, and the one that finds the runs
    ("base { id } head { id }", 2, 2),
    ("isSignatureCompatible environment { key } signature { key } size { key }", 0, None),
    ("duration { key }", 1, 1),
    ("params { key }", 2, 2),
    ("metrics { key }", 2, 2),
    ("tags { key }", 3, 2),
    ("datasets { key }", 2, 2),
    ("artifacts { key }", 1, 2),
    ("code { compareUrl }", 2, 2),
    ("code { base { commit } head { commit } }", 4, 4),
    ("isIdentical", 6, 6),
    ("unknown", 6, 6),
]


async def test_what_a_comparison_costs(many, asking, statements):
    """Only what is selected is read, by a fixed number of statements."""
    versions = 'base: {model: "a", version: 1}, head: {model: "a", version: 2}'
    [base, head] = [many.client.get_model_version("a", number).run_id for number in (1, 2)]
    for selected, of_versions, of_runs in PARTS:
        await asking.ask(f"{{ compareModelVersions({versions}) {{ {selected} }} }}")
        assert (selected, len(statements)) == (selected, 2 + of_versions)
        if of_runs is not None:
            await asking.ask(f'{{ compareRuns(base: "{base}", head: "{head}") {{ {selected} }} }}')
            assert (selected, len(statements)) == (selected, 1 + of_runs)
