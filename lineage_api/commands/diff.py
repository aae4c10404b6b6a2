"""The command `diff`: a client of the API like any other."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineage_api.app import answered
from lineage_api.commands.printing import printable
from lineage_api.config import Settings
from lineage_api.store.opening import prepared

_QUERY = """
query Diff($base: ModelVersionRef!, $head: ModelVersionRef!) {
  compareModelVersions(base: $base, head: $head) {
    base { version }
    head { version }
    isIdentical
    isSignatureCompatible
    unknown
    params { ...change }
    metrics { ...change }
    tags { ...change }
    environment { ...change }
    signature { ...change }
    datasets { ...change }
    artifacts { ...change }
    code { base { ...code } head { ...code } compareUrl }
    size { ...change }
    duration { ...change }
  }
}
fragment change on ValueChange { key kind base head delta relative }
fragment code on Code { commit branch repoUrl entryPoint isDirty }"""
_PARTS = ("params", "metrics", "tags", "environment", "signature", "datasets", "artifacts", "code", "size", "duration")
_CODE = {
    "commit": "commit",
    "branch": "branch",
    "repoUrl": "repository",
    "entryPoint": "entry point",
    "isDirty": "uncommitted changes",
}
_TITLES = ("what", "key", "base", "head", "change")
_STAGES = ("NONE", "STAGING", "PRODUCTION", "ARCHIVED")
_LARGEST = 2**31 - 1
"""The number of the last version that there can be."""
_TIME_LIMIT_S = 30
_WHOLE = 1e15
"""Below this, whole numbers such as sizes are written out."""
_WIDEST = 40
"""So wide may a column be: a whole commit is shown."""


def asked_for(
    name: str, base: str, head: str, *, backend_store_uri: str, artifacts_destination: str | None
) -> tuple[list[str], bool]:
    """What to print of the differences between two versions, and whether there are none."""
    uri = prepared(backend_store_uri, create=False)
    # Nothing is made in the database, and whoever asks has the time to wait for files.
    settings = Settings(
        backend_store_uri=uri,
        artifacts_destination=artifacts_destination,
        artifact_time_limit_s=_TIME_LIMIT_S,
        read_only=True,
    )
    variables = {"base": _ref(name, base), "head": _ref(name, head)}
    compared = asyncio.run(answered(settings, _QUERY, variables))["compareModelVersions"]
    return list(_written(name, compared)), bool(compared["isIdentical"])


def _ref(name: str, version: str) -> dict[str, Any]:
    """Which version is meant: by its number, by a stage, or by an alias, which may begin with `@`."""
    if version.isascii() and version.isdecimal():
        return {"model": name, "version": min(int(version), _LARGEST)}
    if version.upper() in _STAGES:
        return {"model": name, "stage": version.upper()}
    return {"model": name, "alias": version.removeprefix("@")}


def _written(name: str, compared: Mapping[str, Any]) -> Iterator[str]:
    base, head = (f"version {compared[side]['version']}" for side in ("base", "head"))
    rows = list(_rows(compared))
    yield f"{name}: from {base} to {head}"
    if rows:
        yield ""
        yield from _table([_TITLES, *rows])
    yield ""
    yield _VERDICTS[compared["isSignatureCompatible"]].format(base=base, head=head)
    if compared["code"] and compared["code"]["compareUrl"]:
        yield f"commits between them: {compared['code']['compareUrl']}"
    if compared["unknown"]:
        yield "not known:"
        yield from (f"  {printable(line)}" for line in compared["unknown"])
    if not rows:
        yield "identical" if compared["isIdentical"] else "no difference is known"


_VERDICTS = {
    True: "callers of {base} can call {head} unchanged",
    False: "callers of {base} cannot call {head} unchanged",
    None: "whether callers of {base} can call {head} unchanged is not known",
}


def _rows(compared: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """The lines of the table, by what they are about."""
    for part in _PARTS:
        yield from ((part, *_cells(change)) for change in _changes(part, compared[part] or []))


def _changes(part: str, found: Any) -> Iterator[Mapping[str, Any]]:
    """The differences in one part, which may be a single one."""
    if part == "code" and found:
        yield from _code_changes(found["base"] or {}, found["head"] or {})
    else:
        yield from [found] if isinstance(found, dict) else found


def _code_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field, name in _CODE.items():
        old, new = _said(base.get(field)), _said(head.get(field))
        if old != new:
            yield {"key": name, "base": old, "head": new, "kind": "CHANGED", "delta": None}


def _said(value: str | bool | None) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _cells(change: Mapping[str, Any]) -> Iterator[str]:
    yield _cut(printable(change["key"]))
    yield _cut(printable(change["base"] or ""))
    yield _cut(printable(change["head"] or ""))
    yield _changed(change)


def _changed(change: Mapping[str, Any]) -> str:
    """By how much, or that it came or went."""
    if change["delta"] is None:
        return str(change["kind"]).lower()
    share = "" if change["relative"] is None else f" ({change['relative']:+.1%})"
    delta = change["delta"]
    return f"{delta:+.0f}{share}" if delta.is_integer() and abs(delta) < _WHOLE else f"{delta:+.6g}{share}"


def _cut(text: str) -> str:
    """A text that leaves room for others: its beginning and its end."""
    half = (_WIDEST - 3) // 2
    return text if len(text) <= _WIDEST else f"{text[:half]}...{text[-half:]}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
