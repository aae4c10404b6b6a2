"""Recipes: a shell script that would train a version again, and what a person has to find for it.

Whatever was recorded may have been written by anybody, and the script will be run. So each value is one quoted word;
none is an option of the program that is given it; comments hold our own texts alone; and what a terminal would obey,
or looks like a secret, is left out and named.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import orjson
from packaging.requirements import InvalidRequirement, Requirement

from lineage_api.analysis.entry_points import EntryPoint, Kind
from lineage_api.analysis.environments import Package
from lineage_api.analysis.recorded import Dataset, Facts, missing
from lineage_api.analysis.secrets import looks_secret, without_credentials
from lineage_api.analysis.shell import has_controls, is_showable, quoted, showable

_CLONABLE = re.compile(r"(?:https?|ssh|git|file)://\S+|\w[\w.-]*@[\w.-]+:.+|/.+")
_INSTALLABLE = re.compile(r"(?:(?:git|hg|svn|bzr)\+(?:https?|ssh)|https?)://\S+")
_HAS_OPTION = re.compile(r"(?://|[@:])\s*-")
"""A host, a path or a revision that begins as options do: ssh, git and others would take it for one."""
_OF_CONDA = re.compile(r"[^=\s]+\s*=\s*([\w.!+]+)")
_PLACES = ("url", "uri", "path", "table_name", "delta_table_name")
"""Where the sources of datasets say what they are."""
_LEFT_OUT = "(left out)"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train a version again."""

    script: str
    """For a POSIX shell."""
    missing: list[str]
    """What was not recorded, or is left out of the script."""


def recipe(facts: Facts) -> Recipe:
    """How to train a version again, as far as that was recorded."""
    script = _Script()
    for part in (_beginning, _code, _environment, _data, _training):
        part(script, facts)
    return Recipe("\n".join([*script.lines, ""]), [*dict.fromkeys([*missing(facts), *script.missing])])


class _Script:
    """A script that is being written, and what could not stand in it."""

    def __init__(self) -> None:
        self.lines = ["#!/bin/sh", "set -eu"]
        self.missing: list[str] = []

    def note(self, text: str) -> None:
        """Says something to whoever reads the script; given by us alone."""
        self.lines.append(f"# {text}")

    def run(self, command: str, *words: str) -> None:
        """Runs a command of ours with words from anywhere."""
        self.lines.append(" ".join([command, *map(quoted, words)]))

    def admits(self, what: str, value: str, key: str = "") -> bool:
        """Whether a value may stand here; if not, it is named."""
        if has_controls(value):
            self.missing.append(f"{what}, which has control characters")
        elif looks_secret(key, value):
            self.missing.append(f"{what}, which looks like a secret")
        else:
            return True
        return False

    def public(self, what: str, url: str) -> str | None:
        """A URL without its credentials, which are named; None when it may not stand here at all."""
        public = without_credentials(url)
        if not self.admits(what, public):
            return None
        if public != url:
            self.missing.append(f"the credentials in {what}")
        return public


def _beginning(script: _Script, facts: Facts) -> None:
    if script.admits("the name of the version", facts.label):
        script.run(r"printf 'This trains %s again.\n'", facts.label)


def _code(script: _Script, facts: Facts) -> None:
    """The code in a folder of its own."""
    repository = _repository(script, facts.code.repo_url)
    if repository is None:
        script.note("No repository is known: put the code into the folder source yourself.")
    else:
        script.lines.append(f"git clone -- {quoted(repository)} source")
    script.lines.append("cd source")
    if facts.commit:
        script.run("git checkout --detach", facts.commit)
    else:
        script.note("No commit is known: check out the one that was trained.")
    if facts.code.is_dirty:
        script.note("There were uncommitted changes, which are not in the repository.")


def _repository(script: _Script, url: str | None) -> str | None:
    """A repository that git can clone."""
    public = script.public("the URL of the repository", url) if url else None
    if public is None:
        return None
    if _CLONABLE.fullmatch(public) and not _HAS_OPTION.search(unquote(public)):
        return public
    script.missing.append("how to clone the repository")
    return None


