"""The file of tokens: what is kept, and how it is changed."""

import multiprocessing
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import MAX_NAME_LENGTH, digest, made
from lineage_api.errors import Unsuitable

THEN = datetime(2030, 1, 31, tzinfo=UTC)
TOKEN = """{"tokens": [
{"name": "a", "role": "reader", "sha256": "%s", "created_at": "2026-01-01", "expires_at": null}]}"""


@pytest.fixture
def file(tmp_path):
    return TokenFile(str(tmp_path / "tokens.json"))


def add(path, name):
    """Adds a token, from a process of its own."""
    TokenFile(path).add(made(name, Role.READER, None)[0])


def test_what_is_kept(file):
    """All but the token itself, in a file that only its owner can read."""
    ci, secret = made("ci", Role.EDITOR, THEN)
    me, _ = made("Zoë M.", Role.MANAGER, None)
    file.add(ci)
    file.add(me)

    assert file.read() == (ci, me)
    assert ci.sha256 == digest(secret)
    assert secret.startswith("lineage_")
    assert secret not in Path(file.path).read_text()
    assert stat.S_IMODE(Path(file.path).stat().st_mode) == 0o600
    assert sorted(each.name for each in Path(file.path).parent.iterdir()) == ["tokens.json", "tokens.json.lock"]


def test_a_name_is_given_once(file):
    """Until its token is revoked."""
    file.add(made("ci", Role.EDITOR, None)[0])
    with pytest.raises(Unsuitable, match="there is a token 'ci' already"):
        file.add(made("ci", Role.READER, None)[0])
    file.remove("ci")
    with pytest.raises(Unsuitable, match="there is no token 'ci'"):
        file.remove("ci")
    assert file.read() == ()


def test_several_at_once(file):
    """Whoever adds tokens at the same time, each is kept."""
    start = multiprocessing.get_context("spawn")
    adding = [start.Process(target=add, args=(file.path, f"t{i}")) for i in range(4)]
    for process in adding:
        process.start()
    for process in adding:
        process.join()

    assert sorted(token.name for token in file.read()) == ["t0", "t1", "t2", "t3"]


def test_a_link_stays_one(file, tmp_path):
    """What it leads to is changed."""
    file.add(made("a", Role.READER, None)[0])
    link = tmp_path / "link.json"
    link.symlink_to(file.path)
    TokenFile(str(link)).add(made("b", Role.READER, None)[0])

    assert link.is_symlink()
    assert [token.name for token in file.read()] == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'{"tokens": {}, "more": 1',
        b'{"tokens": [1]}',
        b'{"tokens": ["a"]}',
        b'{"tokens": null}',
        b"\xff\xfe",
        (TOKEN % "short").encode(),
        (TOKEN % ("g" * 64)).encode(),
        (TOKEN % ("a" * 64)).replace("reader", "root").encode(),
        (TOKEN % ("a" * 64)).replace('"a"', '" "').encode(),
        (TOKEN % ("a" * 64)).replace('"a"', "7").encode(),
        (TOKEN % ("a" * 64)).replace("2026-01-01", "soon").encode(),
        (TOKEN % ("a" * 64)).replace("}]", '}, {"name": "a"}]').encode(),
    ],
)
def test_a_broken_file(file, text):
    """It is refused in one line, and never written over."""
    Path(file.path).write_bytes(text)
    with pytest.raises(Unsuitable, match="is no file of tokens"):
        file.read()
    with pytest.raises(Unsuitable, match="is no file of tokens"):
        file.add(made("b", Role.READER, None)[0])
    assert Path(file.path).read_bytes() == text


def test_a_name_that_is_there_twice(file):
    """Whose token is whose would not be clear."""
    one = (TOKEN % ("a" * 64)).partition("[")[2].rstrip("]}") + "}"
    Path(file.path).write_text(f'{{"tokens": [{one}, {one}]}}')
    with pytest.raises(Unsuitable, match="two tokens of the same name"):
        file.read()


def test_a_file_that_is_none(file, tmp_path):
    """A folder, or a place where no file can be, is refused in one line too."""
    with pytest.raises(Unsuitable, match="cannot be read: No such file"):
        file.read()
    with pytest.raises(Unsuitable, match="cannot be read: Is a directory"):
        TokenFile(str(tmp_path)).read()
    with pytest.raises(Unsuitable, match="cannot be written: No such file"):
        TokenFile(str(tmp_path / "none" / "tokens.json")).add(made("a", Role.READER, None)[0])


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\0", " a", "x" * (MAX_NAME_LENGTH + 1), "a\u202eb"])
def test_names_that_are_none(name):
    """An actor is printed in logs and terminals, and kept in a column."""
    with pytest.raises(Unsuitable, match="a name m"):
        made(name, Role.READER, None)


def test_a_name_of_the_greatest_length():
    """It is let through."""
    assert made("x" * MAX_NAME_LENGTH, Role.READER, None)[0].name == "x" * MAX_NAME_LENGTH
