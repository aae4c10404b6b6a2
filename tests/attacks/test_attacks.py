"""Every attack is refused, or answered within what it may cost, and tells nothing of the server."""

import re
from contextlib import ExitStack

import pytest

from tests.attacks.attack import ANSWERED, Attack, Right, asked, right
from tests.attacks.attacks import ATTACKS
from tests.attacks.guarded import options
from tests.attacks.sending import Reply, sent, wrong
from tests.servers import Server, started
from tests.stores import filled

EACH = [("sqlite", name) for name in ATTACKS]
EACH += [("postgresql", name) for name, attack in ATTACKS.items() if attack.reaches_sql]
ONE = asked("one row", '{ experiment(name: "flights") { name } }', ANSWERED)


class Attacked:
    """A server that is attacked, and its log."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = int(server.address.rpartition(":")[2])
        self._known = 0

    def logged(self) -> bytes:
        """What has been logged since it was last asked for."""
        log = self._server.complaints.encode()
        since, self._known = self._known, len(log)
        return log[since:]


@pytest.fixture(scope="module")
def attacked(templates, tmp_path_factory):
    """The server of each database, started when it is first attacked."""
    running = {}
    with ExitStack() as stack:

        def attacked(kind):
            if kind not in running:
                folder = tmp_path_factory.mktemp("attacks")
                store = stack.enter_context(filled(kind, templates, folder))
                store.experiment("flights", runs=["first", "second"])
                running[kind] = Attacked(stack.enter_context(started(*options(store.uri, folder))))
            return running[kind]

        yield attacked


@pytest.mark.parametrize(("kind", "name"), EACH, ids=lambda value: re.sub(r"[^\w -]", "?", str(value)))
def test_an_attack(attacked, kind, name):
    """It has the status and the codes that it should have; nothing is leaked, and next to nothing logged."""
    server = attacked(kind)
    server.logged()
    reply = sent(server.port, ATTACKS[name])
    log = server.logged()

    assert wrong(ATTACKS[name], reply, log) == [], (reply.body[:500], log)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_others_are_served_afterwards(attacked, kind):
    """Whatever has been sent before, the same process answers as ever."""
    server = attacked(kind)
    reply = sent(server.port, ONE)

    assert (reply.status, b'{"name":"flights"}' in reply.body) == (200, True)


def test_there_are_enough():
    """The list is long, over both ways in; and each kind of answer is among what is right."""
    assert len(ATTACKS) >= 120
    assert sum(attack.frames is not None for attack in ATTACKS.values()) >= 30
    assert {0, 101, 200, 400, 401, 403, 405, 406, 413, 415} <= set().union(
        *(attack.right.statuses for attack in ATTACKS.values())
    )


REFUSED = right(400, codes="TOO_COMPLEX")
SAID = b'{"errors":[{"message":"%s","extensions":{"code":"TOO_COMPLEX"}}]}'


@pytest.mark.parametrize(
    ("is_right", "reply", "log", "found"),
    [
        (REFUSED, Reply(400, b"", SAID % b"no"), b"", []),
        (REFUSED, Reply(500, b"", SAID % b"no"), b"", ["the status 500"]),
        (REFUSED, Reply(400, b"", b"{}"), b"", ["no error"]),
        (ANSWERED, Reply(200, b"", SAID % b"no"), b"", ["the codes ['TOO_COMPLEX']"]),
        (REFUSED, Reply(400, b"", SAID % b"KeyError: 'a'"), b"", ["a leak: b'KeyError'"]),
        (REFUSED, Reply(400, b"", SAID % b"no such column, in SELECT a"), b"", ["a leak: b'SELECT'"]),
        (REFUSED, Reply(400, b"", SAID % b"/work/main"), b"", ["a leak: b'/work/'"]),
        (REFUSED, Reply(400, b"", SAID % b"no"), b"x" * 2_001, ["2001 bytes in the log"]),
        (REFUSED, Reply(400, b"", SAID % b"no"), b"Traceback", ["9 bytes in the log"]),
        (REFUSED, Reply(400, b"", SAID % b"no"), b"bad: " + b"abc" * 20, ["the body in the log"]),
    ],
)
def test_what_is_wrong_is_found(is_right: Right, reply: Reply, log: bytes, found: list[str]):
    """Each of the checks finds what it is for."""
    attack = Attack("planted", b"POST / HTTP/1.1\r\n\r\n" + b"abc" * 20, is_right)
    assert wrong(attack, reply, log) == found
