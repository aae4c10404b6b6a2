import asyncio
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry

from lineage_api.store.artifact_places import File
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.waiting import Patience, Question


class Elsewhere(ArtifactRepository):
    """An artifact store of a plugin, as MLflow lets anybody register: its host says how it behaves."""

    hang = threading.Event()
    asked = 0

    def list_artifacts(self, path=None):
        type(self).asked += 1
        if "hangs" in self.artifact_uri:
            self.hang.wait(30)
        if "fails/" in self.artifact_uri:
            raise PermissionError("the secret is geheim")
        if path == "a.txt":
            return [FileInfo("a.txt", False, 6)]
        return (
            [FileInfo(f"{path}/deep.txt", False, None)]
            if path
            else [
                FileInfo("sub", True, None),
                FileInfo("a.txt", False, 6),
                FileInfo("big.bin", False, 17 * 2**20),
            ]
        )

    def _download_file(self, remote_file_path, local_path):
        Path(local_path).write_text(f"{self.artifact_uri}/{remote_file_path}")

    def log_artifact(self, local_file, artifact_path=None):
        raise NotImplementedError

    def log_artifacts(self, local_dir, artifact_path=None):
        raise NotImplementedError


@pytest.fixture
def elsewhere():
    """The plugin, registered; what hangs in it goes on when the test is over."""
    registry.register("elsewhere", Elsewhere)
    Elsewhere.hang, Elsewhere.asked = threading.Event(), 0
    yield Elsewhere
    Elsewhere.hang.set()


@pytest.fixture
def artifacts(tmp_path):
    opened = Artifacts(artifacts_destination=str(tmp_path / "served"), time_limit_s=10, only_own=False)
    yield opened
    opened.close()


@pytest.fixture
def hasty():
    """With few threads and little time, for stores that hang."""
    opened = Artifacts(time_limit_s=0.5, threads=4, only_own=False)
    yield opened
    opened.close()


@pytest.fixture
def run(tmp_path):
    """The artifact folder of a run that MLflow's client filled."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("e", artifact_location=f"file://{tmp_path}/kept here")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "Grüße", "notes.txt")
    client.log_dict(run.info.run_id, {"a": 1}, "reports/one.json")
    yield run.info.artifact_uri
    mlflow.set_tracking_uri(None)


async def texts(artifacts, root, *paths, max_bytes=1000):
    """How files below a root begin."""
    return await artifacts.texts([File(root, path, False, None) for path in paths], max_bytes)


async def listing(artifacts, root, path="", first=100):
    """What is in one folder: its paths, those of folders with a slash."""
    [files] = await artifacts.listings([root], [path], first)
    return files and [file.path + "/" * file.is_folder for file in files]


async def test_what_a_run_logged(artifacts, run):
    """Folders and files as MLflow's client wrote them, in the places of what was asked."""
    assert await artifacts.listings([run, None, run], ["", "", "reports/"], first=10) == [
        [File(run, "notes.txt", False, 7), File(run, "reports", True, None)],
        None,
        [File(run, "reports/one.json", False, 12)],
    ]
    assert await texts(artifacts, run, "notes.txt", "reports/one.json") == ["Grüße", '{\n  "a": 1\n}']


def test_the_name_of_a_file():
    """It is the last part of its path."""
    assert [File("r", path, False, 1).name for path in ("a.txt", "deep/down/b.txt")] == ["a.txt", "b.txt"]


async def test_a_listing_is_by_path_and_as_long_as_asked(artifacts, tmp_path):
    """Files that MLflow is still writing are not there yet."""
    for name in ("b", "a", "c", ".artifact.uploading.x"):
        (tmp_path / name).touch()

    assert await listing(artifacts, str(tmp_path), first=2) == ["a", "b"]
    assert await listing(artifacts, tmp_path.as_uri()) == ["a", "b", "c"]


@pytest.mark.parametrize("path", ["nowhere", "nowhere/deeper", "a.txt", "a.txt/b"])
async def test_a_folder_that_is_not_there_is_empty(artifacts, tmp_path, path):
    """Like that of a run that logged no file; MLflow says the same."""
    (tmp_path / "a.txt").touch()
    assert await listing(artifacts, str(tmp_path), path) == []
    assert await listing(artifacts, f"{tmp_path}/no/run") == []


