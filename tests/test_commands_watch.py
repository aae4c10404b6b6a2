"""The command that follows what happens: in the process where it ends by itself, in its own where it is stopped."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import groupby

import pytest
from click.testing import CliRunner

from lineage_api.app import answered, create_app
from lineage_api.cli import main
from lineage_api.cli.options import EVENT_KINDS, wanted
from lineage_api.commands.watch import line
from lineage_api.config import Settings
from lineage_api.graph.event_filter import RegistryEventKind
from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from tests.servers import begun, environment
from tests.serving import served
from tests.stores import Store
from tests.test_cli import COMMAND

PATIENCE_S = 60
BEGIN = encoded("RegistryEvent", 0)


def wait(condition):
    """Waits for something, for a long while."""
    ends_at_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends_at_s
        time.sleep(0.01)


class Watching:
    """The command in a process of its own, and what it has printed so far."""

    def __init__(self, command):
        self._command = command

    @property
    def lines(self):
        """All that are whole."""
        return re.findall(r".*\n", self._command.said)

    @property
    def is_over(self):
        """Whether it has ended, by itself or otherwise."""
        return not self._command.process.is_alive()

    def wait_for(self, count):
        """The first so many lines."""
        wait(lambda: len(self.lines) >= count or self.is_over)
        assert len(self.lines) == count, self._command.complaints
        return self.lines

    def stop(self, by=signal.SIGTERM):
        """How it ended, and what it said on standard error."""
        code, _ = self._command.stop(by)
        return code, self._command.complaints


@contextmanager
def watching(store, *arguments, **variables):
    """The command on a store, killed in the end."""
    place = () if "--url" in arguments else ("--backend-store-uri", store.uri)
    with begun("watch", *place, *arguments, **variables) as command:
        yield Watching(command)


def watch(store, *arguments):
    """How the command ends that ends by itself: exit code, standard output and standard error."""
    place = () if "--url" in arguments else ("--backend-store-uri", store.uri)
    done = CliRunner().invoke(main, ["watch", *map(str, arguments), *place])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def small(templates, tmp_path):
    """A store on SQLite."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


@pytest.fixture
def script(tmp_path):
    """The path of a program that appends the arguments and the event that it is given to `<itself>.log`.

    Where a model is called like `<itself>.refuses` says, it fails.
    """
    path = tmp_path / "handle it.py"
    path.write_text(
        """import json, pathlib, sys
event, refuses = json.load(sys.stdin), pathlib.Path(__file__ + ".refuses")
with open(__file__ + ".log", "a") as log:
    log.write(json.dumps([sys.argv[1:], event]) + "\\n")
sys.exit(3 if refuses.exists() and refuses.read_text() == event["modelName"] else 0)
""",
        encoding="utf-8",
    )
    return path


def run_by(script, *arguments):
    """The text of a command that runs the program, written as for a shell."""
    return shlex.join([sys.executable, str(script), *arguments])


def refuse(script, name):
    """Has the program fail for the events of a model."""
    script.with_name(f"{script.name}.refuses").write_text(name, encoding="utf-8")


