"""The commands `token`, and what `serve` refuses without them."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import digest
from lineage_api.cli import main
from lineage_api.commands.exposure import is_loopback, require_safe
from lineage_api.commands.tokens import moment
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file that the variable names."""
    monkeypatch.setenv("LINEAGE_API_TOKENS", str(tmp_path / "tokens.json"))
    return TokenFile(str(tmp_path / "tokens.json"))


def run(*arguments, code=0):
    """What a command prints, and says."""
    result = CliRunner().invoke(main, ["token", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_a_token_is_made_listed_and_revoked(file):
    """It is printed alone and once; what is said of it goes elsewhere."""
    secret, said = run("create", "ci", "--role", "Editor", "--expires", "90d")
    [token] = file.read()
    assert (token.name, token.role, token.sha256) == ("ci", Role.EDITOR, digest(secret.strip()))
    assert token.expires_at - token.created_at == pytest.approx(timedelta(days=90), abs=timedelta(minutes=1))
    assert secret.strip() not in said

    listed, _ = run("list")
    assert listed.startswith("ci  EDITOR  made ")
    assert secret.strip() not in listed
    assert run("revoke", "ci") == ("The token is revoked.\n", "")
    assert run("list") == ("", "There are no tokens.\n")


def test_what_is_refused(file):
    """In one line, with exit code 2."""
    run("create", "ci", "--role", "reader")
    assert "there is a token 'ci' already" in run("create", "ci", "--role", "reader", code=2)[1]
    assert "there is no token 'me'" in run("revoke", "me", code=2)[1]
    assert "has passed already" in run("create", "me", "--role", "reader", "--expires", "2020-01-01", code=2)[1]
    assert "says no moment" in run("create", "me", "--role", "reader", "--expires", "soon", code=2)[1]
    assert "a name must have letters" in run("create", "\n", "--role", "reader", code=2)[1]
    assert "Invalid value for '--role'" in run("create", "me", "--role", "admin", code=2)[1]
    assert [token.name for token in file.read()] == ["ci"]


def test_no_file_is_named(monkeypatch):
    """It has to be said where tokens are kept."""
    monkeypatch.delenv("LINEAGE_API_TOKENS", raising=False)
    assert "--tokens" in run("list", code=2)[1]


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("30m", NOW + timedelta(minutes=30)),
        ("12h", NOW + timedelta(hours=12)),
        (" 2w", NOW + timedelta(weeks=2)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_when_something_expires(text, expires):
    """After so long, or at the beginning of a day."""
    assert moment(text, NOW) == expires


@pytest.mark.parametrize("text", ["", "0d", "90", "90y", "-1d", "999999w", "2026-13-01", "1\u0660d"])
def test_what_is_no_moment(text):
    """It is refused, with what would be right."""
    with pytest.raises(Unsuitable):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        *((host, True) for host in ("127.0.0.1", "127.3.2.1", "::1", "LocalHost")),
        *((host, False) for host in ("0.0.0.0", "::", "", "10.0.0.5", "lineage.example", "localhost.example")),
    ],
)
def test_what_is_reached_from_here_alone(host, is_here):
    """All else may be reached from elsewhere."""
    assert is_loopback(host) is is_here


def test_beyond_this_machine(file):
    """Without tokens or a proxy it is refused, with the command that makes one, unless that is wanted."""
    with pytest.raises(Unsuitable, match="lineage-api token create NAME --role manager --tokens"):
        require_safe(Settings(host="0.0.0.0"))
    with pytest.raises(Unsuitable, match="lineage-api token create NAME --role manager --tokens"):
        require_safe(Settings(host="0.0.0.0", tokens=file.path))
    require_safe(Settings(host="0.0.0.0", insecure_no_auth=True))
    require_safe(Settings(host="0.0.0.0", insecure_no_auth=True, tokens=file.path))
    require_safe(Settings(host="0.0.0.0", trusted_proxies="10.0.0.0/8", trusted_proxy_header="x-user"))
    require_safe(Settings())

    run("create", "ci", "--role", "reader")
    require_safe(Settings(host="0.0.0.0", tokens=file.path))
    with pytest.raises(Unsuitable, match="--insecure-no-auth lets everybody do everything"):
        require_safe(Settings(insecure_no_auth=True, tokens=file.path))


def test_a_broken_file_at_the_start(file, tmp_path):
    """Nothing is served with it, on this machine neither."""
    (tmp_path / "tokens.json").write_text("{")
    for more in ({}, {"insecure_no_auth": True}):
        with pytest.raises(Unsuitable, match="is no file of tokens"):
            require_safe(Settings(tokens=file.path, **more))


def test_serve_refuses(tmp_path, monkeypatch):
    """With exit code 2, before it makes or opens anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINEAGE_API_TOKENS", raising=False)
    result = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "lineage-api token create NAME" in result.stderr
    assert list(tmp_path.iterdir()) == []