async def test_what_is_no_text(artifacts, tmp_path):
    """A folder, a file that is not there, bytes that are not UTF-8, a pipe that nobody writes to."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.pkl").write_bytes(b"\x80\x05")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")

    paths = ("folder", "nowhere", "empty/deeper", "model.pkl", "pipe", "empty")
    assert await texts(artifacts, str(tmp_path), *paths) == [None, None, None, None, None, ""]
    assert await artifacts.texts([File(str(tmp_path), "folder", True, None)], 10) == [None]


@pytest.mark.parametrize(
    ("max_bytes", "text"), [(0, ""), (1, "a"), (2, "a"), (3, "aß"), (6, "aß"), (7, "aß🎂"), (8, "aß🎂")]
)
async def test_a_text_is_cut_between_characters(artifacts, tmp_path, max_bytes, text):
    """Its beginning has at most so many bytes."""
    (tmp_path / "a.txt").write_text("aß🎂", "utf-8")
    assert await texts(artifacts, str(tmp_path), "a.txt", max_bytes=max_bytes) == [text]


async def test_a_text_that_ends_amid_a_character(artifacts, tmp_path):
    """That is no UTF-8; only what was cut off may be missing."""
    (tmp_path / "a.txt").write_bytes("ß".encode()[:1])
    assert await texts(artifacts, str(tmp_path), "a.txt") == [None]


PATHS = ["..", "a/../../b", "/etc", "a\\b", "a\0b", "%2e%2e/b", "%252e%252e", "%2Fetc", "%25252525252e", "..%5cb"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_that_may_lead_out(artifacts, elsewhere, tmp_path, path):
    """Wherever the root is, and however often it is encoded."""
    (tmp_path / "b").touch()
    for root in (f"{tmp_path}/run", "elsewhere://host/run"):
        assert await listing(artifacts, root, path) is None
        assert await texts(artifacts, root, path) == [None]
    assert elsewhere.asked == 0


async def test_a_path_with_more_slashes_than_needed(artifacts, tmp_path):
    """It is the same path."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "100%.txt").write_text("all")
    assert await listing(artifacts, str(tmp_path), "./sub//") == ["sub/100%.txt"]
    assert await texts(artifacts, str(tmp_path), "sub//100%.txt") == ["all"]


async def test_links(artifacts, tmp_path):
    """They may lead on within the root, and not out of it; those that lead nowhere or round are left out."""
    root = tmp_path / "run"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.txt").write_text("inside")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "b.txt").write_text("outside")
    for name, target in {"in": "sub", "out": tmp_path / "secret", "gone": "nowhere", "round": "round"}.items():
        (root / name).symlink_to(target)

    assert await listing(artifacts, str(root)) == ["in/", "sub/"]
    assert await listing(artifacts, str(root), "in") == ["in/a.txt"]
    assert await listing(artifacts, str(root), "out") is None
    assert await texts(artifacts, str(root), "in/a.txt", "out/b.txt", "gone", "round") == ["inside", None, None, None]


async def test_a_folder_that_is_a_link(artifacts, tmp_path):
    """The root itself may be one: it is where the artifacts are kept."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").write_text("a")
    (tmp_path / "here").symlink_to("there")
    assert await texts(artifacts, f"{tmp_path}/here", "a.txt") == ["a"]


async def test_what_mlflows_server_serves(artifacts, tmp_path):
    """It is read where the server keeps it, under the location that the run has."""
    (tmp_path / "served" / "1" / "run").mkdir(parents=True)
    (tmp_path / "served" / "1" / "run" / "a.txt").write_text("a")

    for root in ("mlflow-artifacts:/1/run", "mlflow-artifacts://host:5000/1/run"):
        assert await artifacts.listings([root], [""], 10) == [[File(root, "a.txt", False, 1)]]
        assert await texts(artifacts, root, "a.txt") == ["a"]


@pytest.mark.parametrize(
    "root",
    [
        "",
        None,
        "mlflow-artifacts:/../run",
        "mlflow-artifacts:/%2e%2e/run",
        "models:/m/1",
        "runs:/abc/model",
        "http://169.254.169.254/latest",
        "https://host/x",
        "ftp://host/x",
        "s3://bucket/../other",
        "/a/../etc",
        "/a\0b",
    ],
)
async def test_roots_that_are_refused(artifacts, root):
    """Names that are no places, addresses that a client may have written, ways out; nothing is asked."""
    assert await artifacts.listings([root], [""], 10) == [None]
    assert await artifacts.contents([root], ["MLmodel"], 10) == [None]


async def test_no_destination_is_known():
    """What MLflow's server serves is out of reach without it."""
    artifacts = Artifacts(only_own=False)
    assert await artifacts.listings(["mlflow-artifacts:/1/run"], [""], 10) == [None]