def handled(script):
    """What the program was given so far: its arguments, and the event."""
    log = script.with_name(f"{script.name}.log")
    return [json.loads(each) for each in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def names(script):
    """The models that the program was told about."""
    return [event["modelName"] for _, event in handled(script)]


def every_kind(store):
    """Has an event of each kind happen."""
    client = store.client
    store.registered_model("m")
    store.version("m", source="s3://b/1")
    store.version("m", source="s3://b/2")
    store.stage("m", 2, "Production")
    store.stage("m", 1, "Staging")
    store.alias("m", "champion", 1)
    store.alias("m", "champion", 2)
    client.delete_registered_model_alias("m", "champion")
    client.set_model_version_tag("m", "1", "team", "blue")
    client.delete_model_version_tag("m", "1", "team")
    client.set_registered_model_tag("m", "long", "x" * 1_000)
    client.update_model_version("m", "2", "The best.")
    client.update_model_version("m", "2", "")
    client.delete_model_version("m", "1")
    restored = "mutation { restoreModelVersion(input: {%s}) { errors { message } } }"
    given = 'model: "m", version: 1, reason: "It was needed."'
    asyncio.run(answered(Settings(backend_store_uri=store.uri), restored % given, actor="ana"))
    client.delete_registered_model_tag("m", "long")
    client.rename_registered_model("m", "n")
    client.delete_model_version("n", "1")
    client.delete_model_version("n", "2")
    client.delete_registered_model("n")


READ = f"""MODEL_CREATED       m
VERSION_REGISTERED  m 1
VERSION_REGISTERED  m 2
STAGE_CHANGED       m 2  NONE → PRODUCTION
STAGE_CHANGED       m 1  NONE → STAGING
ALIAS_SET           m 1  @champion
ALIAS_SET           m 2  @champion (was 1)
ALIAS_REMOVED       m 2  @champion
TAG_SET             m 1  team = blue
TAG_REMOVED         m 1  team
TAG_SET             m  long = {"x" * 197}...
DESCRIPTION_CHANGED m 2  The best.
DESCRIPTION_CHANGED m 2  (taken away)
VERSION_DELETED     m 1
VERSION_RESTORED    m 1  → ARCHIVED  by ana: It was needed.
TAG_REMOVED         m  long
MODEL_RENAMED       n  was m
VERSION_DELETED     n 1
VERSION_DELETED     n 2
MODEL_DELETED       n
"""


def test_what_a_person_reads(store):
    """A line for each event: when, what and of what."""
    every_kind(store)
    expected = READ.splitlines(keepends=True)
    with watching(store, "--after", BEGIN) as told:
        lines = told.wait_for(len(expected))
    moments, _, rest = zip(*(each.partition("  ") for each in lines), strict=True)
    assert [*rest] == expected
    assert [*moments] == sorted(moments)
    assert {each.split()[0] for each in expected} == {*EVENT_KINDS}


WILD = "\x1b[31mred\x1b[0m\r\n\x07\x7f\x9b2J\u202e\u2028\U000e0001"


def test_nothing_speaks_to_the_terminal(small):
    """Escapes, controls and what turns text around are written out, in lines and in JSON, which stays the same."""
    small.registered_model(f"m{WILD}")
    small.client.set_registered_model_tag(f"m{WILD}", "key", WILD)
    with watching(small, "--after", BEGIN) as told:
        lines = told.wait_for(2)
    wild = r"\x1b[31mred\x1b[0m\r\n\x07\x7f\x9b2J\u202e\u2028\U000e0001"
    assert [each.rstrip("\n").partition("  ")[2] for each in lines] == [
        f"MODEL_CREATED       m{wild}",
        f"TAG_SET             m{wild}  key = {wild}",
    ]
    with watching(small, "--after", BEGIN, "--json") as told:
        lines = told.wait_for(2)
    assert all(each.rstrip("\n").isprintable() for each in lines)
    assert [json.loads(each)["modelName"] for each in lines] == [f"m{WILD}"] * 2
    assert json.loads(lines[1])["value"] == WILD


def test_who_and_why():
    """Both may be anything too."""
    told = dict.fromkeys(("version", "fromStage", "toStage"))
    event = {**told, "occurredAt": "now", "kind": "MODEL_DELETED", "modelName": "m", "actor": WILD, "reason": WILD * 99}
    assert line(event).isprintable()
    assert len(line(event)) < 1_000


def test_a_terminal_that_has_few_letters(small):
    """What it has not is written out; JSON is in UTF-8 nevertheless."""
    small.registered_model("modèle")
    small.version("modèle", source="s3://b/m")
    small.stage("modèle", 1, "Staging")
    filters = ("--after", BEGIN, "--kinds", "STAGE_CHANGED")
    with watching(small, *filters, PYTHONIOENCODING="ascii") as told:
        [said] = told.wait_for(1)
    assert said.endswith("  STAGE_CHANGED       mod\\xe8le 1  NONE \\u2192 STAGING\n")
    with watching(small, *filters, "--json", PYTHONIOENCODING="ascii") as told:
        [said] = told.wait_for(1)
    assert json.loads(said)["modelName"] == "modèle"


@pytest.mark.parametrize("through", ["database", "server"])
def test_json(store, through):
    """An event a line, with the key facts of its version as it is now."""
    run_id = store.run(store.experiment("e"), "a run")
    store.registered_model("m")
    store.version("m", run_id=run_id, source="s3://b/m")
    store.alias("m", "champion", 1)
    arguments = ("--json", "--after", BEGIN, "--kinds", "alias_set, version_registered", "--model", "m")
    with served(create_app(Settings(backend_store_uri=store.uri))) as url:
        place = ("--url", url) if through == "server" else ()
        with watching(store, *arguments, *place) as told:
            registered, named = map(json.loads, told.wait_for(2))
    assert registered["kind"] == "VERSION_REGISTERED"
    assert {name: named[name] for name in ("kind", "modelName", "version", "alias", "origin", "actor")} == {
        "kind": "ALIAS_SET",
        "modelName": "m",
        "version": 1,
        "alias": "champion",
        "origin": "EXTERNAL",
        "actor": None,
    }
    assert named["modelVersion"]["aliases"] == ["champion"]
    assert named["modelVersion"]["artifactUri"] == "s3://b/m"
    assert named["modelVersion"]["run"] == {"runId": run_id, "name": "a run"}


def test_filters():
    """Kinds may be repeated, stand in one text, and be written small; none are all."""
    assert wanted(("tag_set,Alias_Set", "STAGE_CHANGED, "), ("m", "n"), ("STAGING",)) == {
        "kinds": ["TAG_SET", "ALIAS_SET", "STAGE_CHANGED"],
        "models": ["m", "n"],
        "toStages": ["STAGING"],
    }
    assert wanted((), (), ()) == {"kinds": None, "models": None, "toStages": None}
    assert {*EVENT_KINDS} == {kind.name for kind in RegistryEventKind}


LATER = encoded("RegistryEvent", 999)
REFUSALS = [
    (["--kinds", "tag_set,colour"], "'COLOUR' is no kind of event; there are MODEL_CREATED, "),
    (["--after", "nonsense"], "`after` is no event's ID; pass the `id` of an event as it was given."),
    (["--after", encoded("Run", "abc")], "`after` is no event's ID"),
    (["--after", LATER], "`after` is no event of this store: it is later than the last one."),
    (["--state", "binary"], "binary holds something else than the ID of an event: name another file"),
    (["--state", "prose"], "prose holds something else than the ID of an event: name another file"),
    (["--state", "later"], "later is of another store: `after` is no event of this store: it is later"),
    (["--state", "no/such/folder"], "no/such/folder cannot be written: No such file or directory"),
    (["--state", "binary/state"], "binary/state cannot be read: Not a directory"),
    (["--state", "/dev/null"], "/dev/null is no file"),
    (["--state", "taken"], "taken cannot be written: "),
    (["--exec", ""], "--exec needs a command"),
    (["--exec", "echo 'a"], "--exec cannot be read: No closing quotation"),
    (["--exec", "no-such-command -x"], "no-such-command cannot be run: there is no such command"),
    (["--exec", "./binary"], "./binary cannot be run: there is no such command"),
    (["--exec", "./not-a-program", "--after", BEGIN], "./not-a-program cannot be run: Exec format error"),
    (["--url", "nonsense"], "nonsense is no address of a server; write it like http://127.0.0.1:8000"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSALS, ids=str)
def test_what_makes_no_sense(small, tmp_path, monkeypatch, arguments, said):
    """A line says what is wrong, with the exit code 2."""
    monkeypatch.chdir(tmp_path)
    small.registered_model("m")
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    (tmp_path / "prose").write_text("Remember this.\n", encoding="utf-8")
    (tmp_path / "later").write_text(LATER, encoding="utf-8")
    (tmp_path / ".taken.new").mkdir()
    (tmp_path / "not-a-program").write_bytes(b"\x00\x01")
    (tmp_path / "not-a-program").chmod(0o755)

    code, _, complained = watch(small, *arguments)

    assert code == 2
    assert complained.startswith(f"lineage-api: {said}")
    assert len(complained.splitlines()) == 1
    assert (tmp_path / "later").read_text(encoding="utf-8") == LATER


def test_two_places_to_begin(small, tmp_path):
    """An event to begin after goes with a file that remembers none yet, and with no other."""
    state = tmp_path / "state"
    state.write_text(BEGIN, encoding="utf-8")
    code, _, complained = watch(small, "--state", state, "--after", BEGIN)
    assert code == 2
    assert "leave out --after, or remove the file" in complained

    state.write_text("", encoding="utf-8")
    small.registered_model("m")
    assert watch(small, "--state", state, "--after", BEGIN, "--exec", "false")[0] == 2
    assert state.read_text(encoding="utf-8") == ""


def test_a_store_without_history(store):
    """It is refused, and stays as it is."""
    recording.end(store.uri)
    code, printed, complained = watch(store)
    assert (code, printed) == (2, "")
    assert complained == "lineage-api: history is not recorded: run `lineage-api db upgrade`, or `lineage-api serve`\n"
    assert recording.looked_at(store.uri).since is None


def test_a_server_without_history(store):
    """The same through one, which says what is missing."""
    recording.end(store.uri)
    with served(create_app(Settings(backend_store_uri=store.uri, no_migrate=True))) as url:
        code, printed, complained = watch(store, "--url", url)
    assert (code, printed) == (2, "")
    assert complained.startswith("lineage-api: ")
    assert complained.endswith("run `lineage-api db upgrade`.\n")
    assert len(complained.splitlines()) == 1


def test_a_command_for_each_event(store, script):
    """Its words are split as a shell would, but there is none; it gets the event, one after the other."""
    for name in "abc":
        store.registered_model(name)
    refuse(script, "c")
    command = run_by(script, "two words") + " $HOME ; touch hacked | *"

    code, printed, complained = watch(store, "--after", BEGIN, "--exec", command)

    assert code == 2
    assert names(script) == ["a", "b", "c"]
    words = ["two words", "$HOME", ";", "touch", "hacked", "|", "*"]
    assert [arguments for arguments, _ in handled(script)] == [words] * 3
    last = handled(script)[-1][1]
    assert last["kind"] == "MODEL_CREATED"
    ended = f"lineage-api: {sys.executable} ended with 3 for the event {last['id']}, which counts as not handled\n"
    assert complained == ended
    assert len(printed.splitlines()) == 3


def test_an_event_that_was_not_handled(store, script, tmp_path):
    """It comes again at the next start, and again, until it is; what was handled before does not."""
    state, command = tmp_path / "state", run_by(script)
    for name in "abcd":
        store.registered_model(name)
    refuse(script, "b")
    assert watch(store, "--state", state, "--after", BEGIN, "--exec", command)[0] == 2
    assert watch(store, "--state", state, "--exec", command)[0] == 2
    refuse(script, "d")
    assert watch(store, "--state", state, "--exec", command)[0] == 2
    assert names(script) == ["a", "b", "b", "b", "c", "d"]
    assert state.read_text(encoding="utf-8") == handled(script)[-2][1]["id"] + "\n"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".state")]


