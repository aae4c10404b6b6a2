import re
import shlex
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.recipe import recipe
from lineage_api.analysis.recorded import Facts
from lineage_api.analysis.safety import Run
from lineage_api.analysis.secrets import holds_secret, looks_secret
from lineage_api.store.manifests import Environment, Manifest, Package
from lineage_api.store.recorded_runs import Code, Dataset

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATA = Dataset("flights", "d1", "training", "http", '{"url": "https://host/flights.csv"}')
NUMPY = Package("numpy", "2.1.0", "numpy==2.1.0")
MANIFEST = Manifest(9, ["sklearn"], None, Environment("3.11.7", [NUMPY]), "3.17.0", "r", "m")
CODE = Code("train.py", "https://github.com/org/flights.git", COMMIT, "main", is_dirty=False)
FACTS = Facts("nyc-flights v2", Run.KEPT, CODE, {"lr": "0.1", "depth": "8"}, {}, [DATA], MANIFEST)
NOTHING = Facts("m v1", Run.NEVER_NAMED, Code(), {}, {}, [], None)
NASTY = "0.1; rm -rf ~"

PROGRAM = """#!/bin/sh
printf '%s\\n' "$0" "$@" >> "$LOG"; printf '\\f' >> "$LOG"
case "$0 $1" in
    */git\\ clone) /bin/mkdir source ;;
    */python3*\\ -m) /bin/mkdir -p .venv/bin; /bin/cp "$0" .venv/bin/python ;;
esac
"""
"""Says how it was started, and makes what the next steps need."""


def of_packages(*packages, python="3.11.7"):
    """The facts of a model with these packages."""
    return replace(FACTS, manifest=replace(MANIFEST, environment=Environment(python, [*packages])))


def of_code(**other):
    """The facts of other code."""
    return replace(FACTS, code=replace(CODE, **other))


def lines(facts, beginning):
    """The lines of the script that begin so, and what is missing."""
    made = recipe(facts)
    return [line for line in made.script.splitlines() if line.startswith(beginning)], made.missing