async def test_a_store_that_only_mlflow_can_read(artifacts, elsewhere):
    """Its files are downloaded, read, and removed."""
    root = "elsewhere://host/run"
    assert await artifacts.listings([root, root, root], ["", "sub", "a.txt"], 2) == [
        [File(root, "a.txt", False, 6), File(root, "big.bin", False, 17 * 2**20)],
        [File(root, "sub/deep.txt", False, None)],
        [],
    ]
    assert await texts(artifacts, root, "sub/deep.txt", max_bytes=9) == ["elsewhere"]


async def test_a_large_file_elsewhere(artifacts, elsewhere):
    """It would have to be downloaded as a whole to see its beginning."""
    [[_, large, _]] = await artifacts.listings(["elsewhere://host/run"], [""], 10)
    assert await artifacts.texts([large], 10) == [None]


async def test_a_store_that_fails(artifacts, elsewhere, caplog):
    """One line says how often, of which host, and what; no secret is in it."""
    roots = ["elsewhere://me:geheim@fails/1", "elsewhere://me:geheim@fails/2", "elsewhere://host/3"]
    answers = await artifacts.listings(roots, [""] * 3, 1)
    assert answers == [None, None, [File(roots[2], "a.txt", False, 6)]]
    assert caplog.messages == ["elsewhere://fails failed to answer 2 times: PermissionError"]


async def test_a_scheme_that_nobody_knows(artifacts, caplog):
    """MLflow has no repository for it."""
    assert await artifacts.listings(["nonsense:x"], [""], 1) == [None]
    assert caplog.messages == ["nonsense:// failed to answer 1 times: MlflowException"]


async def test_a_store_that_hangs(hasty, elsewhere, caplog):
    """It costs the time limit once, however much is asked of it; the others answer, then and later."""
    roots = [*["elsewhere://hangs/run"] * 50, "elsewhere://host/run"]

    began = time.monotonic()
    answers = await hasty.listings(roots, [""] * 51, 1)
    assert time.monotonic() - began < 2
    assert answers == [None] * 50 + [[File("elsewhere://host/run", "a.txt", False, 6)]]

    began = time.monotonic()
    assert await hasty.listings(roots[-2:], [""] * 2, 1) == answers[-2:]
    assert time.monotonic() - began < 0.4
    assert caplog.messages == ["elsewhere://hangs did not answer within 0.5 s"]
    assert elsewhere.asked == 4


async def test_more_stores_hang_than_there_are_threads(hasty, elsewhere, caplog):
    """Nothing is asked of the last, and it is asked when there are threads again."""
    roots = [f"elsewhere://{host}/run" for host in ("hangs1", "hangs2", "other") for _ in range(2)]

    assert await hasty.listings(roots, ["sub"] * 6, 1) == [None] * 6
    assert "no thread was free to ask elsewhere://other within 0.5 s" in caplog.messages
    elsewhere.hang.set()
    assert await listing(hasty, roots[-1], "sub") == ["sub/deep.txt"]


async def test_a_store_that_answers_again(elsewhere, tmp_path):
    """It is left alone for a while, and as long as all that may work for it hangs there."""
    patience = Patience(threads=2)
    hangs = Question("it", partial(elsewhere.hang.wait, 30))

    assert await patience.answers([hangs], 0.05) == [None]
    assert await patience.answers([Question("it", lambda: 1)], 0.05) == [None]
    elsewhere.hang.set()
    await asyncio.sleep(0.1)
    assert await patience.answers([Question("it", lambda: 1)], 0.05) == [1]
    patience.close()