def test_a_command_that_does_not_read(small, tmp_path):
    """It does no harm, however long the event is; that a signal ended one is said."""
    small.registered_model("m")
    small.version("m", source="s3://b/m")
    for letter in "ab":
        small.client.set_model_version_tag("m", "1", "key", letter * 100_000)
    program = tmp_path / "deaf"
    program.write_text('#!/bin/sh\necho >> "$0.count"\n[ $(wc -l < "$0.count") -lt 4 ] || kill -9 $$\n', "utf-8")
    program.chmod(0o755)
    code, printed, complained = watch(small, "--after", BEGIN, "--exec", str(program))
    assert code == 2
    assert len(printed.splitlines()) == 4
    assert complained.startswith(f"lineage-api: {program} ended by signal 9 for the event ")


def test_it_begins_now(store, tmp_path):
    """That is remembered at once: what happens while it is away comes at the next start, and nothing before."""
    store.registered_model("before")
    state = tmp_path / "state"
    with watching(store, "--state", str(state)) as told:
        wait(lambda: state.exists() or told.is_over)
        assert told.stop() == (0, "")
        assert told.lines == []
    store.registered_model("a")
    with watching(store, "--state", str(state)) as told:
        told.wait_for(1)
        store.registered_model("b")
        lines = told.wait_for(2)
    assert [each.split()[-1] for each in lines] == ["a", "b"]