def _environment(script: _Script, facts: Facts) -> None:
    """A virtual environment with the packages that there were."""
    if facts.python is None:
        script.note("No Python version is known.")
    script.lines.append(f"{quoted(f'python{facts.python}') if facts.python else 'python3'} -m venv .venv")
    packages = facts.environment.packages if facts.environment else ()
    if not packages:
        script.note("No packages are known: install what the code needs.")
    wanted = [word for package in packages if (word := _requirement(script, package))]
    if facts.start and facts.start.kind is Kind.NOTEBOOK:
        wanted += ["papermill", "ipykernel"]
    if wanted:
        script.run(".venv/bin/python -m pip install --", *wanted)


def _requirement(script: _Script, package: Package) -> str | None:
    """What pip is asked for to get a package; None when nothing would do."""
    name = showable(package.name)
    written = re.sub(r"^(-e|--editable)[\s=]\s*", "", package.requirement)
    public = script.public(f"the requirement of {name}", written)
    if public is None:
        return None
    found = next(filter(_is_installable, [public, _as_pip_writes_it(package)]), None)
    if found is None:
        script.missing.append(f"how to install {name}")
    return found


def _is_installable(word: str) -> bool:
    if _HAS_OPTION.search(unquote(word)):
        return False
    try:
        Requirement(word)
    except InvalidRequirement:
        return bool(_INSTALLABLE.fullmatch(word))
    return True


def _as_pip_writes_it(package: Package) -> str:
    """The requirement of a package that conda, or a place of its own, was asked for."""
    version = _OF_CONDA.fullmatch(package.requirement)
    if package.version or not version:
        return f"{package.name}=={package.version}" if package.version else package.name
    return f"{package.name}=={version[1]}.*"


def _data(script: _Script, facts: Facts) -> None:
    """What has to be there; where to get it from is for people to see."""
    if not facts.datasets:
        script.note("No dataset is known: find out what was read.")
    for dataset in facts.datasets:
        name = _shown(script, "the name of a dataset", dataset.name)
        part = _shown(script, f"the part of {showable(dataset.name)}", dataset.context or "no part named")
        digest = _shown(script, f"the digest of {showable(dataset.name)}", dataset.digest or "not recorded")
        source = script.public(f"the source of {showable(dataset.name)}", _source(dataset)) or _LEFT_OUT
        script.run(r"printf 'Dataset %s (%s), digest %s, from %s\n'", name, part, digest, source)


def _shown(script: _Script, what: str, value: str) -> str:
    return value if script.admits(what, value) else _LEFT_OUT


def _source(dataset: Dataset) -> str:
    """Where a dataset came from, in a word; else what kind of place that was."""
    try:
        document = orjson.loads(dataset.source)
    except ValueError:
        return dataset.source or dataset.source_type
    if isinstance(document, str):
        return document or dataset.source_type
    named = [document.get(place) for place in _PLACES] if isinstance(document, dict) else []
    return next((place for place in named if isinstance(place, str) and place), dataset.source_type)


def _training(script: _Script, facts: Facts) -> None:
    """The entry point, with its parameters."""
    start = facts.start
    params = [*_params(script, facts)]
    if start is None or not script.admits("the entry point", start.name):
        script.note("No entry point is known: start the training yourself.")
        return
    if not start.is_certain:
        script.note("The entry point may be in another folder of the repository.")
    script.lines.append(_started(start, params))


def _params(script: _Script, facts: Facts) -> Iterator[tuple[str, str]]:
    """The parameters that may be shown, by key."""
    for key, value in sorted(facts.params.items()):
        if not is_showable(key):
            script.missing.append("a parameter whose name cannot be shown")
        elif script.admits(f"the value of {key}", value, key):
            yield key, value


def _started(start: EntryPoint, params: list[tuple[str, str]]) -> str:
    """The command that starts something with parameters."""
    path = f"./{start.name}" if start.name.startswith("-") else start.name
    if start.kind is Kind.NOTEBOOK:
        # Papermill puts parameters where a path has their names in braces.
        notebook = path.replace("{", "{{").replace("}", "}}")
        given = [f"-p {quoted(key)} {quoted(value)}" for key, value in params]
        return " ".join([f".venv/bin/python -m papermill {quoted(notebook)} executed.ipynb", *given])
    module = "-m " if start.kind is Kind.MODULE else ""
    options = [quoted(f"--{key}={value}") for key, value in params]
    return " ".join([f".venv/bin/python {module}{quoted(path)}", *options])
