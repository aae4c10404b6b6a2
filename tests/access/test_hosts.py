"""By which names a server may be asked, and from which pages."""

import pytest

from lineage_api.access.hosts import hosts
from lineage_api.access.origins import Origins
from lineage_api.errors import Unsuitable

ALLOWED = hosts("10.0.0.5", "Lineage.Example.com, proxy:8443,")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000", "10.0.0.5:8000"),
        *("lineage.example.com", "LINEAGE.example.com:443", "proxy:8443"),
    ],
)
def test_hosts_that_are_allowed(host):
    """With any port, where none is listed; case does not matter."""
    assert ALLOWED.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", " ", "evil.example", "10.evil.example", "10.0.0.5.evil.example", "localhost.evil.example"),
        *("evil-localhost", "localhost.", "localhost:", "localhost:x", "localhost:80:80", "localhost:123456"),
        *("localhost@evil.example", "evil.example@localhost", "localhost, evil.example", "localhost\tevil"),
        *("localhost/", "localhost#", "http://localhost", "127.1", "127.0.0.2", "2130706433", "0x7f.1", "0177.0.0.1"),
        *("::1", "[::1", "[::1]x", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::1%lo]", "0.0.0.0"),
        *("\u217cocalhost", "loc\u0430lhost", "localhost\n", "localhost\0", "a.lineage.example.com"),
        *("lineage_example.com", "lineagexexample.com", "proxy", "proxy:8000", "\u0661\u0662\u0667.0.0.1"),
    ],
)
def test_hosts_that_are_not(host):
    """Nothing is taken for another spelling of a name."""
    assert not ALLOWED.allow(host)


def test_the_host_that_is_bound():
    """It is a name of the server, in brackets where it has to be."""
    assert hosts("fd00::5", "").allow("[fd00::5]:8000")
    assert hosts("0.0.0.0", "").allow("0.0.0.0:8000")


@pytest.mark.parametrize(
    "name", ["*", "*.example.com", "192.168.*", "http://a", "a b", "a/b", ".example.com", "localhost:*"]
)
def test_patterns_are_refused(name):
    """MLflow's let others in that only look alike."""
    with pytest.raises(Unsuitable, match="is no name of a host"):
        hosts("localhost", f"a.example,{name}")


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.com", "https://*.example.com", "https://a/", "https://a/b", "https://"]
)
def test_origins_that_are_none(origin):
    """They are refused at the start."""
    with pytest.raises(Unsuitable, match="is no origin"):
        Origins(origin)


LISTED = Origins("https://App.example.com, http://dev:3000")


@pytest.mark.parametrize(
    ("origins", "sites"),
    [
        ([], []),
        ([], ["none"]),
        ([], ["same-origin"]),
        (["http://here:8000"], []),
        (["https://HERE:8000"], []),
        (["http://here:8000"], ["same-origin"]),
        (["https://app.example.com"], ["cross-site"]),
        (["http://dev:3000"], ["same-site"]),
        (["null"], ["same-origin"]),
    ],
)
def test_requests_that_may_be_answered(origins, sites):
    """No browser's, the server's own pages, and those of listed origins."""
    assert LISTED.allow("here:8000", origins, sites)


@pytest.mark.parametrize(
    ("origins", "sites"),
    [
        ([], ["cross-site"]),
        ([], ["same-site"]),
        ([], [""]),
        ([], ["same-origin", "cross-site"]),
        (["null"], []),
        ([""], []),
        (["http://evil.example"], []),
        (["http://here:8000.evil.example"], []),
        (["http://here"], []),
        (["http://here:80"], ["cross-site"]),
        (["here:8000"], []),
        (["ftp://here:8000"], []),
        (["http://here:8000@evil.example"], []),
        (["http://here:8000/"], []),
        (["https://app.example.com.evil.example"], ["cross-site"]),
        (["http://app.example.com"], ["cross-site"]),
        (["http://dev"], []),
        (["https://app.example.com", "https://evil.example"], []),
        (["http://evil.example"], ["none"]),
    ],
)
def test_requests_of_other_pages(origins, sites):
    """A browser that says that it asks for another page is not answered."""
    assert not LISTED.allow("here:8000", origins, sites)


def test_nothing_is_of_a_host_without_a_name():
    """A request without `Host` has no origin of its own."""
    assert not Origins().allow("", ["http://"], [])
