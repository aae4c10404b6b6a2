import pytest

from lineage_api.analysis.entry_points import EntryPoint, Kind, entry_point, is_kernel

FLIGHTS = "git@github.com:org/flights.git"


@pytest.mark.parametrize(
    ("recorded", "repo_url", "kind", "name", "is_certain"),
    [
        ("train.py", None, Kind.FILE, "train.py", True),
        ("./src/../-c.py", None, Kind.FILE, "-c.py", True),
        ("src\\train.py", None, Kind.FILE, "src/train.py", True),
        ("a/../../train.py", FLIGHTS, Kind.FILE, "train.py", False),
        ("/home/ann/flights/src/train.py", FLIGHTS, Kind.FILE, "src/train.py", True),
        ("C:\\Users\\ann\\flights\\train.py", "https://host/org/flights/", Kind.FILE, "train.py", True),
        ("/work/flights/../flights/train.py", "https://dev.azure.com/o/p/_git/flights", Kind.FILE, "train.py", True),
        ("/home/ann/flights/flights/train.py", FLIGHTS, Kind.FILE, "flights/train.py", False),
        ("/home/ann/other/train.py", FLIGHTS, Kind.FILE, "train.py", False),
        ("/flights.py", "flights.py", Kind.FILE, "flights.py", False),
        ("//train.py", "", Kind.FILE, "train.py", False),
        ("/work/flights/a b.ipynb", FLIGHTS, Kind.NOTEBOOK, "a b.ipynb", True),
        ("flights.training.main", FLIGHTS, Kind.MODULE, "flights.training.main", True),
    ],
)
def test_what_can_be_started(recorded, repo_url, kind, name, is_certain):
    """A file is looked for below the repository, and never outside; where it may be elsewhere, that is said."""
    assert entry_point(recorded, repo_url) == EntryPoint(kind, name, is_certain)


@pytest.mark.parametrize(
    "recorded",
    ["", "train", "<console>", "https://host/train.py", "s3://b/a.py", "train.sh", "deploy.YML", "-m.train", "a b.c"],
)
def test_what_can_not(recorded):
    """It is not clear how."""
    assert entry_point(recorded, FLIGHTS) is None


def test_kernels_of_notebooks():
    """MLflow records them where it does not see the notebook."""
    assert is_kernel("/opt/lib/python3.11/site-packages/ipykernel_launcher.py")
    assert is_kernel("C:\\python\\ipykernel_launcher.py")
    assert not is_kernel("kernel.py")
