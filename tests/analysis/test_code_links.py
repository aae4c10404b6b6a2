from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.code_links import compare_url, is_other

OLD, NEW = "a" * 40, "B" * 8
SPAN = f"{OLD}...{NEW}"
GITHUB = f"https://github.com/o/r/compare/{SPAN}"
GITLAB = f"https://gitlab.com/g/sub/r/-/compare/{SPAN}"
BITBUCKET = f"https://bitbucket.org/w/r/branches/compare/{NEW}%0D{OLD}"
AZURE = "https://dev.azure.com/org/a%20project/_git/r/branchCompare"
AZURE = f"{AZURE}?baseVersion=GC{OLD}&targetVersion=GC{NEW}&_a=commits"


def link(repository, base=OLD, head=NEW):
    """The page for two commits of one repository."""
    return compare_url(repository, base, repository, head)


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("https://github.com/o/r", GITHUB),
        ("https://github.com/o/r.git/", GITHUB),
        ("https://me:secret@GitHub.com/o/r.git", GITHUB),
        ("git+https://x-access-token:secret@github.com/o/r", GITHUB),
        ("git://github.com/o/r.git", GITHUB),
        ("git@github.com:o/r.git", GITHUB),
        ("github.com:o/r", GITHUB),
        ("ssh://git@github.com/o/r.git", GITHUB),
        ("ssh://git@ssh.github.com:443/o/r.git", GITHUB),
        ("https://github.example.com:8443/o/r", f"https://github.example.com:8443/o/r/compare/{SPAN}"),
        ("http://github.corp/o/r.git", f"http://github.corp/o/r/compare/{SPAN}"),
        ("ssh://git@github.corp:2222/o/r.git", f"https://github.corp/o/r/compare/{SPAN}"),
        ("https://gitlab.com/g/sub/r.git", GITLAB),
        ("git@gitlab.com:g/sub/r.git", GITLAB),
        ("ssh://git@altssh.gitlab.com:443/g/sub/r.git", GITLAB),
        ("https://oauth2:secret@gitlab.example.org/g/r", f"https://gitlab.example.org/g/r/-/compare/{SPAN}"),
        ("https://me@bitbucket.org/w/r.git", BITBUCKET),
        ("git@bitbucket.org:w/r.git", BITBUCKET),
        ("https://dev.azure.com/org/a%20project/_git/r", AZURE),
        ("https://org@dev.azure.com/org/a%20project/_git/r", AZURE),
        ("git@ssh.dev.azure.com:v3/org/a%20project/r", AZURE),
        ("ssh://git@ssh.dev.azure.com/v3/org/a%20project/r", AZURE),
        ("https://org.visualstudio.com/a%20project/_git/r", AZURE),
        ("https://org.visualstudio.com/DefaultCollection/a%20project/_git/r", AZURE),
        ("org@vs-ssh.visualstudio.com:v3/org/a%20project/r", AZURE),
        ("https://dev.azure.com/org/_git/r", AZURE.replace("a%20project", "r")),
        ("https://gitlab.com/g/a%23b%3Fc", f"https://gitlab.com/g/a%23b%3Fc/-/compare/{SPAN}"),
    ],
)
def test_the_page_that_shows_the_commits(repository, url):
    """However the repository is written; who signs in there is never repeated."""
    assert link(repository) == url
    assert not is_other(repository, repository.replace("/r", "/R"))


@pytest.mark.parametrize(
    "repository",
    [
        None,
        "",
        "/home/me/r",
        "file:///home/me/r",
        "C:\\r",
        "../r",
        "https://example.com/o/r",
        "https://bitbucket.example.com/w/r",
        "https://github.com/o",
        "https://github.com/o/r/tree/main",
        "https://github.com/o/../r",
        "https://github.com/o/r?x=1",
        "https://github.com/o/r#sub",
        "https://github.com/o//r",
        "https://github.com/o/r%0d%0ax",
        "https://github.com:port/o/r",
        "https://github.com",
        "javascript://github.com/o/r",
        "git@github.com:o/r r",
        "https://git hub.com/o/r",
        "https://github.evil\\@x/o/r",
        "https://dev.azure.com/_git/r",
        "https://dev.azure.com/org/p/r",
        "https://gitlab.com/g",
        "[",
        "https://[::1/o/r",
    ],
)
def test_a_repository_that_has_no_such_page(repository):
    """On a host that is not known, or written in an odd way."""
    assert link(repository) is None


def test_commits_and_repositories_that_do_not_belong_together():
    """Both are known, and differ; the repository is the same one, in whatever form."""
    at = "https://github.com/o/r"
    for base, head in (
        (None, NEW),
        (OLD, ""),
        (OLD, OLD.upper()),
        (OLD, "main"),
        ("-x", NEW),
        (OLD, "abc"),
        (OLD, f"{NEW}\n"),
    ):
        assert link(at, base, head) is None
    assert compare_url("git@GITHUB.com:O/R.git", OLD, at, NEW) == GITHUB
    assert compare_url("https://github.com/o/fork", OLD, at, NEW) is None
    assert compare_url(None, OLD, at, NEW) is None
    assert is_other("https://github.com/o/fork", at)
    assert is_other("/home/me/r", "/home/you/r")
    assert not is_other("/home/me/r", "/home/me/r")


ODD = st.text(st.sampled_from("ab/.:@#?%\\ \n\u202e[]-=&"), max_size=12)


@settings(deadline=None, max_examples=100, phases=[Phase.explicit, Phase.generate])
@given(
    st.sampled_from(["https://", "ssh://git@", "git@", ""]),
    st.sampled_from(["github.com", "gitlab.x", "org.visualstudio.com"]),
    ODD,
    ODD,
)
@example("https://", "github.com", "/a b", "c%2Fd")
def test_whatever_a_repository_is_called(begin, host, owner, name):
    """A link leads to the host that the repository is on, and nothing in it can break out."""
    url = link(f"{begin}{host}/{owner}/{name}") or link(f"{begin}{host}:{owner}/{name}")
    if url:
        parts = urlsplit(url)
        assert parts.scheme == "https"
        assert parts.hostname in {host, "dev.azure.com"}
        assert parts.username is None
        assert parts.fragment == ""
        assert unquote(url).isprintable()
        assert " " not in url