def started(script):
    """What a script starts and with what, where there are no other programs than those it should start."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        programs, work, log = place / "programs", place / "work", place / "log"
        programs.mkdir()
        work.mkdir()
        for name in ("git", "python3", "python3.9", "python3.11", "python3.12"):
            (programs / name).write_text(PROGRAM)
            (programs / name).chmod(0o755)
        if "git clone" not in script:
            (work / "source").mkdir()
        environment = {"PATH": str(programs), "LOG": str(log), "HOME": folder}
        done = subprocess.run(
            ["/bin/sh"], input=script, env=environment, cwd=work, capture_output=True, encoding="utf-8", check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert {*place.iterdir()} == {programs, work, log}
        assert [*work.iterdir()] == [work / "source"]
        assert [*(work / "source").iterdir()] == [work / "source" / ".venv"]
        calls = log.read_text(encoding="utf-8").replace(f"{programs}/", "").split("\f")
        return [call.splitlines() for call in calls[:-1]], done.stdout


def test_the_script_of_a_version():
    """From the clone to the training, and nothing is missing."""
    made = recipe(FACTS)
    assert made.script == (
        "#!/bin/sh\n"
        "set -eu\n"
        "printf 'This trains %s again.\\n' 'nyc-flights v2'\n"
        "git clone -- 'https://github.com/org/flights.git' source\n"
        "cd source\n"
        "git checkout --detach '0123456789abcdef0123456789abcdef01234567'\n"
        "'python3.11' -m venv .venv\n"
        ".venv/bin/python -m pip install -- 'numpy==2.1.0'\n"
        "printf 'Dataset %s (%s), digest %s, from %s\\n' 'flights' 'training' 'd1' 'https://host/flights.csv'\n"
        ".venv/bin/python 'train.py' '--depth=8' '--lr=0.1'\n"
    )
    assert made.missing == []


def test_the_script_of_nothing():
    """At each place it says what a person has to do."""
    made = recipe(NOTHING)
    assert made.script == (
        "#!/bin/sh\n"
        "set -eu\n"
        "printf 'This trains %s again.\\n' 'm v1'\n"
        "# No repository is known: put the code into the folder source yourself.\n"
        "cd source\n"
        "# No commit is known: check out the one that was trained.\n"
        "# No Python version is known.\n"
        "python3 -m venv .venv\n"
        "# No packages are known: install what the code needs.\n"
        "# No dataset is known: find out what was read.\n"
        "# No entry point is known: start the training yourself.\n"
    )
    assert made.missing[0] == "no run"


def test_what_could_not_be_recorded_in_a_repository():
    """Uncommitted changes, and a file that was somewhere else."""
    made = recipe(of_code(is_dirty=True, entry_point="/tmp/train.py"))
    assert "# There were uncommitted changes, which are not in the repository." in made.script.splitlines()
    assert "# The entry point may be in another folder of the repository." in made.script.splitlines()
    assert made.missing == ["uncommitted changes", "where train.py lies in the repository"]


@pytest.mark.parametrize(
    ("entry_point", "line"),
    [
        ("-c.py", ".venv/bin/python './-c.py' '--depth=8' '--lr=0.1'"),
        ("flights.train", ".venv/bin/python -m 'flights.train' '--depth=8' '--lr=0.1'"),
        ("a/{lr}.ipynb", ".venv/bin/python -m papermill 'a/{{lr}}.ipynb' executed.ipynb -p 'depth' '8' -p 'lr' '0.1'"),
    ],
)
def test_entry_points(entry_point, line):
    """Files, modules and notebooks, with the parameters as each takes them."""
    assert recipe(of_code(entry_point=entry_point)).script.splitlines()[-1] == line


def test_a_notebook_needs_more():
    """What runs it is installed beside what it needs."""
    [line], _ = lines(of_code(entry_point="a.ipynb"), ".venv/bin/python -m pip")
    assert line == ".venv/bin/python -m pip install -- 'numpy==2.1.0' 'papermill' 'ipykernel'"
    [line], _ = lines(replace(NOTHING, code=Code("a.ipynb")), ".venv/bin/python -m pip")
    assert line == ".venv/bin/python -m pip install -- 'papermill' 'ipykernel'"


@pytest.mark.parametrize(
    ("url", "cloned", "lacking"),
    [
        ("git@github.com:org/x.git", "git@github.com:org/x.git", []),
        ("ssh://git@host/x", "ssh://git@host/x", []),
        ("/srv/it's here.git", "/srv/it's here.git", []),
        ("https://ann:pw@host/x", "https://host/x", ["the credentials in the URL of the repository"]),
        ("ext::sh -c touch% pwned", None, ["how to clone the repository"]),
        ("--upload-pack=touch pwned", None, ["how to clone the repository"]),
        ("ssh://-oProxyCommand=touch/x", None, ["how to clone the repository"]),
        ("ssh://git@%2DoProxyCommand=touch/x", None, ["how to clone the repository"]),
        ("git@-oProxyCommand=touch:x", None, ["how to clone the repository"]),
        ("https://host/\x1b[2J", None, ["the URL of the repository, which has control characters"]),
        ("https://host/ghp_abcdefghijklmnopqrst", None, ["the URL of the repository, which looks like a secret"]),
    ],
)
def test_repositories(url, cloned, lacking):
    """Only what git takes for a place is given to it."""
    found, missing = lines(of_code(repo_url=url), "git clone")
    assert [shlex.split(line) for line in found] == ([["git", "clone", "--", cloned, "source"]] if cloned else [])
    assert missing == lacking


@pytest.mark.parametrize(
    "commit", ["--force", "-b", "main", "HEAD", "abcdef", "0123456789 --", "../x", "'; touch pwned"]
)
def test_what_is_no_commit(commit):
    """It is not checked out."""
    assert lines(of_code(commit=commit), "git checkout") == ([], ["no commit"])


@pytest.mark.parametrize(
    ("package", "installed", "lacking"),
    [
        (Package("x", "1.0", "X[a,b]==1.0 ; python_version < '3.12'"), "X[a,b]==1.0 ; python_version < '3.12'", []),
        (Package("x", None, f"-e git+https://host/x@{COMMIT}#egg=x"), f"git+https://host/x@{COMMIT}#egg=x", []),
        (
            Package("x", None, f"x @ git+https://ann:pw@host/x@{COMMIT}"),
            f"x @ git+https://host/x@{COMMIT}",
            ["the credentials in the requirement of x"],
        ),
        (Package("x", "1.0", "x=1.0=py311_0"), "x==1.0", []),
        (Package("x", None, "x=1.2"), "x==1.2.*", ["unpinned packages: x"]),
        (Package("x", None, "./x"), "x", ["unpinned packages: x"]),
        (Package("-x", "1", "_x=1=0"), None, ["how to install -x"]),
        (Package("x", "1", "hg+http://host/x@--config=a"), "x==1", []),
        (Package("x y", "1", "--index-url=http://evil"), None, ["how to install x y"]),
        (Package("x", "1", "x==1\x1b"), None, ["the requirement of x, which has control characters"]),
    ],
)
def test_packages(package, installed, lacking):
    """As they were written where pip understands that; else as it would have to be written."""
    found, missing = lines(of_packages(package), ".venv/bin/python -m pip")
    assert [shlex.split(line)[5:] for line in found] == ([[installed]] if installed else [])
    assert missing == lacking


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('{"url": "data.csv"}', "data.csv"),
        ('{"uri": "s3://bucket/data"}', "s3://bucket/data"),
        ('{"path": "imdb", "config_name": "plain"}', "imdb"),
        ('{"url": "", "uri": 5, "tags": {}}', "http"),
        ('"data.csv"', "data.csv"),
        ('""', "http"),
        ("[1]", "http"),
        ("", "http"),
        ("data.csv", "data.csv"),
        ('{"url": "https://host/d.csv?sv=1&sig=abc"}', "https://host/d.csv?sv=1"),
        ('{"url": "a\\u2028b"}', "(left out)"),
    ],
)
def test_where_data_came_from(source, shown):
    """What its source says that people can find it by."""
    [line], _ = lines(replace(FACTS, datasets=[replace(DATA, source=source)]), "printf 'Dataset")
    assert shlex.split(line)[-1] == shown


def test_data_of_which_little_is_known():
    """There is a word for what was not recorded, and for what is left out."""
    datasets = [replace(DATA, context=None, digest=""), replace(DATA, name="a\tb", context="\x9b")]
    found, missing = lines(replace(FACTS, datasets=datasets), "printf 'Dataset")
    assert [shlex.split(line)[2:5] for line in found] == [
        ["flights", "no part named", "not recorded"],
        ["(left out)", "(left out)", "d1"],
    ]
    hidden = "(a name that cannot be shown)"
    assert missing == [
        "the digest of flights",
        "the name of a dataset, which has control characters",
        f"the part of {hidden}, which has control characters",
    ]


def test_what_looks_like_a_secret():
    """It is in neither the script nor what is missing, which names it by its key."""
    params = {"api_key": "hidden-1", "note": "ghp_hidden7890123456789", "uri": "mysql://u:hidden@h", "max_tokens": "7"}
    params |= {"hf_hidden789012345678901": "1", "token": "None"}
    made = recipe(replace(FACTS, params=params, label="AKIAHIDDEN7890123456"))
    assert made.script.splitlines()[-1] == ".venv/bin/python 'train.py' '--max_tokens=7' '--token=None'"
    assert made.missing == [
        "the name of the version, which looks like a secret",
        "the value of api_key, which looks like a secret",
        "a parameter whose name cannot be shown",
        "the value of note, which looks like a secret",
        "the value of uri, which looks like a secret",
    ]
    assert "hidden" not in (made.script + str(made.missing)).lower()


@pytest.mark.parametrize(
    "control", ["\n", "\t", "\x00", "\x1b", "\x7f", "\x85", "\x9b", "\u202e", "\u2066", "\u2028", "\ud800"]
)
def test_characters_that_terminals_obey(control):
    """Quotes do not keep them from acting when a script is pasted."""
    made = recipe(replace(FACTS, params={"a": f"1{control}2", f"b{control}": "1", "c": "é 漢 🚲"}))
    assert made.script.splitlines()[-1] == ".venv/bin/python 'train.py' '--c=é 漢 🚲'"
    assert made.missing == ["the value of a, which has control characters", "a parameter whose name cannot be shown"]


def test_a_script_that_is_run():
    """Each program is given just what was recorded, and nothing else runs."""
    params = {
        "rate": NASTY,
        "a": "$(touch pwned)",
        "b": "`touch pwned`",
        "c": 'it\'s "q" \\',
        "d": "--x",
        "e": "#",
        "f": "",
    }
    facts = replace(FACTS, params=params, label="$(touch pwned)", code=replace(CODE, entry_point="a;touch pwned.py"))

    calls, said = started(recipe(facts).script)

    assert calls == [
        ["git", "clone", "--", "https://github.com/org/flights.git", "source"],
        ["git", "checkout", "--detach", COMMIT],
        ["python3.11", "-m", "venv", ".venv"],
        [".venv/bin/python", "-m", "pip", "install", "--", "numpy==2.1.0"],
        [".venv/bin/python", "a;touch pwned.py", *(f"--{key}={params[key]}" for key in sorted(params))],
    ]
    assert said == (
        "This trains $(touch pwned) again.\nDataset flights (training), digest d1, from https://host/flights.csv\n"
    )


PIECES = st.sampled_from(
    [
        *"'\"\\$`;&|<>(){}[]*?~#!=%@:,./- \n\t\r\x1b\x00\u2028é",
        *("$(touch pwned)", "`touch pwned`", "rm -rf ~", "--", "-e", "https://", "ssh://git@", "..", "a", "b1"),
        *("%s", "\\n", "\\c", "EOF", "${HOME}", "lr", "==1"),
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
STARTS = st.one_of(*(TEXTS.map(form.format) for form in ("{}.py", "/x/{}.py", "{}.ipynb", "{}.a")))
URLS = st.one_of(TEXTS, TEXTS.map("https://host/{}".format), TEXTS.map("/{}".format), TEXTS.map("git@host:{}".format))
CODES = st.builds(Code, st.none() | STARTS, st.none() | URLS, TEXTS | st.just(COMMIT), TEXTS, st.none() | st.booleans())
PACKAGES = st.builds(Package, TEXTS, st.none() | TEXTS, TEXTS | TEXTS.map("git+https://host/{}".format))
ENVIRONMENTS = st.builds(
    Environment, st.sampled_from(["3.9", "3.11.7", "3.12.0rc1"]) | TEXTS, st.lists(PACKAGES, max_size=3)
)
MANIFESTS = ENVIRONMENTS.map(lambda environment: replace(MANIFEST, environment=environment))
SOURCES = TEXTS | TEXTS.map('{{"url": "{}"}}'.format)
DATASETS = st.lists(st.builds(Dataset, TEXTS, TEXTS, st.none() | TEXTS, TEXTS, SOURCES), max_size=2)
PARAMS = st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=4)
ANY = st.builds(Facts, TEXTS, st.sampled_from(Run), CODES, PARAMS, st.just({}), DATASETS, st.none() | MANIFESTS)
QUOTED = re.compile(r"'[^']*'(?:\"'\"'[^']*')*")


@given(ANY)
@settings(deadline=None, max_examples=60, phases=[Phase.explicit, Phase.generate], derandomize=True, database=None)
def test_whatever_was_recorded(facts):
    """The script runs to its end, starts what it should and hands on what was recorded; all else are our own words."""
    made = recipe(facts)
    calls, _ = started(made.script)

    commands = [shlex.split(line) for line in made.script.splitlines() if line[:1] not in {"#", ""}]
    assert calls == [words for words in commands if words[0] not in {"set", "printf", "cd"}]
    assert calls[-1][0] == ".venv/bin/python" or "# No entry point is known" in made.script
    shown = [(key, value) for key, value in sorted(facts.params.items()) if may_be_shown(key, value)]
    if calls[-1][1:2] != ["-m"] and "# No entry point is known" not in made.script:
        assert calls[-1][2:] == [f"--{key}={value}" for key, value in shown]
    assert re.fullmatch(r"[\w .:#!/%\\(),-]*", QUOTED.sub("", made.script).replace("\n", " "))
    assert not any(has_controls(line) for line in [*made.script.splitlines(), *made.missing])


def may_be_shown(key, value):
    """Whether a parameter may stand in a script."""
    return not has_controls(key + value) and not holds_secret(key) and not looks_secret(key, value)


def has_controls(text):
    """Whether there is a character in it that is not seen."""
    return any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in text)