def test_a_state_that_is_linked_to(small, tmp_path, script):
    """The link stays, and what it leads to is written."""
    small.registered_model("a")
    small.registered_model("b")
    refuse(script, "b")
    (tmp_path / "folder").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "folder" / "state")
    assert watch(small, "--state", tmp_path / "state", "--after", BEGIN, "--exec", run_by(script))[0] == 2
    assert (tmp_path / "state").is_symlink()
    assert (tmp_path / "folder" / "state").read_text(encoding="ascii") == f"{encoded('RegistryEvent', 1)}\n"


def test_it_is_killed_at_any_moment(store, script, tmp_path):
    """And started again while changes go on: each event is handled at least once, in order, and none is missed."""
    state, expected = tmp_path / "state", [f"m{number}" for number in range(40)]
    arguments = ("--state", str(state), "--exec", run_by(script))
    with watching(store, *arguments) as told:
        wait(lambda: state.exists() or told.is_over)
    changing = threading.Thread(target=lambda: [store.registered_model(name) for name in expected])
    changing.start()
    for number in range(2):
        before = len(handled(script))
        with watching(store, *arguments):
            wait(lambda before=before: len(handled(script)) > before)
            time.sleep(number * 0.1)
        assert state.read_text(encoding="ascii").strip()
    changing.join()
    with watching(store, *arguments):
        wait(lambda: "m39" in names(script))
    assert [name for name, _ in groupby(names(script))] == expected


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_is_told_to_end(store, tmp_path, by):
    """It does so quietly, and takes the command along that it has begun; its event is not handled."""
    state, pid = tmp_path / "state", tmp_path / "pid"
    store.registered_model("m")
    program = tmp_path / "slow"
    program.write_text(f"#!/bin/sh\necho $$ > {pid}.new\nmv {pid}.new {pid}\nexec sleep 60\n", encoding="utf-8")
    program.chmod(0o755)
    with watching(store, "--state", str(state), "--after", BEGIN, "--exec", str(program)) as told:
        wait(lambda: pid.exists() or told.is_over)
        assert told.stop(by) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text(encoding="ascii")), 0)
    assert not state.exists()


def test_nobody_reads_on(small):
    """As with `watch | head -1`: it ends by itself, without a word."""
    small.registered_model("a")
    command = [*COMMAND, "watch", "--backend-store-uri", small.uri, "--after", BEGIN]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(), text=True, **pipes) as process:
        assert "MODEL_CREATED" in process.stdout.readline()
        process.stdout.close()
        small.registered_model("b")
        assert process.wait(PATIENCE_S) == 1
        assert process.stderr.read() == ""
