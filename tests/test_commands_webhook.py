"""The commands about webhooks, on a store and with a receiver that listens."""

import asyncio
import getpass
import re

import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook as Signed

from lineage_api.cli import main
from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from tests.histories import connected, rows
from tests.stores import Store
from tests.webhooks.receivers import receiving

NOBODY = encoded("Webhook", 999)
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"


@pytest.fixture
def small(templates, tmp_path):
    """A store on SQLite."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


def webhook(store, *arguments):
    """How a command ends: exit code, standard output and standard error; it may send to this machine."""
    variables = {"LINEAGE_API_WEBHOOK_NETWORKS": "127.0.0.0/8", "LINEAGE_API_BACKEND_STORE_URI": store.uri}
    done = CliRunner().invoke(main, ["webhook", *arguments], env=variables)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


async def run(store, *arguments):
    """The same, while a receiver listens here."""
    return await asyncio.to_thread(webhook, store, *arguments)


def done(store, *arguments):
    """What a command prints that does what it is told."""
    code, printed, complained = webhook(store, *arguments)
    assert (code, complained) == (0, "")
    return printed


def added(store, url="https://ci.example/hook", *arguments):
    """The ID of a new webhook."""
    return done(store, "add", url, *arguments).split()[0]


def test_one_is_made_and_taken_away(store):
    """Its secret is shown when it is made, and never again."""
    printed = done(store, "add", "https://ci.example/hook")
    id_ = printed.split()[0]
    found = re.fullmatch(
        f"{id_}  https://ci.example/hook\n"
        "  all events\n"
        r"The secret, which is shown only now: (whsec_[\w+/=]{40,})\n",
        printed,
    )
    assert done(store, "list") == f"{id_}  https://ci.example/hook\n  all events\n"
    for command in ("disable", "enable"):
        assert found[1] not in done(store, command, id_)
    assert webhook(store, "deliveries", id_) == (0, "", "")
    assert done(store, "remove", id_) == "The webhook is gone.\n"
    assert webhook(store, "list") == (0, "", "There are no webhooks.\n")
    assert webhook(store, "remove", id_) == (2, "", "lineage-api: There is no such webhook.\n")


def test_what_it_is_for(store):
    """Its filters and what people are to read about it are printed; each webhook in its order."""
    given = ("--model", "m", "--model", "n", "--kinds", "tag_set,alias_set", "--to-stage", "production")
    first = added(store, "https://ci.example/1", *given, "--description", "For the nightly build.")
    second = added(store, "https://ci.example/2", "--to-stage", "Staging", "--to-stage", "NONE")
    assert done(store, "list") == (
        f"{first}  https://ci.example/1\n"
        "  For the nightly build.\n"
        "  of m, n; kinds ALIAS_SET, TAG_SET; into PRODUCTION\n"
        f"{second}  https://ci.example/2\n"
        "  into NONE, STAGING\n"
    )


def test_it_is_disabled_and_enabled(store):
    """With a reason, or without one; each command prints how it is now."""
    id_ = added(store)
    usual = f"{id_}  https://ci.example/hook\n  all events\n"
    assert done(store, "disable", id_) == f"{usual}  disabled: nobody said why\n"
    assert done(store, "disable", id_, "--reason", "It moves.") == f"{usual}  disabled: It moves.\n"
    assert done(store, "list") == f"{usual}  disabled: It moves.\n"
    assert done(store, "enable", id_) == usual
    assert done(store, "enable", id_) == usual


def test_one_that_fails(store):
    """It is said since when, and when it is sent again."""
    id_ = added(store)
    usual = f"{id_}  https://ci.example/hook\n  all events\n"
    since = "2025-01-01T00:00:00.000+00:00"
    store.sql("UPDATE lineage_webhooks SET failing_since = 1735689600000, attempts = 1, next_attempt_at = NULL")
    assert done(store, "list") == f"{usual}  failing since {since}, sent again at once\n"
    store.sql("UPDATE lineage_webhooks SET next_attempt_at = 1735689660000")
    again = "2025-01-01T00:01:00.000+00:00"
    assert done(store, "list") == f"{usual}  failing since {since}, sent again at {again}\n"
    store.sql("UPDATE lineage_webhooks SET disabled_at = 1735689720000, disabled_reason = 'answered 410'")
    assert done(store, "list") == f"{usual}  disabled: answered 410\n"


async def test_a_test(store):
    """It is sent at once, signed with the secret that was shown; the exit code says whether it was taken."""
    async with receiving() as receiver:
        _, printed, _ = await run(store, "add", receiver.url)
        id_, secret = printed.split()[0], printed.split()[-1]

        code, printed, complained = await run(store, "test", id_)
        assert (code, complained) == (0, "")
        assert re.fullmatch(MOMENT + r"  a test: taken \(200\), \d+\.\d{3} s\n", printed)
        [got] = receiver.received
        assert Signed(secret).verify(got.body, got.headers)["type"] == "lineage_api.test"

        receiver.answers = [500]
        code, printed, complained = await run(store, "test", id_)
        assert (code, complained) == (1, "")
        assert re.fullmatch(MOMENT + r"  a test: answered 500, \d+\.\d{3} s\n", printed)
    code, printed, _ = await run(store, "test", id_)
    assert code == 1
    assert "  a test: connection refused, " in printed


async def test_an_event_once_more(store):
    """Whatever it is for, and whether or not it is enabled; the exit code says whether it was taken."""
    store.registered_model("m")
    store.version("m", source="s3://b/m")
    event = encoded("RegistryEvent", rows(store)[-1]["id"])
    async with receiving() as receiver:
        _, printed, _ = await run(store, "add", receiver.url, "--model", "n")
        id_ = printed.split()[0]
        assert (await run(store, "disable", id_))[0] == 0
        code, printed, _ = await run(store, "redeliver", id_, event)
        assert code == 0
        assert f"  VERSION_REGISTERED m 1 ({event}), once more: taken (200), " in printed
        receiver.answers = [404]
        code, printed, _ = await run(store, "redeliver", id_, event)
        assert code == 1
        assert f"  VERSION_REGISTERED m 1 ({event}), once more: answered 404, " in printed
        assert [each.event["data"]["id"] for each in receiver.received] == [event, event]
        assert (await run(store, "deliveries", id_))[1].splitlines()[0] == printed.rstrip("\n")


def test_many_attempts(store):
    """The newest first, twenty unless more are asked for, also more than a page of the API."""
    id_ = added(store)
    store.registered_model("m")
    row = "(webhook_id, event_id, cause, attempt, attempted_at, duration_ms, status, error)"
    failed = (
        f"INSERT INTO lineage_deliveries {row} VALUES (1, :event, 'EVENT', :number, :number, 5, 503, 'answered 503')"
    )
    event = rows(store)[-1]["id"]
    for number in range(1, 251):
        store.sql(failed, number=number, event=event)

    assert len(done(store, "deliveries", id_).splitlines()) == 20
    lines = done(store, "deliveries", id_, "--first", "1000").splitlines()
    name = encoded("RegistryEvent", event)
    assert lines == [
        f"1970-01-01T00:00:00.{number:03}+00:00  MODEL_CREATED m ({name}), attempt {number}: answered 503, 0.005 s"
        for number in range(250, 0, -1)
    ]
    assert len(done(store, "deliveries", id_, "--first", "101").splitlines()) == 101
    assert len(done(store, "deliveries", id_, "--first", "1").splitlines()) == 1


REFUSALS = [
    (["add", "ftp://host"], "The URL of a webhook begins with https:// or http://"),
    (["add", "nonsense"], "The URL of a webhook begins with https:// or http://"),
    (["add", "http://10.0.0.1/"], "10.0.0.1 is inside a private network"),
    (["add", "https://me:s3cret@ci.example/"], "lineage-api: "),
    (["add", "https://ci.example/", "--kinds", "colour"], "'COLOUR' is no kind of event; there are "),
    (["add", "https://ci.example/", "--webhook-networks", "nonsense"], "'nonsense' is no network"),
    (["add", "https://ci.example/", "--description", "x" * 5_001], "A description may have 5,000 characters"),
    *((([command, NOBODY]), "There is no such webhook.") for command in ("remove", "enable", "disable", "test")),
    *((([command, "nonsense"]), "This is no Webhook's ID") for command in ("remove", "enable", "disable", "test")),
    (["redeliver", NOBODY, encoded("RegistryEvent", 1)], "There is no such webhook."),
    (["redeliver", "ID", encoded("RegistryEvent", 999)], "There is no such event."),
    (["redeliver", "ID", "nonsense"], "This is no RegistryEvent's ID"),
    (["deliveries", NOBODY], "there is no such webhook; `lineage-api webhook list` shows their IDs"),
    (["deliveries", "nonsense"], "there is no such webhook; `lineage-api webhook list` shows their IDs"),
    (["deliveries", encoded("RegistryEvent", 1)], "there is no such webhook; `lineage-api webhook list` shows"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSALS, ids=str)
def test_what_is_refused(small, arguments, said):
    """A line says why, with the exit code 2, and nothing is changed."""
    id_ = added(small)
    small.registered_model("m")
    before = done(small, "list")

    code, printed, complained = webhook(small, *(id_ if each == "ID" else each for each in arguments))

    assert (code, printed) == (2, "")
    assert complained.startswith("lineage-api: ")
    assert said in complained
    assert "s3cret" not in complained
    assert len(complained.splitlines()) == 1
    assert done(small, "list") == before


def test_nothing_speaks_to_the_terminal(small):
    """What people have written is printed with its escapes written out, and not longer than can be read."""
    wild, told = "\x1b[31m\r\n\u202e", r"\x1b[31m\r\n\u202e"
    id_ = added(small, "https://ci.example/", "--description", wild + "x" * 500, "--model", wild)
    lines = done(small, "disable", id_, "--reason", wild).splitlines()
    assert [each.strip() for each in lines[2:]] == [f"of {told}", f"disabled: {told}"]
    assert lines[1].startswith(f"  {told}xxx")
    assert len(lines[1]) < 250


def test_reading_changes_nothing(store):
    """A store in which nothing of ours is stays so, whatever is asked about its webhooks."""
    recording.end(store.uri)
    code, printed, complained = webhook(store, "list")
    assert (code, printed) == (0, "")
    assert complained.endswith("There are no webhooks.\n")
    assert webhook(store, "deliveries", NOBODY)[0] == 2
    assert recording.looked_at(store.uri).since is None


def test_a_user_without_a_name(small, monkeypatch):
    """As in a container that runs as a number: it is made all the same, and nobody is said to have made it."""

    def nobody():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", nobody)
    added(small)
    with connected(small) as connection:
        assert connection.exec_driver_sql("SELECT created_by FROM lineage_webhooks").scalar_one() is None