async def test_nobody_waits_any_more(elsewhere):
    """When the one who asks is gone, what was not asked yet never is."""
    patience, asked = Patience(threads=2), []
    waits = Question("it", partial(elsewhere.hang.wait, 30))

    asking = asyncio.create_task(patience.answers([waits, Question("it", lambda: asked.append(1))], 30))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    elsewhere.hang.set()
    await asyncio.sleep(0.1)
    assert asked == []
    patience.close()


async def test_what_is_closed_can_be_used_again(artifacts, elsewhere):
    """Its threads end, and new ones begin when there is work."""
    assert await listing(artifacts, "elsewhere://host/run", "sub") == ["sub/deep.txt"]
    artifacts.close()
    assert await listing(artifacts, "elsewhere://host/run", "sub") == ["sub/deep.txt"]


async def test_the_files_of_some_names(artifacts, tmp_path):
    """Those that are there, are no folders and not too long."""
    (tmp_path / "MLmodel").write_text("flavors: {}")
    (tmp_path / "conda.yaml").write_text("x" * 12)
    (tmp_path / "other").write_text("x")
    (tmp_path / "requirements.txt").mkdir()
    names = ["MLmodel", "conda.yaml", "requirements.txt", "python_env.yaml"]

    assert await artifacts.contents([str(tmp_path), None, f"{tmp_path}/no"], names, 11) == [
        {"MLmodel": b"flavors: {}"},
        None,
        {},
    ]


def test_files_here_need_nothing_of_mlflow(tmp_path):
    """They are read without the seconds that importing it takes."""
    (tmp_path / "a.txt").write_text("a")
    code = (
        "import asyncio, sys; from lineage_api.store.artifacts import Artifacts, File;"
        f"[text] = asyncio.run(Artifacts(only_own=False).texts([File({str(tmp_path)!r}, 'a.txt', False, 1)], 9));"
        "sys.exit(text != 'a' or 'mlflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_process_ends_while_a_store_hangs(tmp_path):
    """Importing MLflow is not counted in the time limit; what hangs is abandoned."""
    (tmp_path / "plugin.py").write_text(
        "import time\n"
        "from mlflow.store.artifact.artifact_repo import ArtifactRepository\n"
        "class Hangs(ArtifactRepository):\n"
        "    def list_artifacts(self, path=None):\n"
        "        time.sleep(60)\n"
    )
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mlflow.artifact_repository]\nelsewhere = plugin:Hangs\n")
    code = (
        "import asyncio; from lineage_api.store.artifacts import Artifacts;"
        "print(asyncio.run(Artifacts(time_limit_s=0.1, only_own=False).listings(['elsewhere://hangs/x'], [''], 1)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, timeout=40, capture_output=True, text=True
    )
    assert ended.stdout == "[None]\n"
    assert "elsewhere://hangs did not answer within 0.1 s" in ended.stderr


@pytest.mark.parametrize("kind", ["{}", "file://{}"])
async def test_folders_that_belong_to_no_run(tmp_path, kind):
    """MLflow takes any place for a version; on this machine only what is in an artifact folder is read."""
    own, model = tmp_path / ("a" * 32) / "artifacts", tmp_path / ("m-" + "b" * 32) / "artifacts"
    others = [tmp_path, own.parent, tmp_path / ("c" * 31) / "artifacts", tmp_path / ("d" * 32) / "artifacts-of-others"]
    artifacts = Artifacts()
    for folder in (own, own / "model", model, *others):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.txt").write_text("text")
    for folder in (own, own / "model", model):
        assert await texts(artifacts, kind.format(folder), "a.txt") == ["text"]
        assert "a.txt" in await listing(artifacts, kind.format(folder))
    for folder in others:
        assert await texts(artifacts, kind.format(folder), "a.txt") == [None]
        assert await listing(artifacts, kind.format(folder)) is None
    artifacts.close()
