"""The command that draws lineage, on a store with several versions."""

import re
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from lineage_api.cli import main
from tests.stores import filled

CUT = "There may be more than is drawn: the walk ended at --depth or --max-nodes.\n"


@pytest.fixture(scope="module")
def store(templates, tmp_path_factory):
    """A store with a model whose two versions come of one dataset, one that has 21 versions, and one that has none."""
    with filled("sqlite", templates, tmp_path_factory.mktemp("graph")) as made:
        experiment = made.experiment("e")
        for name in ("m", "many", "none"):
            made.registered_model(name)
        for number in (1, 2):
            run = made.run(experiment, f'run "{number}"', status="RUNNING")
            made.dataset(run, "flights", "1a")
            made.version("m", model_id=made.logged_model(experiment, f"model {number}", run).model_id)
        made.alias("m", "champion", 2)
        made.stage("m", 1, "Production")
        for _ in range(21):
            made.version("many", source="s3://b/model")
        made.sql("UPDATE model_versions SET creation_time = version")
        yield made


@pytest.fixture
def draw(store):
    """What the command prints, what it remarks, and how it ends."""

    def draw(*arguments):
        done = CliRunner().invoke(main, ["graph", *arguments, "--backend-store-uri", store.uri])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.stdout, done.stderr, done.exit_code

    return draw


def test_one_version(draw):
    """What it came from, as Mermaid text; named by its number, its alias or its stage."""
    by_number = draw("m", "--version", "2", "--depth", "3")

    assert by_number == (
        """flowchart LR
    n0(["m v2"])
    n1{{"model 2"}}
    n2("run #34;2#34;")
    n3[("flights #40;1a#41;")]
    n3 -->|"read by"| n2
    n2 -->|"produced"| n1
    n1 -->|"registered as"| n0
""",
        "",
        0,
    )
    assert draw("m", "--alias", "champion", "--depth", "3") == by_number
    assert draw("m", "--stage", "Production", "--depth", "3") == draw("m", "--version", "1", "--depth", "3")


def test_all_versions(draw):
    """In one picture, in which nothing comes twice."""
    text, remarks, code = draw("m", "--depth", "20")

    boxes = re.findall(r"^    n\d+\W+(.*?)\"\W*$", text, re.MULTILINE)
    assert boxes == [
        "m v2", "model 2", "run #34;2#34;", "flights #40;1a#41;", "m v1", "model 1", "run #34;1#34;",
    ]  # fmt: skip
    assert text.count("-->") == 6
    assert (remarks, code) == ("", 0)


def test_what_is_cut_off(draw):
    """It is said, and lines lead only to what is drawn."""
    text, remarks, code = draw("m", "--max-nodes", "2")
    assert (text.count("n1"), text.count("n2"), text.count("-->")) == (2, 0, 1)
    assert (remarks, code) == (CUT, 0)

    text, remarks, _ = draw("many")
    assert ("many v21" in text, '"many v1"' in text) == (True, False)
    assert remarks == "Only the newest 20 of 21 versions are drawn.\n"


def test_other_formats(draw, tmp_path):
    """For Graphviz, and for browsers; into a file, where one is named."""
    text, _, _ = draw("m", "--format", "dot")
    assert text.startswith("digraph lineage {\n")
    assert r'[label="run \"2\"" shape=box style=rounded]' in text

    file = tmp_path / "picture.svg"
    assert draw("m", "--format", "SVG", "--depth", "20", "--output", str(file)) == ("", "", 0)
    assert ET.fromstring(file.read_text("utf-8")).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody"], 2, "lineage-api: there is no registered model 'nobody'\n"),
        (["none"], 2, "lineage-api: the registered model 'none' has no version\n"),
        (["m", "--version", "3"], 2, "lineage-api: the registered model 'm' has no version 3\n"),
        (["m", "--stage", "staging"], 2, "lineage-api: the registered model 'm' has no version in STAGING\n"),
        (["m", "--alias", "x"], 2, "lineage-api: the registered model 'm' has no alias 'x'\n"),
        (["m", "--alias", "x", "--version", "1"], 2, "Error: Give one of --version, --stage and --alias.\n"),
        (["m", "--depth", "21"], 2, "21 is not in the range 1<=x<=20.\n"),
        (["m", "--output", "/nowhere/picture"], 1, "Error: /nowhere/picture cannot be written: No such file or dir"),
    ],
)
def test_what_makes_no_sense(draw, arguments, code, said):
    """A line that says what would be right."""
    text, complained, ended = draw(*arguments)

    assert (text, ended) == ("", code)
    assert said in complained
