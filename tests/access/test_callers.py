"""Who asks: by tokens whose file changes, and through proxies."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from lineage_api.access import callers as module
from lineage_api.access.callers import ANYBODY, Callers
from lineage_api.access.known_tokens import KnownTokens
from lineage_api.access.proxies import proxies
from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import made
from lineage_api.errors import Unauthenticated, Unsuitable
from tests.following import until


@pytest.fixture
def file(tmp_path):
    return TokenFile(str(tmp_path / "tokens.json"))


def new(file, name, role=Role.READER, expires_at=None):
    """A token that is kept in a file."""
    token, secret = made(name, role, expires_at)
    file.add(token)
    return secret


def who(callers, *given, peer="10.0.0.9", authorization=None, **more):
    """The name and role of who asks with these `Authorization` headers; None where that is not known."""
    raw = [(b"authorization", each.encode("latin-1")) for each in given]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    try:
        caller = callers.who(Headers(raw=raw), peer, authorization)
    except Unauthenticated:
        return None
    return caller.name, caller.role


def test_nobody_has_to_say_who_they_are():
    """Without tokens and proxies everybody may do everything, whatever they say."""
    assert who(Callers(), "Bearer x", x_forwarded_user="root") == (None, Role.MANAGER)
    assert Callers().who(Headers({}), None) is ANYBODY


def test_by_a_token(file):
    """In the header, or as it was said in `connection_init`, which goes before it."""
    callers = Callers(KnownTokens(file))
    ci, me = new(file, "ci", Role.EDITOR), new(file, "me", Role.MANAGER)

    assert who(callers, f"Bearer {ci}") == who(callers, f"bearer  {ci} ") == ("ci", Role.EDITOR)
    assert who(callers, f"Bearer {ci}", authorization=f"Bearer {me}") == ("me", Role.MANAGER)


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer\t{}", "Bearer ü", "Bearer {},{}"]
)
def test_what_lets_nobody_in(file, said):
    """There is no difference between none, a wrong one and a malformed one."""
    secret = new(file, "ci")
    callers = Callers(KnownTokens(file))

    assert who(callers, said.replace("{}", secret)) is None
    assert who(callers, authorization=said.replace("{}", secret)) is None
    assert who(callers) is who(callers, f"Bearer {secret}", f"Bearer {secret}") is None
    assert [who(callers, authorization=each) for each in (7, [secret], {"Bearer": secret}, "Bearer \ud800")] == [
        None
    ] * 4


def test_the_hash_of_a_token_is_none(file):
    """Who has read the file gets no further."""
    new(file, "ci")
    assert who(Callers(KnownTokens(file)), f"Bearer {file.read()[0].sha256}") is None


def test_tokens_expire(file):
    """The moment counts, and not the second before it."""
    now = datetime.now(UTC)
    old, young = new(file, "old", expires_at=now), new(file, "young", expires_at=now + timedelta(hours=1))
    callers = Callers(KnownTokens(file))

    assert who(callers, f"Bearer {old}") is None
    assert who(callers, f"Bearer {young}") == ("young", Role.READER)


def test_the_file_changes(file):
    """What is made, revoked and replaced counts at once, however quickly it follows."""
    known = KnownTokens(file)
    callers = Callers(known)
    for turn in range(50):
        secret = new(file, "ci")
        assert who(callers, f"Bearer {secret}") == ("ci", Role.READER), turn
        file.remove("ci")
        assert who(callers, f"Bearer {secret}") is None, turn


def test_a_file_that_was_settled_changes(file):
    """A file that has not changed for long is not read again, until it does."""
    secret = new(file, "ci")
    callers = Callers(KnownTokens(file))
    os.utime(file.path, (1, 1))
    text = Path(file.path).read_text()
    assert who(callers, f"Bearer {secret}") == ("ci", Role.READER)
    Path(file.path).write_text(text.replace("reader", "editor"))
    assert who(callers, f"Bearer {secret}") == ("ci", Role.EDITOR)


@pytest.mark.parametrize(
    "harm", [lambda path: path.write_text("{"), Path.unlink, lambda path: path.write_bytes(b"\xff")]
)
def test_a_broken_file_keeps_the_last_good_one(file, harm, caplog):
    """The log says so once; once it is mended it counts again."""
    secret = new(file, "ci")
    callers = Callers(KnownTokens(file))
    assert who(callers, f"Bearer {secret}")
    whole = Path(file.path).read_text()

    harm(Path(file.path))
    for _ in range(3):
        assert who(callers, f"Bearer {secret}") == ("ci", Role.READER)
    assert [record.getMessage().startswith("The tokens stay as they were") for record in caplog.records] == [True]
    assert secret not in caplog.text

    Path(file.path).write_text(whole.replace("reader", "manager"))
    assert who(callers, f"Bearer {secret}") == ("ci", Role.MANAGER)


def test_a_file_that_never_was(file, caplog):
    """Nobody is let in until there is one."""
    callers = Callers(KnownTokens(file))
    assert who(callers, "Bearer x") is who(callers) is None
    secret = new(file, "ci")
    assert who(callers, f"Bearer {secret}") == ("ci", Role.READER)
    assert len(caplog.records) <= 1


async def test_who_is_connected_is_sent_away(file, monkeypatch):
    """Once the token is revoked, expired or of another role; others stay, and those who have left are not looked at."""
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    callers, gone = Callers(KnownTokens(file)), []
    soon = datetime.now(UTC) + timedelta(seconds=1)
    names = {"revoked": None, "expires": soon, "stays": None, "changed": None, "left": None}
    there = {}
    for name, expires_at in names.items():
        secret = new(file, name, expires_at=expires_at)
        there[name] = callers.who(Headers({"authorization": f"Bearer {secret}"}), None)

    async with callers.watched():
        with callers.connected(there["left"], lambda: gone.append("left")):
            pass
        with (
            callers.connected(there["revoked"], lambda: gone.append("revoked")),
            callers.connected(there["expires"], lambda: gone.append("expires")),
            callers.connected(there["stays"], lambda: gone.append("stays")),
            callers.connected(there["changed"], lambda: gone.append("changed")),
        ):
            file.remove("left")
            file.remove("revoked")
            text = Path(file.path).read_text()
            before, _, after = text.partition('"changed"')
            Path(file.path).write_text(before + '"changed"' + after.replace("reader", "editor", 1))
            await until(lambda: len(gone) == 3)
            await asyncio.sleep(0.1)

    assert sorted(gone) == ["changed", "expires", "revoked"]


def test_through_a_proxy(file):
    """Who a trusted proxy says somebody is; what anybody else says so is not looked at."""
    trusted = proxies("10.1.0.0/16, ::1/128", "X-Forwarded-User", "X-Role", "editor")
    callers = Callers(KnownTokens(file), trusted)
    secret = new(file, "ci")

    assert who(callers, peer="10.1.2.3", x_forwarded_user="Zoë") == ("Zoë", Role.EDITOR)
    assert who(callers, peer="::ffff:10.1.2.3", x_forwarded_user="a", x_role="Manager") == ("a", Role.MANAGER)
    assert who(callers, f"Bearer {secret}", peer="::1", x_forwarded_user="a") == ("a", Role.EDITOR)
    assert who(callers, f"Bearer {secret}", peer="::1") == ("ci", Role.READER)
    for peer in ("10.2.0.1", "127.0.0.1", None, "", "unix", "10.1.2.3, 10.1.2.4"):
        assert who(callers, peer=peer, x_forwarded_user="a") is None
        assert who(callers, f"Bearer {secret}", peer=peer, x_forwarded_user="a", x_role="manager") == (
            "ci",
            Role.READER,
        )


@pytest.mark.parametrize(
    "said",
    [{"x_forwarded_user": ""}, {"x_forwarded_user": " "}, {"x_forwarded_user": "a\tb"}, {"x_role": "manager"},
     {"x_forwarded_user": "a", "x_role": "root"}, {"x_forwarded_user": "x" * 300}, {}],
)  # fmt: skip
def test_what_a_proxy_says_is_nothing(said):
    """Then it is not known who asks."""
    assert who(Callers(None, proxies("10.0.0.0/8", "x-forwarded-user", "x-role", "reader")), **said) is None


def test_what_is_said_twice(file):
    """A client may have added a header of its own."""
    callers = Callers(None, proxies("10.0.0.0/8", "x-forwarded-user", "x-role", "reader"))
    name, role = (b"x-forwarded-user", b"a"), (b"x-role", b"manager")
    for raw in ([name, name], [name, role, role]):
        with pytest.raises(Unauthenticated):
            callers.who(Headers(raw=raw), "10.0.0.9")


@pytest.mark.parametrize(
    "given",
    [("10.0.0.0/8", "", "", "reader"), ("", "x-user", "", "reader"), ("10.0.0.1/8", "x-user", "", "reader"),
     ("here", "x-user", "", "reader"), ("10.0.0.0/8", "x-user", "", "root")],
)  # fmt: skip
def test_settings_of_proxies_that_say_nothing(given):
    """They are refused at the start."""
    with pytest.raises(Unsuitable):
        proxies(*given)


def test_no_proxies():
    """As usual."""
    assert proxies("", " ", "", "reader") is None
