"""Links to the pages on which the hosts of repositories show the commits between two."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

_COMMIT = re.compile("[0-9a-fA-F]{7,64}")
_HOST = re.compile("[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SCP = re.compile(r"([^@/:\s]+@)?(?P<host>[^@/:\s]+):(?P<path>[^\s]+)")
"""How Git writes `ssh://git@host/path` for short: `git@host:path`."""
_WEB = {"http", "https"}
_FRONTS = {
    "ssh.github.com": "github.com",
    "www.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
"""Other names of hosts, and those under which people know them."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on a host that shows the commits between two."""

    host: str
    path: tuple[str, ...]
    """In the order in which the host's links name them."""
    address: str = field(compare=False)
    """How links to its host begin."""

    def same_as(self, other: "Repository") -> bool:
        """Whether both are one; hosts tell no upper from lower case."""
        return self.host == other.host and [*map(str.casefold, self.path)] == [*map(str.casefold, other.path)]


class _Place(NamedTuple):
    """What a remote of Git names."""

    host: str
    path: str
    address: str


def compare_url(
    base_repository: str | None, base_commit: str | None, head_repository: str | None, head_commit: str | None
) -> str | None:
    """The page that shows what lies between two commits of one repository; None where no host is known to have one."""
    base, head = repository(base_repository), repository(head_repository)
    if not (base and head and base.same_as(head) and base_commit and head_commit):
        return None
    are_commits = _COMMIT.fullmatch(base_commit) and _COMMIT.fullmatch(head_commit)
    if not are_commits or base_commit.lower() == head_commit.lower():
        return None
    path = "/".join(quote(part, safe="") for part in head.path)
    return head.address + _link_of(head.host)(path, base_commit, head_commit)


def is_other(base: str, head: str) -> bool:
    """Whether two remotes name different repositories, however each is written."""
    before, after = repository(base), repository(head)
    return base != head if before is None or after is None else not before.same_as(after)


def repository(remote: str | None) -> Repository | None:
    """What a remote of Git names, without who signs in there; None where the host is not known, or the path odd."""
    place = _place(remote.strip()) if remote else None
    parts = _parts(place.path) if place else None
    if place is None or not parts:
        return None
    if _is_azure(place.host):
        return _on_azure(place.host, parts)
    is_known = len(parts) >= 2 if _is_on("gitlab", place.host) else len(parts) == 2 and _has_pages(place.host)
    return Repository(place.host, tuple(parts), place.address) if is_known else None


def _place(remote: str) -> _Place | None:
    """The host and the path in a remote, be it a URL or the short form of one."""
    remote = remote.removeprefix("git+")
    if "://" not in remote:
        short = _SCP.fullmatch(remote)
        return _placed(short["host"], short["path"], None) if short else None
    try:
        url = urlsplit(remote)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in {*_WEB, "ssh", "git"} or url.query or url.fragment:
        return None
    address = f"{url.scheme}://{url.hostname}" + (f":{port}" if port else "") if url.scheme in _WEB else None
    return _placed(url.hostname or "", url.path, address)


def _placed(host: str, path: str, address: str | None) -> _Place | None:
    lowered = host.lower()
    if not _HOST.fullmatch(lowered) or ".." in lowered:
        return None
    known = _FRONTS.get(lowered, lowered)
    return _Place(known, unquote(path), address if address and known == lowered else f"https://{known}")


def _parts(path: str) -> list[str] | None:
    """The names in a path; None where one of them is odd."""
    parts = path.strip("/").removesuffix(".git").split("/")
    return parts if all(part not in {"", ".", ".."} and part.isprintable() for part in parts) else None


# Azure has two hosts for each way in, and three ways to write a path.


def _is_azure(host: str) -> bool:
    return host in {"dev.azure.com", "ssh.dev.azure.com"} or host.endswith(".visualstudio.com")


def _on_azure(host: str, parts: list[str]) -> Repository | None:
    """The organisation, the project and the repository."""
    if parts[0] == "v3":
        names = parts[1:]
    elif "_git" in parts[-2:-1]:
        organisation = [host.removesuffix(".visualstudio.com")] if host.endswith(".visualstudio.com") else []
        names = organisation + [part for part in parts[:-2] if part != "DefaultCollection"]
        # A project's own repository is called as it is, and links may leave the project out.
        names += [parts[-1]] * (3 - len(names)) if names else []
    else:
        return None
    return Repository("dev.azure.com", tuple(names), "https://dev.azure.com") if len(names) == 3 else None


def _is_on(kind: str, host: str) -> bool:
    """Whether a host is a public one, or one that somebody runs under its name."""
    return host.startswith(f"{kind}.")


def _has_pages(host: str) -> bool:
    return _is_on("github", host) or host == "bitbucket.org"


# How each of them writes its links


def _link_of(host: str) -> Callable[[str, str, str], str]:
    """What makes a link of a path and two commits."""
    return next(link for is_meant, link in _LINKS if is_meant(host))


def _azure_link(path: str, base: str, head: str) -> str:
    folder, _, name = path.rpartition("/")
    query = f"baseVersion=GC{base}&targetVersion=GC{head}&_a=commits"
    return f"/{folder}/_git/{name}/branchCompare?{query}"


_LINKS: Sequence[tuple[Callable[[str], bool], Callable[[str, str, str], str]]] = (
    (_is_azure, _azure_link),
    (lambda host: _is_on("gitlab", host), lambda path, base, head: f"/{path}/-/compare/{base}...{head}"),
    (lambda host: _is_on("github", host), lambda path, base, head: f"/{path}/compare/{base}...{head}"),
    (lambda host: host == "bitbucket.org", lambda path, base, head: f"/{path}/branches/compare/{head}%0D{base}"),
)
