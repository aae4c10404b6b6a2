"""The command `rollback`: a client of the API like any other."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from lineage_api.app import answered
from lineage_api.commands import actor as who
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable
from lineage_api.store.opening import prepared

_PLAN = """
query Plan($name: String!, $stage: Stage, $alias: String, $to: Int) {
  registeredModel(name: $name) {
    rollbackPlan(stage: $stage, alias: $alias, to: $to) {
      current { version description run { name } }
      target { version description artifactUri run { name runId isDeleted code { commit repoUrl } } }
      basis
      lastTenure { since until event { actor reason } }
      isSafe
      checks { name status detail }
      alternatives { version }
    }
  }
}"""
_DO = """
mutation RollBack($input: RollBackInput!) {
  rollBack(input: $input) {
    modelVersion { version }
    displaced { version }
    events { id }
    errors { __typename message }
  }
}"""


def asked_for(
    name: str,
    *,
    backend_store_uri: str,
    artifacts_destination: str | None,
    stage: str | None,
    alias: str | None,
    to: int | None,
    yes: bool,
    reason: str | None,
    force: bool,
    actor: str | None,
) -> tuple[list[str], bool]:
    """What to print of a plan, and of carrying it out where that is wanted; and whether all went well."""
    uri = prepared(backend_store_uri, create=False)
    settings = Settings(backend_store_uri=uri, artifacts_destination=artifacts_destination)
    place = {"alias": alias} if alias else {"stage": (stage or "PRODUCTION").upper()}
    data = _answer(settings, _PLAN, {"name": name, "to": to, **place})
    if data["registeredModel"] is None:
        raise Unsuitable(f"there is no registered model {name!r}")
    plan = data["registeredModel"]["rollbackPlan"]
    lines = list(_written(name, alias or place["stage"], plan))
    if not yes:
        return lines, bool(plan["isSafe"])
    current = [version["version"] for version in plan["current"]]
    wish = {"model": name, "to": to, "expectedCurrent": current, "reason": reason, "force": force, **place}
    done = _answer(settings, _DO, {"input": wish}, actor or who.actor())["rollBack"]
    if done["errors"]:
        return [*lines, "", *(f"Not done: {error['message']}" for error in done["errors"])], False
    displaced = _listed(done["displaced"])
    gone = f", in place of {displaced}" if displaced else ""
    return [*lines, "", f"Done: {_version(done['modelVersion'])} holds {alias or place['stage']}{gone}."], True


def _answer(settings: Settings, query: str, variables: dict[str, Any], actor: str | None = None) -> dict[str, Any]:
    return asyncio.run(answered(settings, query, variables, actor))


def _written(name: str, place: str, plan: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name}: {place} is held by {_listed(plan['current']) or 'no version'}"
    target = plan["target"]
    if target is not None:
        yield f"going back to {_version(target)} ({_BASES[plan['basis']]})"
        yield from _told(target, plan["lastTenure"])
    yield ""
    yield from (
        f"  {check['status']:<8}{check['name']}{': ' + check['detail'] if check['detail'] else ''}"
        for check in plan["checks"]
    )
    if plan["alternatives"]:
        yield f"\nor back to {_listed(plan['alternatives'])}, with --to"
    yield "\nsafe" if plan["isSafe"] else "\nnot safe"


_BASES = {
    "HISTORY": "it held the place before",
    "NEWEST_ARCHIVED": "history does not reach back: it is the newest archived one",
    "CHOSEN": "as asked for",
}


def _told(target: Mapping[str, Any], tenure: Mapping[str, Any] | None) -> Iterator[str]:
    if tenure:
        yield f"  held it      {tenure['since'] or '?'} to {tenure['until'] or 'now'}"
    if target["description"]:
        yield f"  described as {target['description']}"
    if target["run"]:
        code = target["run"]["code"]
        yield f"  trained by   {target['run']['name']} ({target['run']['runId']})" + (
            f" at commit {code['commit']}" if code and code["commit"] else ""
        )
    if target["artifactUri"]:
        yield f"  lies at      {target['artifactUri']}"


def _version(version: Mapping[str, Any]) -> str:
    return f"version {version['version']}"


def _listed(versions: Any) -> str:
    return ", ".join(map(_version, versions))
