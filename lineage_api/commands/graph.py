"""The command `graph`: a client of the API like any other, which draws what it is told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineage_api.analysis.dot import dot
from lineage_api.analysis.mermaid import mermaid
from lineage_api.analysis.picture import Box, Line, Picture
from lineage_api.analysis.svg import svg
from lineage_api.app import answered
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable
from lineage_api.store.opening import prepared

FORMATS = {"mermaid": mermaid, "dot": dot, "svg": svg}
MOST_VERSIONS = 20
"""How many versions are drawn together."""

_LINEAGE = """
fragment Drawn on ModelVersion {
  lineage(depth: $depth, maxNodes: $maxNodes) {
    nodes { __typename id label }
    links { source { id } target { id } kind }
    isTruncated
  }
}"""
_NEWEST = f"""
query Newest($name: String!, $depth: Int!, $maxNodes: Int!) {{
  registeredModel(name: $name) {{ found: versions(first: {MOST_VERSIONS}) {{ totalCount nodes {{ ...Drawn }} }} }}
}}{_LINEAGE}"""
_CHOSEN = """
query Chosen($name: String!, $which: %s, $depth: Int!, $maxNodes: Int!) {
  registeredModel(name: $name) { found: %s { ...Drawn } }
}"""
_CHOICES = {
    "version": _CHOSEN % ("Int!", "version(number: $which)") + _LINEAGE,
    "stage": _CHOSEN % ("Stage!", "inStage(stage: $which)") + _LINEAGE,
    "alias": _CHOSEN % ("String!", "version(alias: $which)") + _LINEAGE,
}
_LACKING = {None: "version", "version": "version {}", "stage": "version in {}", "alias": "alias {!r}"}
_CUT = "There may be more than is drawn: the walk ended at --depth or --max-nodes."


@dataclass(frozen=True)
class Drawing:
    """A picture as text, and what it does not show."""

    text: str
    remarks: Sequence[str]


def drawn(
    name: str,
    *,
    backend_store_uri: str,
    artifacts_destination: str | None,
    kind: str,
    chosen: tuple[str, str | int] | None,
    depth: int,
    max_nodes: int,
) -> Drawing:
    """The lineage of a registered model: of what is chosen by version, stage or alias, else of its newest versions."""
    uri = prepared(backend_store_uri, create=False)
    # Nothing is made in the database: somebody wants to look.
    settings = Settings(backend_store_uri=uri, artifacts_destination=artifacts_destination, read_only=True)
    by, which = chosen or (None, None)
    variables = {"name": name, "which": which, "depth": depth, "maxNodes": max_nodes}
    answer = _answer(settings, _CHOICES[by] if by else _NEWEST, variables)
    found = _found(answer["registeredModel"], name, by, which)
    picture, is_cut = _together([version["lineage"] for version in _versions(found)], max_nodes)
    return Drawing(FORMATS[kind](picture), [*_cut_versions(found), *([_CUT] if is_cut else [])])


def _answer(settings: Settings, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    return asyncio.run(answered(settings, query, variables))


def _found(model: Mapping[str, Any] | None, name: str, by: str | None, which: str | int | None) -> Any:
    """What was asked for of a registered model; refused where it is not there."""
    if model is None:
        raise Unsuitable(f"there is no registered model {name!r}")
    if not _versions(model["found"]):
        raise Unsuitable(f"the registered model {name!r} has no {_LACKING[by].format(which)}")
    return model["found"]


def _versions(found: Any) -> Sequence[Mapping[str, Any]]:
    """Whatever was found, as a list."""
    if isinstance(found, dict):
        return found.get("nodes", [found])  # type: ignore[no-any-return]
    return found or []


def _cut_versions(found: Any) -> list[str]:
    count = found.get("totalCount", 1) if isinstance(found, dict) else 1
    return [f"Only the newest {MOST_VERSIONS} of {count} versions are drawn."] if count > MOST_VERSIONS else []


def _together(graphs: Sequence[Mapping[str, Any]], most: int) -> tuple[Picture, bool]:
    """Several graphs as one, of at most so many nodes; and whether anything was cut off."""
    nodes = {node["id"]: node for graph in graphs for node in graph["nodes"]}
    boxes = [Box(key, node["__typename"], node["label"]) for key, node in nodes.items()][:most]
    kept = {box.key for box in boxes}
    every = (
        Line(link["source"]["id"], link["target"]["id"], link["kind"]) for graph in graphs for link in graph["links"]
    )
    lines = [line for line in dict.fromkeys(every) if {line.source, line.target} <= kept]
    return Picture(boxes, lines), len(nodes) > most or any(graph["isTruncated"] for graph in graphs)
